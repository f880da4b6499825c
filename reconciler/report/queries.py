"""What a query finds and what can be queried, as answers, text and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.answers import Answer
from reconciler.report.escape import escape_line
from reconciler.report.rows import csv_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model import rows

NULL = "NULL"


class QueryColumn(Answer, frozen=True):
    name: str
    type: str


class QueryResult(Answer, frozen=True):
    """`cut` says that there are more rows than these."""

    columns: tuple[QueryColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool


class Table(Answer, frozen=True):
    """A table that can be exported; `kind` is null for those that hold no kind."""

    table: str
    kind: str | None


class Tables(Answer, frozen=True):
    tables: tuple[Table, ...]


def build_query_result(queried: rows.QueryResult) -> QueryResult:
    columns = tuple(QueryColumn(name=name, type=type_) for name, type_ in queried.columns)
    return QueryResult(columns=columns, rows=tuple(queried.rows), cut=queried.cut)


def query_headers(result: QueryResult) -> list[str]:
    return [escape_line(column.name) for column in result.columns]


def query_cells(row: Iterable[Any]) -> list[str]:
    """The cells of a row. A string that reads like NULL or has blanks around it is in single quotes, as in SQL."""
    return [_query_cell(value) for value in row]


def query_csv(result: QueryResult) -> str:
    """RFC 4180 with line feeds; NULL is an empty cell, and no character is escaped."""
    return "".join(csv_records((column.name for column in result.columns), result.rows)).removesuffix("\n")


def _query_cell(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, str) and (value in ("", NULL) or value != value.strip()):
        return "'" + escape_line(value).replace("'", "''") + "'"
    return escape_line(canonical.text(value))
