"""Risk down at once, whatever else is down: `halt`, `release`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli import completion, output, results
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.cli.user import user_name
from reconciler.errors import UsageError
from reconciler.report.halts import MEANING, drilled_lines, failed_lines, halted_lines, released_lines, standing_lines
from reconciler.service.control import HostControl
from reconciler.service.halts import HaltChoice, HaltList
from reconciler.wiring.atonce import ask_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from reconciler.answers import Answer

    Command = Callable[..., object]

T = TypeVar("T")


def choice_options(command: Command) -> Command:
    """Add what says which resources."""
    add = (
        click.argument("kind", required=False, shell_complete=completion.kinds),
        click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=completion.names),
        click.option("-l", "--label", metavar="SELECTOR", help="Those with labels, now and later: key=value, !key, …"),
        click.option("--all", "everything", is_flag=True, help="Whatever there is of KIND, or of all, now and later."),
    )
    for one in reversed(add):
        command = one(command)
    return command


@click.command(short_help="switch off at once")
@choice_options
@click.option("--reason", metavar="TEXT", help="Why; shown in status and kept on record.")
@click.option("--drill", is_flag=True, help="Prove on a copy that halting works; no live row is touched.")
@format_option("text", "json")
@global_options
@click.pass_obj
def halt(given: Globals, /, form: str, drill: bool, reason: str | None, **choice: Any) -> int:
    """Switch resources off at once, whatever git says: NAMEs of a KIND, those with labels, or all.

    Halted means: opens nothing new; it closes nothing. It works while git, the network, the history, Redis and the
    daemon are down, and holds until `reconciler release`. Without arguments: what is halted now.
    """
    if drill:
        return _drill(given, form, any(choice.values()))
    if not any(choice.values()):
        if reason is not None:
            raise UsageError("nothing says what to halt", hint="KIND NAME…, -l LABEL or --all")
        found = ask_at_once(given.settings(), given.warn, HaltList.all)
        _show(form, found, lambda: standing_lines(found, output.read_moments(form, utc=given.utc)))
        return Exit.OK
    done = _ask(given, HostControl.halt, user_name(), reason or "", _chosen(choice))
    _show(form, done, lambda: halted_lines(done, output.read_moments(form, utc=given.utc)))
    if done.not_haltable:
        given.say(f"not haltable, as their schemas name no field that a halt sets: {', '.join(done.not_haltable)}")
    _tell(done.notes)
    return _tell_failed(done.failed)


def _drill(given: Globals, form: str, named: bool) -> Exit:
    if named:
        raise UsageError("a drill halts a copy of everything: nothing is to be named")
    drilled = given.host().ask(HostControl.drill, user_name())
    _show(form, drilled, lambda: drilled_lines(drilled))
    return Exit.PROBLEMS if drilled.error else Exit.OK


@click.command(short_help="end a halt")
@choice_options
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept on record.")
@format_option("text", "json")
@global_options
@click.pass_obj
def release(given: Globals, /, form: str, reason: str, **choice: Any) -> int:
    """End a halt: the rows are what git says again. `release --all` ends all halts there are.

    It is named as it was halted; of halted NAMEs some may be released. What another halt covers stays halted.
    """
    done = _ask(given, HostControl.release, user_name(), reason, _chosen(choice))
    _show(form, done, lambda: released_lines(done, output.read_moments(form, utc=given.utc)))
    _tell(done.notes)
    return _tell_failed(done.failed)


def _tell_failed(failed: Mapping[str, str]) -> Exit:
    """Name the kinds that do not obey."""
    for line in failed_lines(failed):
        output.note(line)
    return Exit.PROBLEMS if failed else Exit.OK


def _ask(given: Globals, call: Callable[..., Future[T]], *args: object) -> T:
    return ask_at_once(given.settings(), given.warn, call, *args)


def _chosen(typed: Mapping[str, Any]) -> HaltChoice:
    """What was typed."""
    return HaltChoice(typed["kind"] or "", typed["names"], typed["label"] or "", typed["everything"])


def _show(form: str, answer: Answer, lines: Callable[[], Iterable[str]]) -> None:
    if form == "json":
        results.answer(answer)
        return
    for line in lines():
        output.data(line)


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        output.note(f"note: {note}")


assert MEANING in " ".join((halt.help or "").split())
