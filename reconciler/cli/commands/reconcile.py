"""What changes the live rows: `sync`, `suspend`, `resume`, `drift`, `verify`."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING

import click

from reconciler.cli import output, results
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.errors import ReconcilerError
from reconciler.report.commits import short_sha
from reconciler.report.problems import kept_errors, parse_problem, problem_line
from reconciler.report.status import suspension_line
from reconciler.report.sync import drift_lines, drift_summary, sync_lines
from reconciler.report.verification import verification_lines
from reconciler.service.host import HostControl
from reconciler.service.rows import Rows

if TYPE_CHECKING:
    from reconciler.report.sync import Sync


def user_name() -> str:
    """The name of whoever runs this; a container may have none for them."""
    try:
        return getuser()
    except (OSError, KeyError, ImportError):
        return "somebody without a name"


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
    with output.progress("commits") as progress:
        asked = given.settings().asked_branch
        found = given.host(progress).ask(
            HostControl.sync, user_name(), approve, force=force, rejudge=rejudge, branch=asked
        )
    if form == "json":
        results.answer(found)
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


@click.command(short_help="stop reconciling")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown in status and kept on record.")
@click.option("--until", metavar="WHEN", help="A span (30m, 2h, 1d) or a time with its zone (default: until resumed).")
@format_option("text", "json")
@global_options
@click.pass_obj
def suspend(given: Globals, reason: str, until: str | None, form: str) -> None:
    """Keep the live rows as they are, whatever is committed, until somebody resumes or the time is over."""
    suspension = given.host().ask(HostControl.suspend, user_name(), reason, until)
    if form == "json":
        results.answer(suspension)
    else:
        output.data(f"suspended {suspension_line(suspension, output.read_moments(form, utc=given.utc))}")


@click.command(short_help="reconcile again")
@format_option("text", "json")
@global_options
@click.pass_obj
def resume(given: Globals, form: str) -> None:
    """End a suspension. Commits made meanwhile go live with the next sync; a running daemon applies them at once."""
    found = given.host().ask(HostControl.resume, user_name())
    if form == "json":
        results.answer(found)
    elif found.ended is None:
        output.data("nothing was suspended")
    else:
        told = suspension_line(found.ended, output.read_moments(form, utc=given.utc))
        output.data(f"resumed; it was suspended {told}")


@click.command(short_help="compare live rows with git")
@click.option("--heal", is_flag=True, help="Make the live rows what git says, and record it.")
@format_option("text", "json")
@global_options
@click.pass_obj
def drift(given: Globals, heal: bool, form: str) -> int:
    """Show where something else changed the live rows, so that they are not what the applied commit says."""
    host = given.host()
    with output.progress("comparing rows"):
        found = host.ask(HostControl.heal, user_name()) if heal else host.ask(Rows.drift)
    if form == "json":
        results.answer(found)
    else:
        for text in drift_lines(found):
            output.text_line(text, output.change)
        output.data(drift_summary(found, " put right" if heal else ""))
    return Exit.DIFFERENT if found.drift and not heal else Exit.OK


@click.command(short_help="compare both databases with git")
@format_option("text", "json")
@global_options
@click.pass_obj
def verify(given: Globals, form: str) -> int:
    """Compare every recorded commit and every live row with git, from the first commit on. Nothing is written."""
    with output.progress("commits") as progress:
        found = given.host(progress).ask(HostControl.verify, user_name())
    if form == "json":
        results.answer(found)
    else:
        for text in verification_lines(found):
            output.data(text)
    return Exit.PROBLEMS if found.differences else Exit.OK
