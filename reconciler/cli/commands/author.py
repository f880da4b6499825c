"""What authors of configuration use: the canonical layout of files (`fmt`), and tests of policies (`policy`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from reconciler.cli import output, results
from reconciler.cli.options import format_option, global_options, paths_argument
from reconciler.cli.output import Exit
from reconciler.cli.problems import note_problems, problems_code
from reconciler.report.authoring import (
    build_policies,
    build_policy_tests,
    format_diff,
    format_summary,
    policy_table,
    policy_test_lines,
    policy_test_summary,
)
from reconciler.service import authoring
from reconciler.service.paths import start_folder
from reconciler.wiring.checkout import open_checkout, write_formatted
from reconciler.wiring.trusting import is_brought

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.options import Globals
    from reconciler.service.authoring import FormattedTree


@click.command(short_help="canonical layout")
@paths_argument
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 when a file would change.")
@click.option("--diff", is_flag=True, help="The same, and show what would change.")
@global_options
@click.pass_obj
def fmt(given: Globals, paths: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Rewrite YAML files in the canonical layout: keys in order, two spaces for each level, comments kept.

    No value changes. Prints the path of each file that it changed. With PATHs, only these files and folders.
    """
    settings = given.settings_to_judge(partial(is_brought, paths=paths))
    checkout = open_checkout(start_folder(paths, settings.repository), settings.path, named=paths)
    with output.progress("files") as progress:
        tree = authoring.format_paths(checkout, paths, progress)
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
@format_option("text", "wide", "json")
@global_options
@click.pass_obj
def list_policies(given: Globals, form: str) -> int:
    """List the policies: name, title and how many tests each has."""
    settings = given.settings_to_judge(is_brought)
    found = authoring.find_policies(open_checkout(settings.repository, settings.path))
    note_problems(found.problems)
    if form == "json":
        output.json_data(build_policies(found))
    else:
        results.table(given, policy_table(found), form)
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
    from reconciler.wiring.policies import policy_engine

    settings = given.settings_to_judge(is_brought)
    with output.progress("policies") as progress, policy_engine() as engine:
        tested = authoring.run_policy_tests(open_checkout(settings.repository, settings.path), engine, names, progress)
    if not tested.policies:
        given.say("warning: nothing was tested: there is no policy in policies/")
    if form == "json":
        output.json_data(build_policy_tests(tested))
    else:
        for text in policy_test_lines(tested):
            output.data(output.problem(text))
        output.data(policy_test_summary(tested))
    return Exit.OK if tested.ok else Exit.PROBLEMS
