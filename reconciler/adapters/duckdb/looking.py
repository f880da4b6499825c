"""Somebody's query on the live rows: run in a sandbox of its own, on copies of the tables that it names.

The store itself is out of its reach: while it runs nothing is read there, and whatever it does ends with its process.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from reconciler.adapters.duckdb.sandbox.faults import CANDIDATES, NO_MEMORY, PREFIX, place
from reconciler.adapters.duckdb.sandbox.messages import MEMORY, Fill, Look
from reconciler.adapters.duckdb.sandbox.process import Process
from reconciler.errors import UsageError
from reconciler.model.rows import MAX_QUERY_BYTES, QueryResult
from reconciler.policy import plain
from reconciler.tables.duckdb import qualified, quoted
from reconciler.tables.rows import sheet_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    import duckdb

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.sandbox.messages import Seen
    from reconciler.kinds.kind import Kinds
    from reconciler.model.rows import QueryLimits

    Fills = Iterable[Fill]

BLOCK = 5_000
"""Rows that are on their way to the process at once."""
AS_THEY_ARE = frozenset({"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR"})
"""Types whose values get there as Python has them; those of others as text."""
ONE_SELECT = "a query is one SELECT; everything else is done by commits"
NO_FILES = "a query sees the tables of main, desired and gitops, and no file"
SMALLER = "look for less at a time: LIMIT, WHERE, fewer columns"
TABLES = (
    "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() "
    "USING (database_name, schema_name, table_name) WHERE database_name = current_database() "
    "ORDER BY schema_name, table_name, column_index"
)


def query_rows(
    open_reader: Callable[[], AbstractContextManager[DuckDBReader | None]],
    bundled: Kinds,
    sql: str,
    limits: QueryLimits,
) -> QueryResult:
    """What a query finds in the live rows. Before there are any, the tables of the bundled kinds are empty."""

    def copy_tables() -> Iterator[Fill]:
        with open_reader() as reader:
            yield from _empty_tables(bundled) if reader is None else reader.copies(sql)

    return look(copy_tables, sql, limits)


def _empty_tables(kinds: Kinds) -> Iterator[Fill]:
    for kind in kinds:
        columns = sheet_columns(kind)
        yield Fill("main", kind.table, columns[: len(kind.columns) + 2], ())
        yield Fill("desired", kind.table, columns, ())


def look(copies: Callable[[], Fills], sql: str, limits: QueryLimits) -> QueryResult:
    """What a query finds. `copies` reads the tables, once the process is there: they are not held open longer.

    Raises `UsageError` for what cannot be run, or takes too long or too much; `RetryLater` where there is no memory.
    """
    with closing(Process()) as process:
        for fill in copies():
            process.fill(fill)
        seen = process.look(Look(sql, limits.seconds, limits.rows, MAX_QUERY_BYTES))
    if seen is None:
        message = f"the query used more memory than there is for it, or did not stop after {limits.seconds:g} s"
        raise UsageError(message, hint=SMALLER)
    if "rows" not in seen:
        raise _error(seen, sql, limits)
    columns = tuple((name, type_) for name, type_ in seen["columns"])
    return QueryResult(columns, tuple(map(tuple, seen["rows"])), seen["cut"])


def copies(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[Fill]:
    """All tables of a store, and the rows of those that a query names: there is no other way to them."""
    text = sql.lower()
    for (schema, table), columns in _tables(connection).items():
        named = _as_written(table) in text
        yield from _copy(connection, schema, table, columns, rows=named)


def _copy(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str, columns: dict[str, str], *, rows: bool
) -> Iterator[Fill]:
    types = tuple(columns.items())
    yield Fill(schema, table, types, ())
    if rows:
        cells = ", ".join(quoted(name) if type_ in AS_THEY_ARE else f"{quoted(name)}::VARCHAR" for name, type_ in types)
        found = connection.execute(f"SELECT {cells} FROM {qualified(schema, table)} ORDER BY rowid")
        while block := found.fetchmany(BLOCK):
            yield Fill(schema, table, (), block)


def _tables(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], dict[str, str]]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    records: list[tuple[Any, ...]] = connection.execute(TABLES).fetchall()
    for schema, table, column, type_ in records:
        found.setdefault((schema, table), {})[column] = type_
    return found


def _as_written(table: str) -> str:
    """A table's name as a query has to write it, in lower case: quotes are doubled."""
    return quoted(table)[1:-1].lower()


def _error(seen: Seen, sql: str, limits: QueryLimits) -> UsageError:
    if seen.get("slow"):
        return UsageError(f"the query took more than {limits.seconds:g} s and was stopped", hint=SMALLER)
    if "refused" in seen:
        return UsageError(f"the query was not run: {seen['refused']}", hint=ONE_SELECT)
    text = seen["error"]
    if NO_MEMORY in text:
        return UsageError(f"the query used more memory than there is for it ({MEMORY})", hint=SMALLER)
    line, column = place(text, sql, 0)
    said = plain(PREFIX.sub("", text.partition("\n")[0])).rstrip(".!")
    return UsageError(f"the query cannot be run: line {line}, column {column}: {said}", hint=_hint(text))


def _hint(text: str) -> str:
    if "read-only mode" in text:
        return ONE_SELECT
    if "disabled by configuration" in text:
        return NO_FILES
    found = CANDIDATES.search(text)
    return f"did you mean {plain(found['names'])}?" if found else ""
