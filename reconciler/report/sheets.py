"""Rows as CSV and as JSON: the same values that the rest of the program shows."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.tables import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.sheet import Record, Sheet

JSON_TYPE = "JSON"


def csv_lines(sheet: Sheet) -> Iterator[str]:
    """The columns' names, then the rows."""
    return csv_records((name for name, _ in sheet.columns), _records(sheet))


def csv_records(names: Iterable[str], rows: Iterable[Record]) -> Iterator[str]:
    """RFC 4180 with line feeds, one record after the other; nothing is an empty cell."""
    line = _Line()
    writer = csv.writer(line, lineterminator="\n")
    writer.writerow(list(names))
    yield line.text
    for row in rows:
        writer.writerow([csv_cell(value) for value in row])
        yield line.text


class _Line:
    """What the standard library's writer writes to: keeps the line that was written last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def json_lines(sheet: Sheet) -> Iterator[str]:
    """One array, each row an object on a line of its own."""
    before = "[\n"
    for record in _records(sheet):
        pairs = zip(sheet.columns, record, strict=True)
        row = {name: _json_value(type_, value) for (name, type_), value in pairs}
        yield f"{before}{json.dumps(row, ensure_ascii=False, allow_nan=False)}"
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def csv_cell(value: Any) -> str:
    """A value as a cell of a CSV file."""
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical.text(cells.cell(value))


def _json_value(type_: str, value: Any) -> Any:
    if type_ != JSON_TYPE or not isinstance(value, str):
        return cells.cell(value)
    try:
        return canonical.normal(json.loads(value))
    except ValueError:  # DuckDB takes for JSON what JSON has not, such as NaN
        return value


def _records(sheet: Sheet) -> Iterator[Record]:
    for block in sheet.blocks:
        yield from block
