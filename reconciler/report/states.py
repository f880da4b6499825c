"""Live rows, as JSON and, from that, as text: a command may have them from a daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.ports import LiveRow

    Answer = Mapping[str, Any]


def rows_json(kind: Kind, rows: tuple[LiveRow, ...]) -> dict[str, Any]:
    """Live rows: their kind, its columns with their units, and each row with where git declares it."""
    return {
        "kind": kind.name,
        "key": kind.key,
        "columns": [{"field": column.name, "unit": column.unit or ""} for column in kind.columns],
        "rows": [
            {
                "name": row.name,
                "path": row.path,
                "line": row.line,
                "values": {field: canonical.plain(value) for field, value in row.values.items()},
            }
            for row in rows
        ],
    }


def row_json(row: Answer) -> dict[str, Any]:
    """One of these rows as `get` prints it: its name, then its columns."""
    return {"name": row["name"], **row["values"]}


def headers(answer: Answer) -> list[str]:
    """The headers of these rows in a table: name, then columns but the key."""
    return ["name", *(column["field"] for column in answer["columns"] if column["field"] != answer["key"])]


def row_cells(row: Answer, answer: Answer) -> list[str]:
    """The cells of a row below these headers."""
    return [visible(row["name"]), *(cell(row["values"][field]) for field in headers(answer)[1:])]


def row_lines(row: Answer, answer: Answer) -> Iterator[tuple[str, str]]:
    """A row as labels and texts, with units, and where git declares it."""
    units = {column["field"]: column["unit"] for column in answer["columns"]}
    yield "name", visible(row["name"])
    for field, value in row["values"].items():
        unit = units.get(field)
        yield field, f"{cell(value)} {unit}" if unit and value is not None else cell(value)
    yield "declared in", visible(f"{row['path']}:{row['line']}") if row["path"] else "left git: kept as a tombstone"


def cell(value: Any) -> str:
    """A value as text."""
    return visible(canonical.text(value))
