"""What rich draws: tables and progress bars."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Shown = tuple[Sequence[str], Sequence[Sequence[str]]]
    """Headers and rows."""

BAR_DELAY = 1.0
"""Seconds before a progress bar appears."""
ELLIPSIS = "…"
GAP = 2
"""Blanks between two columns."""
LEAST_FOLDED = 24
"""Cells of a column that is folded; where not even so many are left, each row is a list of its own."""


class Fitted(NamedTuple):
    """A table as it fits: headers of one or more lines, rows, widths in cells; which column is folded, if any."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[int]
    folded: int | None = None


def draw_text(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for files and pipes: nothing is folded or cut."""
    widths = _widths(headers, rows)
    return "\n".join(_line(row, widths) for row in (headers, *rows))


def draw_table(tables: Sequence[Shown], least: Mapping[str, int], *, coloured: bool) -> str:
    """The first of several tables, each with fewer columns, that fits the terminal.

    Headers are broken where they have an underscore, columns in `least` are cut to so many cells at least, and of one
    column the texts are folded; a table that does not fit then either is a list for each row.
    """
    room = get_terminal_size().columns
    fitted = next(filter(None, (_fit(*table, room, least) for table in tables)), None)
    fitted = fitted or next(filter(None, (_fold(*table, room, least) for table in tables)), None)
    if fitted is None:
        return _draw_lists(*tables[0])
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    for at, (header, width) in enumerate(zip(fitted.headers, fitted.widths, strict=True)):
        is_folded = at == fitted.folded
        grid.add_column(header, width=width, no_wrap=not is_folded, overflow="fold" if is_folded else "ellipsis")
    for row in fitted.rows:
        grid.add_row(*row)
    console = Console(width=room, no_color=not coloured, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def cut_line(before: str, text: str, after: str, least: int) -> str:
    """A line of three parts, the second one cut where the terminal is too narrow, to so many cells at least."""
    room = max(get_terminal_size().columns - cell_len(before) - cell_len(after), least)
    return f"{before}{text if cell_len(text) <= room else set_cell_size(text, room - 1).rstrip() + ELLIPSIS}{after}"


def _fit(headers: Sequence[str], rows: Sequence[Sequence[str]], room: int, least: Mapping[str, int]) -> Fitted | None:
    """A table as wide as the room, or None: headers are broken if they must, and what may be cut is."""
    room -= GAP * (len(headers) - 1)
    natural = _widths((), rows, len(headers))
    smallest = [min(width, least.get(header, width)) for header, width in zip(headers, natural, strict=True)]
    for broken in range(max(map(cell_len, headers), default=0), 0, -1):
        shown = [_break(header, max(broken, width)) for header, width in zip(headers, smallest, strict=True)]
        wide = [max(width, *map(cell_len, header.split("\n"))) for header, width in zip(shown, smallest, strict=True)]
        left = room - sum(wide)
        if left >= 0:
            for at, width in enumerate(natural):
                more = min(left, max(0, width - wide[at])) if headers[at] in least else 0
                wide[at] += more
                left -= more
            most = max((header.count("\n") for header in shown), default=0)
            bottom = ["\n" * (most - header.count("\n")) + header for header in shown]
            return Fitted(bottom, rows, wide)
    return None


def _fold(headers: Sequence[str], rows: Sequence[Sequence[str]], room: int, least: Mapping[str, int]) -> Fitted | None:
    """A table whose widest column is folded, or None where too little of that is left."""
    natural = _widths((), rows, len(headers))
    widest = max(range(len(headers)), key=natural.__getitem__)
    if natural[widest] <= LEAST_FOLDED:
        return None
    name = headers[widest]
    fitted = _fit(headers, rows, room, {**least, name: LEAST_FOLDED})
    return fitted._replace(folded=widest) if fitted else None


def _break(header: str, width: int) -> str:
    """A header in lines of at most so many cells, as far as it has underscores or blanks to be broken at."""
    lines = [""]
    for part in re.findall(r"[^_ ]*[_ ]?", header):
        if lines[-1] and cell_len((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip(" ") for line in lines)


def _draw_lists(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(cell_len, headers))]
    return "\n\n".join("\n".join(_line(pair, widths) for pair in zip(headers, row, strict=True)) for row in rows)


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None = None) -> list[int]:
    wide = [cell_len(header) for header in headers] or [0] * (columns or 0)
    for row in rows:
        wide = [max(width, cell_len(cell)) for width, cell in zip(wide, row, strict=True)]
    return wide


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Cells side by side; the last ones may be without a width."""
    padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=False)]
    return (" " * GAP).join([*padded, *cells[len(padded) :]]).rstrip()


@contextmanager
def progress_bar(label: str, *, coloured: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar that appears after a while, called with what is done of what."""
    began = time.monotonic()
    with Progress(console=Console(stderr=True, no_color=not coloured), transient=True, disable=False) as bar:
        task = bar.add_task(label, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=time.monotonic() - began > BAR_DELAY)

        yield show
