"""Reconciling once (`sync`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import answers
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.cli.user import user_name
from reconciler.errors import ReconcilerError
from reconciler.report.commits import short_sha
from reconciler.report.problems import kept_errors, parse_problem, problem_line
from reconciler.report.sync import sync_lines
from reconciler.service.control import HostControl

if TYPE_CHECKING:
    from reconciler.report.sync import Sync


@click.command(short_help="reconcile once")
@click.option("--approve", metavar="SHA", help="Apply this commit although a guard or policy refuses it.")
@click.option("--force", is_flag=True, help="Reconcile this once although reconciling is suspended.")
@click.option("--rejudge", is_flag=True, help="Judge all commits again, such as after raising a limit.")
@format_option("text", "json")
@global_options
@click.pass_obj
def sync(given: Globals, approve: str | None, force: bool, rejudge: bool, form: str) -> int:
    """Bring the live rows to the branch's head, and record every commit.

    An invalid head changes no row: the last valid commit stays live. Nor does one that a guard or policy refuses, until
    it is changed or approved: for this one commit, and on record.
    """
    with output.progress("reading") as progress:
        asked = given.settings().asked_branch
        found = given.host(progress).ask(
            HostControl.sync, user_name(), approve, force=force, rejudge=rejudge, branch=asked
        )
    if form == "json":
        output.json_data(answers.to_json(found))
    else:
        for text in sync_lines(found):
            output.data(output.change(text))
    return _report_sync(given, found)


def _report_sync(given: Globals, found: Sync) -> Exit:
    """Report on stderr what did not go live, and give the exit code for it."""
    if found.head is None:
        given.say("the branch has no commits yet: nothing to do")
    for warning in found.warnings or ():
        output.note(f"warning: {warning.reason}: {warning.message}")
        output.hint(warning.hint)
    problems = [parse_problem(problem) for problem in found.problems]
    for problem in problems:
        report = output.note if problem.is_error else given.say
        report(output.problem(problem_line(problem)))
    errors = [problem for problem in problems if problem.is_error]
    if errors and found.head:
        output.note(f"refused: {short_sha(found.head)} has {kept_errors(problems)}; no row was changed by it")
    error = found.history.error if found.history else None
    if error:
        output.failure(ReconcilerError(error.message, hint=error.hint))
        output.note("the rows are live all the same; the next sync records what is missing")
        return Exit.FAILED
    return Exit.PROBLEMS if errors else Exit.OK
