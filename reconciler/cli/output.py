"""Printing: data on stdout, everything else on stderr; colour and progress on terminals only."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from enum import IntEnum
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from reconciler.cli.progress import DelayedBar
from reconciler.report.escape import EXACT, Moments
from reconciler.report.tables import Meaning, Nature, find_meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import TextIO

    from reconciler.cli.tables import Cell
    from reconciler.errors import ReconcilerError
    from reconciler.report.tables import TextTable


NO_COLOUR_LEVELS = ("0", "false")
"""Values of FORCE_COLOR that turn colour off, as in Node's programs."""
COLOURS = {"+": "green", "~": "yellow", "-": "red"}
MEANING_STYLES: dict[Meaning, dict[str, Any]] = {
    Meaning.GOOD: {"fg": "green"},
    Meaning.OFF: {"dim": True},
    Meaning.WAITING: {"fg": "cyan"},
    Meaning.WRONG: {"fg": "yellow"},
    Meaning.BAD: {"fg": "red"},
}
LINK = "\x1b]8;;{}\x1b\\{}\x1b]8;;\x1b\\"
"""A link to an address (OSC 8), and its text."""
LINKING_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "vscode", "ghostty", "mintty", "Hyper", "rio"})
LINKING_TERMS = frozenset({"xterm-kitty", "xterm-ghostty", "wezterm", "foot", "foot-extra", "alacritty", "contour"})
LINKING_VTE = 5000
"""From VTE 0.50 on, which GNOME Terminal and its like are made of."""
LINES_AT_ONCE = 1_000


class Exit(IntEnum):
    """Exit codes, as scripts and CI rely on them."""

    OK = 0
    PROBLEMS = 1
    DIFFERENT = 2
    FAILED = 3
    INTERRUPTED = 130


def has_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether what is printed to a stream is coloured: the only place that decides it, for click, rich and the log.

    The first of these that is set and not empty counts: NO_COLOR (no-color.org), FORCE_COLOR (force-color.org; 0 is
    off, and 1, 2 and 3 are one here, as only a terminal's own 16 colours are used), CLICOLOR_FORCE, CLICOLOR=0
    (bixense.com/clicolors) and TERM=dumb. Else a terminal has colour.
    """
    if environ.get("NO_COLOR"):
        return False
    if level := environ.get("FORCE_COLOR"):
        return level.lower() not in NO_COLOUR_LEVELS
    if environ.get("CLICOLOR_FORCE", "") not in {"", "0"}:
        return True
    return environ.get("CLICOLOR") != "0" and environ.get("TERM") != "dumb" and stream.isatty()


def data(text: str) -> None:
    """Print a result."""
    click.echo(text, color=has_colour(sys.stdout))


def raw(text: str) -> None:
    """Print a result for programs, as it is: in UTF-8, with line feeds, whatever the system's habits are."""
    bytes_out = getattr(sys.stdout, "buffer", None)  # what stands in for stdout may take text only
    if bytes_out is None:
        sys.stdout.write(f"{text}\n")
        return
    sys.stdout.flush()
    bytes_out.write(f"{text}\n".encode("utf-8", "replace"))
    bytes_out.flush()


def json_data(value: Any) -> None:
    """Print a result as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Print something that is not the result."""
    click.echo(text, err=True, color=has_colour(sys.stderr))


def failure(error: ReconcilerError) -> None:
    """Print what kept the command from its work, and what to do about it."""
    failures((error,))


def failures(errors: Sequence[ReconcilerError]) -> None:
    """Print all that kept the command from its work; what to do about several at once stands below the last of them."""
    for error, after in zip_longest(errors, errors[1:]):
        note(f"{click.style('error:', fg='red', bold=True)} {error}")
        if error.hint and (after is None or after.hint != error.hint):
            hint(error.hint)


def refusal(error: ReconcilerError) -> None:
    """Print what was not done, for whose reason, and what to do about it."""
    note(f"refused: {error}")
    if error.hint:
        hint(error.hint)


def hint(text: str) -> None:
    """Print what to do about it."""
    note(f"{click.style('hint:', fg='cyan')} {text}")


def problem(line: str) -> str:
    """A problem's line, its severity in colour."""
    return line.replace(": error [", f": {click.style('error', fg='red', bold=True)} [", 1).replace(
        ": warning [", f": {click.style('warning', fg='yellow', bold=True)} [", 1
    )


def change(line: str) -> str:
    """A line of a plan, its sign in colour."""
    return click.style(line, fg=COLOURS.get(line[:1]))


def table(found: TextTable, *, whole: bool = False, rows: Collection[int] | None = None) -> Sequence[str]:
    """Print a table: fitted to a terminal, elsewhere bare columns of which nothing is left out, broken or cut.

    With `rows` only these, by number, and no headers: as they are in the whole table. Returns the headers of the
    columns that the terminal has no room for; with `whole` there are none.
    """
    drawing = _load_drawing()
    coloured = has_colour(sys.stdout)
    style = partial(_style_cell, links=found.links if shows_links() else ()) if coloured else None
    if sys.stdout.isatty():
        drawn = drawing.draw_on_terminal(found, style, whole=whole, rows=rows)
        lines, left_out = drawn.lines, drawn.left_out
    else:
        lines, left_out = drawing.draw_plain(found, style, rows), []
    for block in _blocks(lines):
        click.echo(block, color=coloured)
    return list(left_out)


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    """So many lines at once: `click.echo` takes as long for one."""
    lines = iter(lines)
    while block := list(islice(lines, LINES_AT_ONCE)):
        yield "\n".join(block)


def _style_cell(cell: Cell, links: Sequence[str | None]) -> str:
    if cell.row is None:
        return click.style(cell.text, bold=True)
    if cell.is_first and cell.row < len(links) and (target := links[cell.row]):
        return LINK.format(target, cell.text)
    return state(cell.text) if cell.nature is Nature.STATE else cell.text


def state(text: str) -> str:
    """A state in the colour of what it means."""
    meaning = find_meaning(text)
    return click.style(text, **MEANING_STYLES[meaning]) if meaning else text


def shows_links() -> bool:
    """Whether links can be printed: to a terminal with colour that knows them."""
    return sys.stdout.isatty() and has_colour(sys.stdout) and has_links(os.environ)


def has_links(environ: Mapping[str, str]) -> bool:
    """Whether a terminal with colour is one of those known to show links (OSC 8). FORCE_HYPERLINK decides it, if set.

    Inside tmux and screen nobody knows what the terminal around them does.
    """
    if forced := environ.get("FORCE_HYPERLINK"):
        return forced != "0"
    if any(name in environ for name in ("TMUX", "STY", "CI")):
        return False
    named = environ.get("TERM_PROGRAM") in LINKING_PROGRAMS or environ.get("TERM") in LINKING_TERMS
    vte = environ.get("VTE_VERSION", "")
    return named or "WT_SESSION" in environ or (vte.isdecimal() and int(vte) >= LINKING_VTE)


def labelled(label: str, text: str, width: int, *, state_in: Literal["", "label", "text"] = "") -> None:
    """Print a text behind its label; on a terminal its further lines begin below the first, and no word is broken.

    A state, which is the text or the first word of the label, is in its colour.
    """
    style = state if state_in == "text" else str
    first, *_ = label.partition(" ")
    shown = f"{state(first)}{label[len(first) :]}" if state_in == "label" and first else label
    lines: list[str] = _load_drawing().wrap_behind(text, width) if sys.stdout.isatty() else [text]
    data(f"{shown}{' ' * max(1, width - len(label))}{style(lines[0])}")
    for line in lines[1:]:
        data(f"{' ' * width}{style(line)}")


def text_line(text: str, style: Callable[[str], str] = str) -> None:
    """Print a line; on a terminal it goes on below its own indentation, and no word is broken."""
    if not sys.stdout.isatty():
        data(style(text))
        return
    indent = len(text) - len(text.lstrip(" "))
    first, *others = _load_drawing().wrap_behind(text[indent:], indent + 2)
    data(style(" " * indent + first))
    for line in others:
        data(" " * (indent + 2) + line)


def on_terminal() -> bool:
    """Whether results are for people."""
    return sys.stdout.isatty()


def read_moments(form: str = "text", *, utc: bool = False) -> Moments:
    """How times are shown: on a terminal as people say them, in its zone; elsewhere, and in wide tables, exactly."""
    if utc or form != "text" or not sys.stdout.isatty():
        return EXACT
    here: Moments = _load_drawing().moments_here()
    return here


def fit_line(before: str, text: str, after: str, *, least: int) -> str:
    """A line of three parts; on a terminal the second one is cut to what is left of it, to so many cells at least."""
    if not sys.stdout.isatty():
        return f"{before}{text}{after}"
    line: str = _load_drawing().cut_line(before, text, after, least)
    return line


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for what takes longer than a second, on terminals only: called with what is done of what.

    Where nothing calls it, or the total is 0, the bar moves without an end. Nothing may be printed meanwhile.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with DelayedBar(label, coloured=has_colour(sys.stderr)) as bar:
        yield bar.show


def _load_drawing() -> ModuleType:
    """What draws, with rich: loading it takes longer than most commands do."""
    from reconciler.cli import terminal

    return terminal


def short_path(path: Path) -> str:
    """A path relative to the working directory if it is inside, else absolute."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)
