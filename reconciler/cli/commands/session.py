"""`reconciler session`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.errors import UsageError
from reconciler.report.escape import escape_line
from reconciler.report.problems import plural, problem_line

if TYPE_CHECKING:
    from reconciler.model.live import Session
    from reconciler.model.problem import Problem

T = TypeVar("T")
PAGE = 100


class Refused(Exception):
    """A request that was refused, and why."""

    def __init__(self, found: tuple[Problem, ...]) -> None:
        super().__init__()
        self.found = found


class Sessions(click.Group):
    """A group whose commands tell problems and give the exit code for them."""

    def invoke(self, ctx: click.Context) -> object:
        """Carry a command out."""
        try:
            return super().invoke(ctx)
        except Refused as refused:
            for problem in refused.found:
                output.note(output.problem(problem_line(problem)))
            return Exit.PROBLEMS


@click.group(cls=Sessions, short_help="who is signed in")
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
    settings = given.settings()
    with wiring.session_desk(settings) as desk:
        asked = wiring.new_session(wiring.owner_id(settings, owner), address, device, session_id)
        _show(_accepted(desk.create(asked)), form)


@session.command(short_help="look at one")
@click.argument("session_id")
@format_option("text", "json")
@global_options
@click.pass_obj
def get(given: Globals, session_id: str, form: str) -> None:
    """Show a session; looking does not keep it alive."""
    with wiring.session_desk(given.settings()) as desk:
        _show(_there(_accepted(desk.get(session_id)), session_id), form)


@session.command(short_help="use one")
@click.argument("session_id")
@format_option("text", "json")
@global_options
@click.pass_obj
def touch(given: Globals, session_id: str, form: str) -> int:
    """Note that a session is used. One that is EXPIRED stays so: exit code 1."""
    with wiring.session_desk(given.settings()) as desk:
        found = _there(_accepted(desk.touch(session_id)), session_id)
    _show(found, form)
    return Exit.OK if found.is_active else Exit.PROBLEMS


@session.command("list", short_help="those of an owner")
@click.argument("owner")
@click.option("-n", "--limit", default=PAGE, show_default=True, metavar="NUMBER", type=int, help="How many at most.")
@click.option("--after", metavar="PLACE", help="Go on where an earlier page ended.")
@format_option("text", "json")
@global_options
@click.pass_obj
def list_(given: Globals, owner: str, limit: int, after: str | None, form: str) -> None:
    """List the sessions of OWNER, a name in git or an id, the one used last first."""
    settings = given.settings()
    with wiring.session_desk(settings) as desk:
        page = _accepted(desk.page(wiring.owner_id(settings, owner), limit, after))
    records = [wiring.session_record(one) for one in page.sessions]
    if form == "json":
        output.json_data({"sessions": records, "after": None if page.after is None else str(page.after)})
        return
    columns = list(records[0]) if records else []
    output.table(columns, [[escape_line(record[column]) for column in columns] for record in records])
    if page.after is not None:
        given.say(f"there are more: --after {page.after}")


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
    settings = given.settings()
    with wiring.session_desk(settings) as desk:
        if session_id is not None:
            _show(_there(_accepted(desk.expire(session_id)), session_id), form)
            return
        ended = _accepted(desk.expire_all(wiring.owner_id(settings, owner or "")))
    if form == "json":
        output.json_data({"ended": ended})
    else:
        output.data(f"{plural(ended, 'session')} ended")


def _accepted(answer: T | tuple[Problem, ...]) -> T:
    if isinstance(answer, tuple):
        raise Refused(answer)
    return answer


def _there(found: Session | None, session_id: str) -> Session:
    if found is None:
        raise UsageError(f"there is no session {session_id}", hint="it may be gone: 7 days after it was last active")
    return found


def _show(found: Session, form: str) -> None:
    record = wiring.session_record(found)
    if form == "json":
        output.json_data(record)
        return
    for column, value in record.items():
        output.data(f"{column:<20}{escape_line(value)}")
