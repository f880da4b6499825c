"""What a query finds and what can be queried, as answers, text and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from reconciler import canonical
from reconciler.answers import Answer
from reconciler.model.rows import MAX_QUERY_BYTES
from reconciler.report.escape import escape_line
from reconciler.report.problems import plural
from reconciler.report.rows import csv_records
from reconciler.report.tables import Column, Nature, TextTable

if TYPE_CHECKING:
    from reconciler.model import rows

NULL = "NULL"
NUMBERS = ("INT", "UINT", "BIGINT", "UBIGINT", "SMALLINT", "TINYINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL")
"""How the types of numbers begin in both engines."""


class QueryColumn(Answer, frozen=True):
    name: str
    type: str


class QueryResult(Answer, frozen=True):
    """`cut` says that there are more rows than these, `cut_by` why: for the number of rows, or their bytes."""

    columns: tuple[QueryColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool
    cut_by: Literal["rows", "bytes"] | None = None


class Table(Answer, frozen=True):
    """A table that can be exported; `kind` is null for those that hold no kind."""

    table: str
    kind: str | None


class Tables(Answer, frozen=True):
    tables: tuple[Table, ...]


def build_query_result(queried: rows.QueryResult) -> QueryResult:
    columns = tuple(QueryColumn(name=name, type=type_) for name, type_ in queried.columns)
    cut_by = cast('Literal["rows", "bytes"] | None', None if queried.cut is None else str(queried.cut))
    return QueryResult(columns=columns, rows=tuple(queried.rows), cut=queried.cut is not None, cut_by=cut_by)


def cut_note(result: QueryResult, most_rows: int) -> str:
    """Which limit left rows out, and how to get them; empty where none did. `most_rows` is the most of any query."""
    told = plural(len(result.rows), "row")
    if result.cut_by == "bytes":
        size = f"{MAX_QUERY_BYTES >> 20} MiB"
        return f"only {told} fit into the {size} of one answer, and there are more: name fewer columns, or use `export`"
    if result.cut_by is None:
        return ""
    if len(result.rows) < most_rows:
        return f"there are more rows than these {len(result.rows):,}: --limit tells more, up to {most_rows:,}"
    return f"there are more rows than these {most_rows:,}, the most of one answer: narrow it by WHERE, or use `export`"


def query_table(result: QueryResult) -> TextTable:
    """A result as a table. A string that reads like NULL or has blanks around it is in single quotes, as in SQL."""
    columns = tuple(Column(escape_line(column.name), 0, _nature(column.type)) for column in result.columns)
    return TextTable(columns, [[_query_cell(value) for value in row] for row in result.rows])


def _nature(type_: str) -> Nature:
    return Nature.NUMBER if type_.upper().startswith(NUMBERS) else Nature.VALUE


def query_csv(result: QueryResult) -> str:
    """RFC 4180 with line feeds; NULL is an empty cell, and no character is escaped."""
    return "".join(csv_records((column.name for column in result.columns), result.rows)).removesuffix("\n")


def _query_cell(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, str) and (value in ("", NULL) or value != value.strip()):
        return "'" + escape_line(value).replace("'", "''") + "'"
    return escape_line(canonical.text(value))
