"""Printing: data on stdout, everything else on stderr; colour and progress on terminals only."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.errors import ReconcilerError

PATIENCE = 1.0
"""Seconds before a progress bar appears."""
WIDE = 1_000_000
"""Columns for tables that are not shown on a terminal: nothing is folded or cut."""
COLOURS = {"+": "green", "~": "yellow", "-": "red"}


def data(text: str) -> None:
    """Print a result."""
    click.echo(text, color=_colour(sys.stdout.isatty()))


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
    """Say something that is not the result."""
    click.echo(text, err=True, color=_colour(sys.stderr.isatty()))


def failure(error: ReconcilerError) -> None:
    """Say what kept the command from its work, and what to do about it."""
    note(f"{click.style('error:', fg='red', bold=True)} {error}")
    if error.hint:
        hint(error.hint)


def refusal(error: ReconcilerError) -> None:
    """Say what was not done, for whose reason, and what to do about it."""
    note(f"refused: {error}")
    if error.hint:
        hint(error.hint)


def hint(text: str) -> None:
    """Say what to do about it."""
    note(f"{click.style('hint:', fg='cyan')} {text}")


def problem(line: str) -> str:
    """A problem's line, its severity in colour."""
    return line.replace(": error [", f": {click.style('error', fg='red', bold=True)} [", 1).replace(
        ": warning [", f": {click.style('warning', fg='yellow', bold=True)} [", 1
    )


def change(line: str) -> str:
    """A line of a plan, its sign in colour."""
    return click.style(line, fg=COLOURS.get(line[:1]))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: with rules on terminals, bare columns elsewhere."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    grid = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, header_style="bold")
    for header in headers:
        grid.add_column(header, no_wrap=not terminal, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console = Console(
        width=None if terminal else WIDE, no_color=_colour(terminal) is False, highlight=False, markup=False
    )
    with console.capture() as captured:
        console.print(grid)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), color=_colour(terminal))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for what takes longer than a second, on terminals only: called with what is done of what."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    began = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=False) as bar:
        task = bar.add_task(label, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=time.monotonic() - began > PATIENCE)

        yield show


def _colour(terminal: bool) -> bool:
    return terminal and "NO_COLOR" not in os.environ
