"""Copies of the tables that somebody's query names: the query itself runs in a sandbox, on these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.adapters.sandbox.protocol import Fill
from reconciler.tables.duckdb import qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

BLOCK = 5_000
"""Rows that are on their way to the process at once."""
AS_THEY_ARE = frozenset({"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR"})
"""Types whose values get there as Python has them; those of others as text."""
TABLES = (
    "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() "
    "USING (database_name, schema_name, table_name) WHERE database_name = current_database() "
    "ORDER BY schema_name, table_name, column_index"
)


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
