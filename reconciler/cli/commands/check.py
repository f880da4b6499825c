"""What checks the files of a repository (`validate`)."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import click

from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options, paths_argument
from reconciler.cli.problems import problems_code
from reconciler.errors import ReconcilerError, UsageError
from reconciler.report.escape import escape_line
from reconciler.report.problems import checked_lines
from reconciler.service.paths import start_folder
from reconciler.wiring.checkout import open_checkout, open_watcher
from reconciler.wiring.trusting import is_brought

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from reconciler.reconcile.check import CheckResult
    from reconciler.service.workingtree import Checkout

TEXT = "text"
FORMATS = (TEXT, "json", "markdown", "github", "sarif", "junit")
"""All but the first are imported when they are asked for."""
MAX_NAMED = 3
"""Files that are named when they change together."""


@click.command(short_help="check files")
@paths_argument
@click.option("--staged", is_flag=True, help="Check what git add has staged, as git commit would take it.")
@click.option("--watch", is_flag=True, help="Keep running, and check again whenever a file changes.")
@format_option(*FORMATS)
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
        for line in checked_lines(checked):
            output.data(output.problem(line))
        return
    from reconciler.report.formats import PROBLEM_FORMATS

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
