"""What checks a repository: its files (`validate`) and a commit (`plan`)."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import click

from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options, paths_argument
from reconciler.cli.output import Exit
from reconciler.cli.problems import problems_code
from reconciler.errors import ReconcilerError, UsageError
from reconciler.report import comment
from reconciler.report.escape import escape_line
from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from reconciler.report.links import links_in
from reconciler.report.plans import LineStyle, checked_lines, plan_lines
from reconciler.service.workingtree import start_folder
from reconciler.wiring.checkout import is_brought, open_checkout, open_watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult
    from reconciler.service.workingtree import Checkout

TEXT = "text"
STYLES = {LineStyle.CHANGE: output.change, LineStyle.PROBLEM: output.problem}
MAX_NAMED = 3
"""Files that are named when they change together."""


@click.command(short_help="check files")
@paths_argument
@click.option("--staged", is_flag=True, help="Check what git add has staged, as git commit would take it.")
@click.option("--watch", is_flag=True, help="Keep running, and check again whenever a file changes.")
@format_option(*PROBLEM_FORMATS)
@global_options
@click.pass_obj
def validate(given: Globals, paths: tuple[Path, ...], staged: bool, watch: bool, form: str) -> int:
    """Check the files of a config repository, as git would commit them: without those that it ignores.

    With PATHs, report only the problems in these files and folders; what they refer to is looked up in the whole
    repository. Files that are named are checked even if git ignores them.
    """
    settings = given.settings_to_judge(partial(is_brought, paths=paths))
    if watch and form != TEXT:
        raise UsageError(f"--watch cannot go on in {form}, which is one document", hint="leave out --format")
    if watch and staged:
        raise UsageError("--watch looks at files, not at what is staged", hint="leave out one of the two")
    start = start_folder(paths, settings.repository, may_be_gone=staged)
    checkout = open_checkout(start, settings.path, settings.limits, named=paths, staged=staged)
    if checkout.warning:
        given.say(f"warning: {checkout.warning}")
    if watch:
        _watch(given, checkout, paths, partial(_report, given, form=form))
    with output.progress("files") as progress:
        checked = checkout.check_paths(paths, progress)
    _report(given, checked, form)
    return problems_code(checked.problems)


def _report(given: Globals, checked: CheckResult, form: str) -> None:
    if not checked.entries and not checked.problems:
        given.say("warning: nothing was checked: there is no *.yaml or *.yml file")
    if form == TEXT:
        for style, text in checked_lines(checked):
            output.data(output.problem(text) if style is LineStyle.PROBLEM else text)
    else:
        output.data(PROBLEM_FORMATS[form](checked))


def _watch(
    given: Globals, checkout: Checkout, paths: tuple[Path, ...], report: Callable[[CheckResult], None]
) -> NoReturn:
    """Report what is wrong now and after each change, until ^C. What cannot be read for a moment does not end it."""
    with checkout.watch(paths, open_watcher) as watch:
        report(watch.first)
        if watch.trouble:
            given.say(f"warning: no word of changes ({watch.trouble}): all files are looked at every few seconds")
        given.say("watching for changes, ^C ends it")
        last = ""
        while True:
            try:
                changed, checked = watch.await_change()
            except ReconcilerError as error:
                if str(error) != last:
                    output.failure(error)
                last = str(error)
                continue
            last = ""
            now = time.strftime("%H:%M:%S")  # local time, for whoever looks at the screen: nothing is recorded
            given.say(click.style(f"\n{now} {_names(changed)}", dim=True))
            report(checked)


def _names(paths: Collection[str]) -> str:
    return escape_line(", ".join(sorted(paths))) if len(paths) <= MAX_NAMED else f"{len(paths):,} files"


@click.command(short_help="what would change")
@click.option("--base", metavar="REV", help="Compare with this commit instead of the live rows; needs no store.")
@click.option("--head", metavar="REV", help="The commit to plan for (default: --branch, or what is checked out).")
@click.option("--link-base", metavar="URL", help="Where markdown links to files of the commit (default: as CI says).")
@format_option(*PLAN_FORMATS)
@global_options
@click.pass_obj
def plan(given: Globals, base: str | None, head: str | None, link_base: str | None, form: str) -> int:
    """Show what a commit would change in the live rows, field by field, and which rules refuse it.

    With --base, compare two commits of git alone, without a store. Nothing is written.
    """
    found, kinds = _plan(given, base, head)
    if form == "text":
        for style, text in plan_lines(found, kinds):
            output.data(STYLES.get(style, str)(text))
    elif form == "markdown":
        output.data(comment.render_plan(found, kinds, links_in(os.environ, link_base or "")))
    else:
        output.data(PLAN_FORMATS[form](found, kinds))
    if found.refused and not found.is_held:
        return Exit.PROBLEMS
    return Exit.DIFFERENT if found.changes or found.is_held else Exit.OK


def _plan(given: Globals, base: str | None, head: str | None) -> tuple[Plan, Kinds]:
    from reconciler.wiring.policies import early_policy_engine

    settings = given.settings_to_judge(is_brought)
    with early_policy_engine(settings) as open_engine:
        if base:
            from reconciler.wiring.repository import plan_between

            with output.progress("comparing"):
                return plan_between(settings, open_engine, base, head)
        from reconciler.wiring.local import plan_ahead

        with output.progress("commits") as progress:
            return plan_ahead(settings, open_engine, head, progress)
