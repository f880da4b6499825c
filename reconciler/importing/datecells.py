"""The cells of a column of dates or moments, the order of day and month decided by the column as a whole."""

from __future__ import annotations

from datetime import date, datetime
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


def read_date_cells(reader: ColumnReader, cells: Sequence[tuple[int, Cell]]) -> None:
    with_time = field_format(reader.kind, reader.column.name) == "date-time"
    found: dict[int, tuple[str, dict[str, date]]] = {}
    for row, cell in cells:
        value: object = cell.value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = read_serial(value)
        if isinstance(value, date):
            text = _iso(value, with_time=with_time)
            if not isinstance(cell.value, date):
                reader.note("a spreadsheet's day number to a date", cell.text, text)
            reader.values[row] = text
            continue
        dates = read_dates(cell.text)
        if not dates:
            reader.faults[row] = CellError("bad-format", f"{cell.text!r} is no date", "write it as 2026-04-30")
        found[row] = (cell.text, dates)
    order = _decide_order(reader, {row: dates for row, (_, dates) in found.items() if dates})
    for row, (text, dates) in found.items():
        if len(dates) == 1 or (dates and order):
            iso = _iso(dates[order] if len(dates) > 1 else next(iter(dates.values())), with_time=with_time)
            value = text if text.startswith(iso[:10]) and with_time and "T" in text else iso
            if text != value:
                reader.note("written as a date", text, value)
            reader.values[row] = value


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


def _iso(value: date, *, with_time: bool) -> str:
    if isinstance(value, datetime):
        return canonical.timestamp(value) if with_time else value.date().isoformat()
    return f"{value.isoformat()}T00:00:00Z" if with_time else value.isoformat()
