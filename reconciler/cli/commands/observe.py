"""Looking at the daemon: its log (`logs`), and its dashboard (`open`)."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from reconciler.adapters.log import LOG_FILE, LOG_FOLDER
from reconciler.adapters.logreading import LogFiles
from reconciler.cli import completion, output
from reconciler.cli.options import Choice, Globals, format_option, global_options
from reconciler.errors import NeedsHuman, UsageError
from reconciler.model.log import Level
from reconciler.report.logs import LogLine, parse_log_fields, parse_log_line, trace_lines
from reconciler.report.problems import plural
from reconciler.service.history import History
from reconciler.service.kinds import Kinds
from reconciler.service.rows import Rows
from reconciler.times import parse_time
from reconciler.wiring.host import find_state_folder
from reconciler.wiring.running import find_running

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.service.remote import DaemonClient

DEFAULT_LINES, MAX_LINES = 100, 100_000
PAUSE = 0.25
"""Seconds between two looks at a log that is followed."""
STYLES: dict[Level, dict[str, object]] = {
    Level.DEBUG: {"dim": True},
    Level.INFO: {"fg": "green"},
    Level.WARN: {"fg": "yellow"},
    Level.ERROR: {"fg": "red", "bold": True},
}
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""What says, where neither Windows nor macOS runs, that a browser can be shown."""


@click.command(short_help="what the daemon did")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until ^C.")
@click.option(
    "-n",
    "--lines",
    "count",
    metavar="NUMBER",
    type=click.IntRange(0, MAX_LINES),
    default=DEFAULT_LINES,
    show_default=True,
    help="How many of the last lines.",
)
@click.option("--level", type=Choice(list(Level), case_sensitive=False), help="Only lines at least that serious.")
@click.option("--since", metavar="TIME", help="Only lines of this time or later.")
@format_option("text", "json")
@global_options
@click.pass_obj
def logs(given: Globals, follow: bool, count: int, level: str | None, since: str | None, form: str) -> None:
    """Show what the daemon did: its log, which is in the state folder, through all files that are kept.

    The daemon need not run. With --verbose, errors are shown with their traces.
    """
    files = LogFiles(find_state_folder(given.settings()) / LOG_FOLDER / LOG_FILE)
    if not files.exist() and not follow:
        raise NeedsHuman("there is no log here: no daemon has run on this host", hint="`reconciler run` starts one")
    least, begin = Level(level) if level else None, parse_time(since) if since else None

    def is_wanted(line: bytes) -> bool:
        return (least is None and begin is None) or parse_log_line(line).is_wanted(least, begin)

    show = _show_json if form == "json" else _show_text
    show(given, files.last_lines(count, is_wanted))
    while follow:
        show(given, filter(is_wanted, files.new_lines()))
        time.sleep(PAUSE)


def _show_text(given: Globals, lines: Iterable[bytes]) -> None:
    for line in map(parse_log_line, lines):
        output.data(_styled(line))
        if given.verbosity > 0:
            for text in trace_lines(line):
                output.data(text)


def _styled(line: LogLine) -> str:
    if line.level is None:
        return f"{line.time} {line.rest}".strip()
    return f"{line.time} {click.style(f'{line.level:<5}', **STYLES[line.level])} {line.rest}"  # type: ignore[arg-type]


def _show_json(given: Globals, lines: Iterable[bytes]) -> None:
    """Print lines as they are. One that is no JSON would end the program that reads them."""
    broken = 0
    for line in lines:
        if parse_log_fields(line) is None:
            broken += 1
        else:
            output.raw(line.decode("utf-8", "replace"))
    if broken:
        given.say(
            f"warning: {plural(broken, 'line')} of the log that {'is' if broken == 1 else 'are'} no JSON left out"
        )


@click.command(short_help="the dashboard in the browser")
@click.argument("what", nargs=-1, metavar="[KIND [NAME]|COMMIT]", shell_complete=completion.pages)
@click.option("--print", "only_print", is_flag=True, help="Print the address, and open nothing.")
@global_options
@click.pass_obj
def open_(given: Globals, what: tuple[str, ...], only_print: bool) -> None:
    """Open the daemon's dashboard in the browser, or its page of a KIND, a resource or a COMMIT; print the address.

    Without a display only the address is printed. There is never a token in it.
    """
    settings = given.settings()
    daemon = find_running(settings)
    if daemon is None:
        raise NeedsHuman("no daemon runs on this host, so there is no dashboard", hint="`reconciler run` starts it")
    address = f"http://{daemon.address}{_page(daemon, what)}"
    output.data(address)
    if not settings.local_reads:
        given.say("the browser asks for a login: any user, and as the password a token (see `reconciler token --help`)")
    if only_print:
        return
    if not can_show(sys.platform, os.environ):
        given.say("there is no display here: open the address in a browser on this machine, or through an ssh tunnel")
    elif not webbrowser.open(address):
        given.say("no browser could be started: open the address yourself")


def _page(daemon: DaemonClient, what: tuple[str, ...]) -> str:
    """The path of the page of what is named; it is there."""
    match what:
        case ():
            return "/"
        case (kind, name):
            found = daemon.ask(Rows.row, kind, name)
            return _path("resources", found.kind.lower(), found.rows[0].name)
        case (word,):
            try:
                daemon.ask(Kinds.schema, word)
            except UsageError as no_kind:
                return _path("versions", _commit(daemon, word, no_kind))
            return _path("resources", word.lower())
    raise UsageError("that is more than one page", hint="name a kind, a kind and a name, or a commit")


def _commit(daemon: DaemonClient, word: str, no_kind: UsageError) -> str:
    """The commit that a word stands for. Where it is no kind either, but may be meant as one, that is the error."""
    try:
        return daemon.ask(History.version, word).version.commit
    except UsageError:
        if "did you mean" in no_kind.hint:
            raise no_kind from None
        raise


def _path(*parts: str) -> str:
    """An address of the dashboard; what ends in `.json` there is for programs."""
    return "/" + "/".join(quote(part, safe="").replace(".json", "%2Ejson") for part in parts)


def can_show(platform: str, environ: Mapping[str, str]) -> bool:
    """Whether a browser can be shown: over ssh and in containers there is no display, and a browser for text would
    take the terminal.
    """
    return platform in {"win32", "darwin"} or any(environ.get(name) for name in DISPLAYS)
