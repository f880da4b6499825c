"""`reconciler plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.formats import PLAN_FORMATS
from reconciler.report.text import LineStyle, plan_lines

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan

HEAD = "HEAD"
COLOURED = {LineStyle.CHANGE: output.change, LineStyle.PROBLEM: output.problem}


@click.command(short_help="what would change")
@click.option("--base", metavar="REV", help="Compare with this commit instead of the live rows; needs no store.")
@click.option("--head", metavar="REV", help="The commit to look at (default: the branch's head).")
@format_option(*PLAN_FORMATS)
@global_options
@click.pass_obj
def plan(given: Globals, base: str | None, head: str | None, form: str) -> int:
    """Show what a commit would change in the live rows, field by field, and what speaks against it.

    With --base, from one commit to another: out of git alone, without a store. Nothing is written.
    """
    found, kinds = _between(given, base, head) if base else _ahead(given, head)
    if form == "text":
        for style, line in plan_lines(found, kinds):
            output.data(COLOURED.get(style, str)(line))
    else:
        output.data(PLAN_FORMATS[form](found, kinds))
    if found.refused:
        return Exit.PROBLEMS
    return Exit.DIFFERENT if found.changes else Exit.OK


def _between(given: Globals, base: str, head: str | None) -> tuple[Plan, Kinds]:
    settings = given.settings()
    with wiring.planner(settings) as planner:
        return planner.plan_commits(base, head or settings.branch or HEAD)


def _ahead(given: Globals, head: str | None) -> tuple[Plan, Kinds]:
    settings = given.settings()
    with output.progress("commits") as progress:
        return wiring.plan_ahead(settings, head or settings.branch or HEAD, progress)
