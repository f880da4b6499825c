"""What rich draws: tables and progress bars."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BAR_DELAY = 1.0
"""Seconds before a progress bar appears."""
MAX_WIDTH = 1_000_000
"""Columns for tables that are not shown on a terminal: nothing is folded or cut."""


def render_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, terminal: bool, coloured: bool) -> str:
    """The lines of a table: with rules for a terminal, else bare columns."""
    grid = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, header_style="bold")
    for header in headers:
        grid.add_column(header, no_wrap=not terminal, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console = Console(width=None if terminal else MAX_WIDTH, no_color=not coloured, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that appears after a while, called with what is done of what."""
    began = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=False) as bar:
        task = bar.add_task(label, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=time.monotonic() - began > BAR_DELAY)

        yield show
