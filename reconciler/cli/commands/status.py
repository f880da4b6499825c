"""How this host stands (`status`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from reconciler import answers
from reconciler.cli import output
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.errors import UsageError
from reconciler.report.problems import parse_problem, problem_line
from reconciler.report.status import status_lines
from reconciler.service.host import Host

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 12
"""Cells of the labels of a status."""
STATE_IN: Mapping[str, Literal["label", "text"]] = {
    "sync": "text",
    "health": "text",
    "refused": "label",
    "suspended": "label",
    "halted": "label",
    "trouble": "label",
}
"""Where its lines tell a state."""
PATIENCE = "5m"


@click.command(short_help="what is live")
@click.option(
    "--wait",
    "patience",
    metavar="[TIME]",
    is_flag=False,
    flag_value=PATIENCE,
    help=f"Wait until the head is live and healthy, or refused; at most this long: 30s, 5m, 2h (default: {PATIENCE}).",
)
@click.option("--commit", metavar="SHA", help="With --wait: until this commit is live or refused.")
@format_option("text", "json")
@global_options
@click.pass_obj
def status(given: Globals, patience: str | None, commit: str | None, form: str) -> int:
    """Show what is live, whether it is what git says, which commit was refused and why, and how the daemon is.

    With --wait, the exit code is 0 when it is live, 1 when it was refused, 3 when the time is over.
    """
    if patience is None:
        if commit is not None:
            raise UsageError("--commit says what to wait for", hint="add --wait, or see `reconciler log`")
        _show_status(given, given.host().ask(Host.status), form)
        return Exit.OK
    from reconciler.cli.waiting import await_commit, check_commit, given_up, parse_patience

    found, settled = await_commit(given, parse_patience(patience), check_commit(commit) if commit else None)
    _show_status(given, found, form)
    if settled is None:
        output.failure(given_up(found, patience, commit))
        return Exit.FAILED
    return Exit.OK if settled else Exit.PROBLEMS


def _show_status(given: Globals, found: answers.Status, form: str) -> None:
    if form == "json":
        output.json_data(answers.to_json(found))
        return
    for label, text in status_lines(found, output.read_moments(form, utc=given.utc)):
        output.labelled(label, text, WIDTH, state_in=STATE_IN.get(label, ""))
    for problem in found.refused.problems if found.refused else ():
        output.data("  " + output.problem(problem_line(parse_problem(problem))))
