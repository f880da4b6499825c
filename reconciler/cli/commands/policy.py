"""`reconciler policy`: the rules of the working tree, and their tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.report.authoring import (
    POLICY_HEADERS,
    build_policies,
    build_policy_tests,
    policy_cells,
    policy_test_lines,
    policy_test_summary,
)
from reconciler.report.problems import problem_line

if TYPE_CHECKING:
    from reconciler.model.problem import Problem


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
    found = wiring.policies(settings.repository, settings.path)
    for problem in found.problems:
        output.note(output.problem(problem_line(problem)))
    if form == "json":
        output.json_data(build_policies(found))
    else:
        output.table(POLICY_HEADERS, policy_cells(found))
    return _code(found.problems)


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
    settings = given.settings()
    tested = wiring.test_policies(settings.repository, settings.path, names)
    if not tested.policies:
        given.say("warning: nothing was tested: there is no policy in policies/")
    if form == "json":
        output.json_data(build_policy_tests(tested))
    else:
        for line in policy_test_lines(tested):
            output.data(output.problem(line))
        output.data(policy_test_summary(tested))
    return Exit.OK if tested.ok else Exit.PROBLEMS


def _code(found: tuple[Problem, ...]) -> int:
    return Exit.PROBLEMS if any(problem.is_error for problem in found) else Exit.OK
