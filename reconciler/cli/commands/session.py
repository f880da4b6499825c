"""`reconciler session`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import output, results
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.errors import UsageError
from reconciler.report import problems
from reconciler.report.escape import escape_line
from reconciler.report.sessions import session_table
from reconciler.service.sessions import PAGE, SessionEnded, SessionRejected
from reconciler.wiring.sessions import open_sessions

if TYPE_CHECKING:
    from reconciler import answers


class SessionGroup(click.Group):
    """A group whose commands report problems and give the exit code for them."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except SessionRejected as rejected:
            for problem in rejected.problems:
                output.note(output.problem(problems.problem_line(problem)))
            return Exit.PROBLEMS


@click.group(cls=SessionGroup, short_help="who is signed in")
@global_options
def session() -> None:
    """Begin, look at, use and end sessions. They live in Redis, for 7 days after they were last active."""


@session.command(short_help="begin one")
@click.argument("owner")
@click.option("--ip", "address", required=True, metavar="ADDRESS", help="Where it comes from: IPv4 or IPv6.")
@click.option("--device", required=True, metavar="TEXT", help="What tells the device from others; only a hash is kept.")
@click.option("--id", "session_id", metavar="UUID", help="The session's id (default: a new one).")
@format_option("text", "json")
@global_options
@click.pass_obj
def create(given: Globals, owner: str, address: str, device: str, session_id: str | None, form: str) -> None:
    """Begin a session of OWNER: a name in git, or an id."""
    sessions = open_sessions(given.settings())
    _show(sessions.create(sessions.record(owner, address, device, session_id)), form)


@session.command(short_help="look at one")
@click.argument("session_id")
@format_option("text", "json")
@global_options
@click.pass_obj
def get(given: Globals, session_id: str, form: str) -> None:
    """Show a session; looking does not keep it alive."""
    _show(open_sessions(given.settings()).get(session_id), form)


@session.command(short_help="use one")
@click.argument("session_id")
@format_option("text", "json")
@global_options
@click.pass_obj
def touch(given: Globals, session_id: str, form: str) -> int:
    """Note that a session is used. One that is EXPIRED stays so: exit code 1."""
    try:
        _show(open_sessions(given.settings()).touch(session_id), form)
    except SessionEnded as ended:
        _show(ended.session, form)
        return Exit.PROBLEMS
    return Exit.OK


@session.command("list", short_help="those of an owner")
@click.argument("owner")
@click.option("-n", "--limit", default=PAGE, show_default=True, metavar="NUMBER", type=int, help="How many at most.")
@click.option("--after", metavar="PLACE", help="Go on where an earlier page ended.")
@format_option("text", "wide", "json")
@global_options
@click.pass_obj
def list_(given: Globals, owner: str, limit: int, after: str | None, form: str) -> None:
    """List the sessions of OWNER, a name in git or an id, the one used last first."""
    page = open_sessions(given.settings()).page(owner, limit, after)
    if form == "json":
        output.json_data({"sessions": list(page.sessions), "after": page.next})
        return
    results.table(given, session_table(page.sessions, output.read_moments(form, utc=given.utc)), form)
    if page.next is not None:
        given.say(f"there are more: --after {page.next}")


@session.command(short_help="end one, or all of an owner")
@click.argument("session_id", required=False)
@click.option("--all", "owner", metavar="OWNER", help="End all sessions of OWNER: a name in git, or an id.")
@format_option("text", "json")
@global_options
@click.pass_obj
def expire(given: Globals, session_id: str | None, owner: str | None, form: str) -> None:
    """End a session, or with --all every session of an owner. The records stay for 7 days."""
    if (session_id is None) == (owner is None):
        raise UsageError("say which session to end, or whose with --all")
    sessions = open_sessions(given.settings())
    if session_id is not None:
        _show(sessions.expire(session_id), form)
        return
    ended = sessions.expire_all(owner or "").ended
    if form == "json":
        output.json_data({"ended": ended})
    else:
        output.data(f"{problems.plural(ended, 'session')} ended")


def _show(record: answers.Session, form: str) -> None:
    if form == "json":
        output.json_data(record)
        return
    for column, value in record.items():
        output.data(f"{column:<20}{escape_line(value)}")
