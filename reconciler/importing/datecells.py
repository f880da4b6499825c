"""The cells of a column of dates or moments, the order of day and month decided by the column as a whole."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.importing.amounts import DAY_FIRST, MONTH_FIRST, read_dates, read_serial
from reconciler.importing.columnreader import Question
from reconciler.importing.hints import field_format
from reconciler.importing.tables import CellError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.importing.columnreader import ColumnReader
    from reconciler.importing.sheets import Cell


_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[-+]\d{2}:\d{2})")


def read_date_cells(reader: ColumnReader, cells: Sequence[tuple[int, Cell]]) -> None:
    """The dates or moments of cells. A moment without a zone is in UTC; a date has no time but midnight."""
    found: dict[int, tuple[Cell, dict[str, date]]] = {}
    for row, cell in cells:
        value: object = cell.value
        if reader.choices.is_exact and isinstance(value, str):
            reader.values[row] = value
            continue
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = read_serial(value, reader.choices.day_zero)
        dates = {"": value} if isinstance(value, date) else read_dates(cell.text)
        if dates:
            found[row] = (cell, dates)
        else:
            reader.faults[row] = CellError("bad-format", f"{cell.text!r} is no date", "write it as 2026-04-30")
    order = _decide_order(reader, {row: dates for row, (_, dates) in found.items()})
    for row, (cell, dates) in found.items():
        if len(dates) == 1 or order:
            _keep(reader, row, cell, dates[order] if len(dates) > 1 else next(iter(dates.values())))


def _keep(reader: ColumnReader, row: int, cell: Cell, value: date) -> None:
    name, text = reader.column.name, cell.text
    if field_format(reader.kind, name) == "date-time":
        written = text if _RFC_3339.fullmatch(text) else _moment(value)
    elif isinstance(value, datetime) and canonical.utc(value).time() != time():
        reader.faults[row] = CellError("bad-format", f"{text!r} has a time, and {name} is a date", "leave the time out")
        return
    else:
        written = f"{value:%Y-%m-%d}"
    if text != written:
        reader.note(f"a date from {type(cell.value).__name__}", text, written)
    reader.values[row] = written


def _moment(value: date) -> str:
    return canonical.timestamp(value if isinstance(value, datetime) else datetime.combine(value, time()))


def _decide_order(reader: ColumnReader, dates: Mapping[int, dict[str, date]]) -> str:
    open_rows = [row for row, ways in dates.items() if len(ways) > 1]
    if not open_rows or reader.choices.dates in {DAY_FIRST, MONTH_FIRST}:
        return reader.choices.dates
    proofs = {order for ways in dates.values() if len(ways) == 1 for order in ways} - {""}
    if len(proofs) == 1 and not reader.choices.is_given:
        order = proofs.pop()
        reader.chosen["dates"] = order
        return order
    ways = dates[open_rows[0]]
    choices = {order: ways[order].isoformat() for order in (DAY_FIRST, MONTH_FIRST)}
    reader.questions.append(Question("dates", f"may be {' or '.join(choices.values())}", choices, tuple(open_rows)))
    return ""
