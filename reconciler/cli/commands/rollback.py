"""Back to an earlier applied commit: `rollback`."""

from __future__ import annotations

import click

from reconciler.cli import output, results
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.user import user_name
from reconciler.errors import UsageError
from reconciler.report.commits import short_sha
from reconciler.report.rollback import went_back_lines
from reconciler.service.control import HostControl


@click.command(short_help="go back to an earlier applied commit")
@click.option("--to", metavar="REV", help="A commit that was live here (default: the one applied before this one).")
@click.option("--end", is_flag=True, help="End the rollback: the head goes live again, judged like any commit.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown in status and kept on record.")
@format_option("text", "json")
@global_options
@click.pass_obj
def rollback(given: Globals, to: str | None, end: bool, reason: str, form: str) -> None:
    """Take this host back to an earlier applied commit, also while git is away, and skip the commit that is live.

    A newer commit goes live by itself once it holds none of the skipped values: a fix or a revert. Any other waits,
    and `status` names the fields. Guards and policies judge a rollback like any step.
    """
    if end:
        if to is not None:
            raise UsageError("--to is where to go back to, and --end ends that", hint="give one of them")
        _end(given, reason, form)
        return
    with output.progress("commits") as progress:
        found = given.host(progress).ask(HostControl.roll_back, user_name(), reason, to)
    if form == "json":
        results.answer(found)
        return
    for text in went_back_lines(found):
        output.data(output.change(text))
    for warning in found.warnings or ():
        output.note(f"warning: {warning}")
    given.say("newer commits wait while they hold a skipped value: `reconciler status` names them")


def _end(given: Globals, reason: str, form: str) -> None:
    found = given.host().ask(HostControl.end_rollback, user_name(), reason)
    if form == "json":
        results.answer(found)
    elif found.ended is None:
        output.data("this host is not rolled back")
    else:
        ended = found.ended
        output.data(f"ended: {short_sha(ended.skipped)} is no longer skipped")
        given.say("the head goes live with the next sync; a running daemon applies it at once")
