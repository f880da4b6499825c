"""`reconciler sync`."""

from __future__ import annotations

from typing import Any

import click

from reconciler import answers, wiring
from reconciler.answers import from_json
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.people import who
from reconciler.errors import ReconcilerError
from reconciler.report.commits import short_sha
from reconciler.report.problems import parse_problem, plural, problem_line
from reconciler.report.sync import sync_lines


@click.command(short_help="one reconcile")
@click.option("--approve", metavar="SHA", help="Let this commit through although a guard or policy refuses it.")
@click.option("--force", is_flag=True, help="Reconcile this once although it is suspended.")
@format_option("text", "json")
@global_options
@click.pass_obj
def sync(given: Globals, approve: str | None, force: bool, form: str) -> int:
    """Bring the live rows to the branch's head, and record every commit.

    An invalid head changes no row: the last valid commit stays live. Nor does one that a guard or policy refuses, until
    it is changed or approved: for this one commit, and on record.
    """
    with output.progress("commits") as progress:
        found = wiring.application(given.settings(), progress).sync(who(), approve=approve, force=force)
    if form == "json":
        output.json_data(found)
    else:
        for line in sync_lines(from_json(found, answers.Sync)):
            output.data(output.change(line))
    return _tell(given, found)


def _tell(given: Globals, found: dict[str, Any]) -> Exit:
    """What did not go through, on stderr, and the exit code for it."""
    if found["head"] is None:
        given.say("the branch has no commits yet: nothing to do")
    told = [parse_problem(from_json(one, answers.Problem)) for one in found["problems"]]
    for problem in told:
        tell = output.note if problem.is_error else given.say
        tell(output.problem(problem_line(problem)))
    refused = [problem for problem in told if problem.is_error]
    if refused and found["head"]:
        count = plural(len(refused), "error")
        output.note(f"refused: {short_sha(found['head'])} has {count}; no row was changed by it")
    error = found["history"] and found["history"]["error"]
    if error:
        output.failure(ReconcilerError(error["message"], hint=error["hint"]))
        output.note("the rows are live all the same; the next sync records what is missing")
        return Exit.FAILED
    return Exit.PROBLEMS if refused else Exit.OK
