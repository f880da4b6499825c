"""Tables laid out for a terminal: which columns there is room for, and the lines. Values in, lines out.

No word is ever broken. Columns go instead, those that matter least first; texts go on in the next line at a blank,
subjects end at one; a row that no table has room for becomes a list of its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

from reconciler.report.tables import Nature
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.report.tables import Column, TextTable

    Style = Callable[["Cell"], str]

ELLIPSIS = "…"
RULE = "─"
GAP = 2
"""Blanks between two columns."""
HEADER_LINES = 3
"""Lines that headers may take before columns are left out."""
LEAST_TEXT = 24
"""Cells that a text or subject has at least, where it needs as many."""
BROKEN = frozenset({Nature.TEXT, Nature.SUBJECT})
WHOLE = frozenset({Nature.NAME, Nature.STATE})


class Cell(NamedTuple):
    """A piece of text on its line, and what it is a part of; `row` is None in a header."""

    text: str
    nature: Nature
    row: int | None
    is_first: bool


class Fitted(NamedTuple):
    """What fits: the columns shown by number, their widths in cells, and their headers in lines."""

    shown: Sequence[int]
    widths: Sequence[int]
    headers: Sequence[Sequence[str]]


class Drawn(NamedTuple):
    """Lines to print, and the headers of the columns that there was no room for."""

    lines: Iterator[str]
    left_out: Sequence[str]


def plain(cell: Cell) -> str:
    """A cell without colours and links."""
    return cell.text


def draw_plain(table: TextTable, style: Style | None = None, rows: Collection[int] | None = None) -> Iterator[str]:
    """A table for files and pipes: nothing is left out, broken or cut."""
    lines = [[column.header for column in table.columns], *table.rows]
    widths = [0] * len(table.columns)
    for row in lines:
        widths = list(map(max, widths, map(cells, row)))
    natures = [column.nature for column in table.columns]
    for number, row in enumerate(lines, start=-1):
        if rows is not None and number not in rows:
            continue
        if style is None:
            yield (" " * GAP).join(map(_pad, row, widths)).rstrip()
            continue
        styled = (
            style(Cell(cell, nature, number if number >= 0 else None, at == 0)) + " " * (width - cells(cell))
            for at, (cell, nature, width) in enumerate(zip(row, natures, widths, strict=True))
        )
        yield (" " * GAP).join(styled).rstrip()


def draw(
    table: TextTable, room: int, style: Style = plain, *, whole: bool = False, rows: Collection[int] | None = None
) -> Drawn:
    """A table for a terminal that is `room` cells wide; with `whole` no column is left out.

    With `rows` only these, by number, and no headers.
    """
    natural = [0] * len(table.columns)
    for row in table.rows:
        natural = list(map(max, natural, map(cells, row)))
    fitted = fit(table, room, natural, whole=whole)
    if fitted is not None:
        shown, lines = fitted.shown, _draw_grid(table, fitted, style, rows)
    else:
        shown = list(range(len(table.columns))) if whole else _required(table.columns)
        lines = _draw_lists(table if rows is None else _part(table, rows), shown, room, style)
    return Drawn(lines, [column.header for at, column in enumerate(table.columns) if at not in set(shown)])


def fit(table: TextTable, room: int, natural: Sequence[int], *, whole: bool = False) -> Fitted | None:
    """The most columns that fit side by side; None where not even those do that are never left out.

    One that is too wide beside these alone is left out whatever its rank.
    """
    longest = [
        _longest_word(table, at) if column.nature is Nature.TEXT else 0 for at, column in enumerate(table.columns)
    ]

    def arrange(shown: Sequence[int]) -> Fitted | None:
        columns = [table.columns[at] for at in shown]
        fitted = _fit_columns(columns, [natural[at] for at in shown], [longest[at] for at in shown], room)
        return Fitted(shown, *fitted) if fitted else None

    required = list(range(len(table.columns))) if whole else _required(table.columns)
    others = sorted(set(range(len(table.columns))) - set(required), key=lambda at: (table.columns[at].rank, at))
    others = [at for at in others if arrange(sorted((*required, at)))]  # what is too wide by itself keeps out no other
    for many in range(len(others), 0, -1):
        fitted = arrange(sorted((*required, *others[:many])))
        if fitted and max(map(len, fitted.headers)) <= HEADER_LINES:
            return fitted
    return arrange(required)


def _longest_word(table: TextTable, at: int) -> int:
    return max((cells(word) for row in table.rows for word in row[at].split()), default=0)


def _pad(text: str, width: int) -> str:
    return text.ljust(width) if text.isascii() else text + " " * (width - cell_len(text))


def cells(text: str) -> int:
    """The columns of a terminal that a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, room: int) -> str:
    """A text that ends in … after a word where there is no room for all of it; of one word, anywhere."""
    if cells(text) <= room:
        return text
    start = set_cell_size(text, max(0, room - 1)).rstrip()
    whole = start
    while whole and not _is_between_words(text, len(whole)):
        whole = whole[:-1]
    return (whole.rstrip() or start) + ELLIPSIS


def _is_between_words(text: str, at: int) -> bool:
    """Whether a line may end there: at a blank, and between the wide characters of scripts that write no blanks."""
    before, after = text[at - 1], text[at : at + 1]
    return after.isspace() or before.isspace() or (cells(before) > 1 and cells(after) > 1)


def wrap_words(text: str, room: int) -> list[str]:
    """A text in lines, broken at blanks; a longer word has a line of its own: it may be a name, and is whole."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and cells(lines[-1]) + 1 + cells(word) > room:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def wrap(text: str, room: int) -> list[str]:
    """A text in lines, broken at blanks; a word that is longer than a line is cut."""
    words = text.lstrip(" ").split(" ")
    indent = text[: len(text) - len(text.lstrip(" "))] if len(text) > len(words[0]) else ""
    lines = [indent + cut(words[0], room - len(indent))]
    for word in words[1:]:
        if cells(lines[-1]) + 1 + cells(word) > room:
            lines.append(indent + cut(word, room - len(indent)))
        else:
            lines[-1] += f" {word}"
    return lines


def _required(columns: Sequence[Column]) -> list[int]:
    return [at for at, column in enumerate(columns) if column.rank == 0]


def _fit_columns(
    columns: Sequence[Column], natural: Sequence[int], longest: Sequence[int], room: int
) -> tuple[list[int], list[list[str]]] | None:
    """Widths and headers of columns side by side, or None: headers are broken if they must, as little as they can."""
    left = room - GAP * (len(columns) - 1)
    smallest = [
        _least(column.nature, width, word, left) for column, width, word in zip(columns, natural, longest, strict=True)
    ]
    if sum(smallest) > left:
        return None
    for broken in range(max(cells(column.header) for column in columns), 0, -1):
        headers = [_break(column.header, max(broken, width)) for column, width in zip(columns, smallest, strict=True)]
        widths = [max(width, *map(cells, header)) for header, width in zip(headers, smallest, strict=True)]
        spare = left - sum(widths)
        if spare >= 0:
            for at, width in enumerate(natural):
                more = min(spare, max(0, width - widths[at]))
                widths[at] += more
                spare -= more
            return widths, headers
    return None


def _least(nature: Nature, natural: int, longest: int, room: int) -> int:
    if nature in BROKEN:
        return min(natural, max(LEAST_TEXT, min(longest, room)))
    return natural if nature in WHOLE or natural <= room else min(room, LEAST_TEXT)


@lru_cache(maxsize=1_000)
def _break(header: str, width: int) -> list[str]:
    """A header in lines of at most so many cells, as far as it has underscores or blanks to be broken at."""
    lines = [""]
    for part in re.findall(r"[^_ ]+[_ ]?|[_ ]", header):
        if lines[-1] and cells((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [line.rstrip(" ") for line in lines]


def _part(table: TextTable, rows: Collection[int]) -> TextTable:
    return replace(table, rows=[row for number, row in enumerate(table.rows) if number in rows])


def _draw_grid(table: TextTable, fitted: Fitted, style: Style, rows: Collection[int] | None) -> Iterator[str]:
    shown = [(table.columns[at].nature, width) for at, width in zip(fitted.shown, fitted.widths, strict=True)]
    height = max(map(len, fitted.headers))
    bottom = [["" for _ in range(height - len(header))] + list(header) for header in fitted.headers]
    if rows is None:
        yield from _draw_row(bottom, shown, None, style)
        yield RULE * (sum(fitted.widths) + GAP * (len(shown) - 1))
    for number, row in enumerate(table.rows):
        if rows is not None and number not in rows:
            continue
        pieces = [
            wrap(row[at], width) if nature is Nature.TEXT else [row[at] if nature in WHOLE else cut(row[at], width)]
            for at, (nature, width) in zip(fitted.shown, shown, strict=True)
        ]
        yield from _draw_row(pieces, shown, number, style)


def _draw_row(
    pieces: Sequence[Sequence[str]], shown: Sequence[tuple[Nature, int]], row: int | None, style: Style
) -> Iterator[str]:
    for line in range(max(map(len, pieces))):
        told = ""
        pending = 0
        for at, (lines, (nature, width)) in enumerate(zip(pieces, shown, strict=True)):
            text = lines[line] if line < len(lines) else ""
            blank = max(0, width - cells(text))
            before = blank if nature is Nature.NUMBER else 0
            if text:
                told += " " * (pending + before) + style(Cell(text, nature, row, at == 0))
                pending = blank - before + GAP
            else:
                pending += width + GAP
        yield told


def _draw_lists(table: TextTable, shown: Sequence[int], room: int, style: Style) -> Iterator[str]:
    """A list for each row: the labels on the left, or above where the room is too short for that."""
    label = max((cells(table.columns[at].header) for at in shown), default=0) + GAP
    for number, row in enumerate(table.rows):
        if number:
            yield ""
        for at in shown:
            column, text = table.columns[at], row[at]
            beside = label + (cells(text) if column.nature not in BROKEN else LEAST_TEXT) <= room
            width = room - label if beside else room
            lines = wrap(text, width) if column.nature in BROKEN else [text]
            if column.nature is not Nature.NAME and column.nature is not Nature.STATE:
                lines = [cut(line, width) for line in lines]
            headers = [column.header] if beside else _break(column.header, room)
            labels = [style(Cell(line, column.nature, None, at == 0)) for line in headers]
            styled = [style(Cell(line, column.nature, number, at == 0)) for line in lines]
            if beside:
                yield (labels[0] + " " * (label - cells(column.header)) + styled[0]).rstrip()
                yield from (" " * label + line for line in styled[1:])
            else:
                yield from (*labels, *styled)
