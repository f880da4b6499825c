"""What checks a repository: files (`validate`, `fmt`), rules (`policy`) and commits (`plan`)."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.cli.problems import note_problems, problems_code
from reconciler.errors import ReconcilerError, UsageError
from reconciler.report.authoring import (
    POLICY_HEADERS,
    build_policies,
    build_policy_tests,
    format_diff,
    format_summary,
    policy_cells,
    policy_test_lines,
    policy_test_summary,
)
from reconciler.report.escape import escape_line
from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from reconciler.report.plans import LineStyle, checked_lines, plan_lines
from reconciler.service.workingtree import start_folder
from reconciler.wiring.checkout import open_checkout, open_watcher, write_formatted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult
    from reconciler.reconcile.format import FormattedTree
    from reconciler.service.workingtree import Checkout

TEXT = "text"
STYLES = {LineStyle.CHANGE: output.change, LineStyle.PROBLEM: output.problem}
MAX_NAMED = 3
"""Files that are named when they change together."""
PATHS = click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(path_type=Path))


@click.command(short_help="check files")
@PATHS
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
    settings = given.settings()
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
    checked = checkout.check_paths(paths)
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


@click.command(short_help="canonical layout")
@PATHS
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 when a file would change.")
@click.option("--diff", is_flag=True, help="The same, and show what would change.")
@global_options
@click.pass_obj
def fmt(given: Globals, paths: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Rewrite YAML files in the canonical layout: keys in order, two spaces for each level, comments kept.

    No value changes. Prints the path of each file that it changed. With PATHs, only these files and folders.
    """
    settings = given.settings()
    checkout = open_checkout(start_folder(paths, settings.repository), settings.path, named=paths)
    tree = checkout.format_paths(paths)
    writes = not (check or diff)
    for file in tree.differing:
        if writes:
            write_formatted(checkout.root, file.path, file.after)
        for text in format_diff(file) if diff else (file.path,):
            output.data(output.change(text) if diff else text)
    note_problems(tree.problems)
    words = ("reformatted", "left unchanged") if writes else ("would be reformatted", "already formatted")
    given.say(format_summary(tree.files, *words) or "warning: there is no *.yaml or *.yml file to format")
    return _format_code(tree, writes=writes)


def _format_code(tree: FormattedTree, *, writes: bool) -> Exit:
    for bug in tree.bugs:
        output.failure(bug)
    if tree.bugs:
        return Exit.FAILED
    if tree.problems:
        return Exit.PROBLEMS
    return Exit.DIFFERENT if tree.differing and not writes else Exit.OK


@click.group(short_help="the rules in policies/, and their tests", no_args_is_help=False)
@global_options
def policy() -> None:
    """The rules of this repository: policies/NAME.sql, tested by policies/tests/NAME/."""


@policy.command("list", short_help="all policies")
@format_option("text", "json")
@global_options
@click.pass_obj
def list_policies(given: Globals, form: str) -> int:
    """List the policies: name, title and how many tests each has."""
    settings = given.settings()
    found = open_checkout(settings.repository, settings.path).policies()
    note_problems(found.problems)
    if form == "json":
        output.json_data(build_policies(found))
    else:
        output.table(POLICY_HEADERS, policy_cells(found))
    return problems_code(found.problems)


@policy.command(short_help="run policies against their tests")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@format_option("text", "json")
@global_options
@click.pass_obj
def test(given: Globals, names: tuple[str, ...], form: str) -> int:
    """Run policies, or those with some NAMEs, against their tests.

    In policies/tests/NAME/pass…/ a policy must find nothing, in fail…/ at least one violation. The files of such a
    folder are the desired state, those of its main/ folder what is live.
    """
    from reconciler.wiring.repository import policy_engine

    settings = given.settings()
    with policy_engine() as engine:
        tested = open_checkout(settings.repository, settings.path).test_policies(engine, names)
    if not tested.policies:
        given.say("warning: nothing was tested: there is no policy in policies/")
    if form == "json":
        output.json_data(build_policy_tests(tested))
    else:
        for text in policy_test_lines(tested):
            output.data(output.problem(text))
        output.data(policy_test_summary(tested))
    return Exit.OK if tested.ok else Exit.PROBLEMS


@click.command(short_help="what would change")
@click.option("--base", metavar="REV", help="Compare with this commit instead of the live rows; needs no store.")
@click.option("--head", metavar="REV", help="The commit to plan for (default: --branch, or what is checked out).")
@format_option(*PLAN_FORMATS)
@global_options
@click.pass_obj
def plan(given: Globals, base: str | None, head: str | None, form: str) -> int:
    """Show what a commit would change in the live rows, field by field, and which rules refuse it.

    With --base, compare two commits of git alone, without a store. Nothing is written.
    """
    found, kinds = _plan(given, base, head)
    if form == "text":
        for style, text in plan_lines(found, kinds):
            output.data(STYLES.get(style, str)(text))
    else:
        output.data(PLAN_FORMATS[form](found, kinds))
    if found.refused:
        return Exit.PROBLEMS
    return Exit.DIFFERENT if found.changes else Exit.OK


def _plan(given: Globals, base: str | None, head: str | None) -> tuple[Plan, Kinds]:
    if base:
        from reconciler.wiring.repository import plan_between

        return plan_between(given.settings(), base, head)
    from reconciler.wiring.local import plan_ahead

    with output.progress("commits") as progress:
        return plan_ahead(given.settings(), head, progress)
