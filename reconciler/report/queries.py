"""What a query found, as JSON and, from that, as text and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.report.sheets import csv_records
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.queried import Queried

    Answer = Mapping[str, Any]

NULL = "NULL"


def query_json(found: Queried) -> dict[str, Any]:
    """Columns with their SQL types, rows in their order, and whether there are more rows than these."""
    return {
        "columns": [{"name": name, "type": type_} for name, type_ in found.columns],
        "rows": [list(row) for row in found.rows],
        "cut": found.cut,
    }


def headers(answer: Answer) -> list[str]:
    """The columns' names, on one line each."""
    return [visible(column["name"]) for column in answer["columns"]]


def cells(row: list[Any]) -> list[str]:
    """The cells of a row. Text that could be taken for NULL, or not be seen, stands in single quotes, as in SQL."""
    return [_cell(value) for value in row]


def csv_text(answer: Answer) -> str:
    """RFC 4180 with line feeds; NULL is an empty cell. For programs: every character is as it is."""
    return "".join(csv_records((column["name"] for column in answer["columns"]), answer["rows"])).removesuffix("\n")


def _cell(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, str) and (value in ("", NULL) or value != value.strip()):
        return "'" + visible(value).replace("'", "''") + "'"
    return visible(canonical.text(value))
