"""What a commit would change (`plan`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.report.links import links_in
from reconciler.report.plans import LineStyle, plan_lines
from reconciler.wiring.policies import early_policy_engine
from reconciler.wiring.trusting import is_brought

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan

TEXT, MARKDOWN = "text", "markdown"
FORMATS = (TEXT, "json", MARKDOWN, "github", "sarif", "junit")
"""All but the first are imported when they are asked for."""
STYLES = {LineStyle.CHANGE: output.change, LineStyle.PROBLEM: output.problem}


@click.command(short_help="what would change")
@click.option("--base", metavar="REV", help="Compare with this commit instead of the live rows; needs no store.")
@click.option("--head", metavar="REV", help="The commit to plan for (default: --branch, or what is checked out).")
@click.option("--link-base", metavar="URL", help="Where markdown links to files of the commit (default: as CI says).")
@format_option(*FORMATS)
@global_options
@click.pass_obj
def plan(given: Globals, base: str | None, head: str | None, link_base: str | None, form: str) -> int:
    """Show what a commit would change in the live rows, field by field, and which rules refuse it.

    With --base, compare two commits of git alone, without a store. Nothing is written.
    """
    found, kinds = _plan(given, base, head)
    _report(found, kinds, form, link_base or "")
    if found.refused and not found.is_held:
        return Exit.PROBLEMS
    return Exit.DIFFERENT if found.changes or found.is_held else Exit.OK


def _report(found: Plan, kinds: Kinds, form: str, link_base: str) -> None:
    if form == TEXT:
        for style, text in plan_lines(found, kinds):
            output.data(STYLES.get(style, str)(text))
        return
    from reconciler.report import comment, formats

    if form == MARKDOWN:
        output.data(comment.render_plan(found, kinds, links_in(os.environ, link_base)))
    else:
        output.data(formats.PLAN_FORMATS[form](found, kinds))


def _plan(given: Globals, base: str | None, head: str | None) -> tuple[Plan, Kinds]:
    settings = given.settings_to_judge(is_brought)
    with early_policy_engine(settings) as open_engine:
        if base:
            from reconciler.wiring.comparing import plan_between

            with output.progress("comparing"):
                return plan_between(settings, open_engine, base, head)
        from reconciler.wiring.planning import plan_ahead

        with output.progress("commits") as progress:
            return plan_ahead(settings, open_engine, head, progress)
