"""Printing: data on stdout, everything else on stderr; colour and progress on terminals only."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.progress import DelayedBar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import TextIO

    from reconciler.cli.terminal import Shown
    from reconciler.errors import ReconcilerError


NO_COLOUR_LEVELS = ("0", "false")
"""Values of FORCE_COLOR that turn colour off, as in Node's programs."""
COLOURS = {"+": "green", "~": "yellow", "-": "red"}


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
    note(f"{click.style('error:', fg='red', bold=True)} {error}")
    if error.hint:
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


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    narrower: Iterable[Shown] = (),
    least: Mapping[str, int] | None = None,
) -> None:
    """Print a table: fitted to a terminal, elsewhere bare columns of which nothing is folded or cut.

    On a terminal that is too narrow for it `narrower` ones take its place, the widest first, and the columns that
    `least` names are cut, to so many cells at least.
    """
    drawing = _load_drawing()
    coloured = has_colour(sys.stdout)
    text = (
        drawing.draw_table([(headers, rows), *narrower], least or {}, coloured=coloured)
        if sys.stdout.isatty()
        else drawing.draw_text(headers, rows)
    )
    click.echo(text, color=coloured)


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
