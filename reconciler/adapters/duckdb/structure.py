"""What the tables of a kind look like, and what they should: their columns and types, statements and indexes.

What they should look like is asked of the database itself: the statements they were made with are run in an empty one
in memory, so that only its own words are compared with its own words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import duckdb

from reconciler.adapters.duckdb.connection import CONFIG, first_line
from reconciler.errors import NeedsHuman
from reconciler.tables.duckdb import DESIRED, qualified

if TYPE_CHECKING:
    from reconciler.adapters.duckdb.catalog import Catalog, StoredKind

Parts = dict[str, str]
"""Definitions by part: `column <name>` has a type, `table`, `view`, `index <name>` and `trigger <name>` a statement."""

Structure = dict[tuple[str, str], Parts]
"""The parts of each table, by schema and the table's name in lower case: to DuckDB, case is spelling."""

TABLE, COLUMN, INDEX = "table", "column ", "index "

HERE = "database_name = current_database() AND schema_name IN ('main', 'desired')"
PARTS = f"""
SELECT schema_name, lower(table_name), '{TABLE}', sql FROM duckdb_tables() WHERE {HERE} AND NOT temporary
UNION ALL
SELECT schema_name, lower(view_name), 'view', sql FROM duckdb_views() WHERE {HERE} AND NOT internal
UNION ALL
SELECT schema_name, lower(table_name), '{COLUMN}' || column_name, data_type FROM duckdb_columns()
WHERE {HERE} AND NOT internal
UNION ALL
SELECT schema_name, lower(table_name), '{INDEX}' || index_name, sql FROM duckdb_indexes() WHERE {HERE}
UNION ALL
SELECT schema_name, lower(table_name), 'trigger ' || trigger_name, sql FROM duckdb_triggers() WHERE {HERE}
"""


def found(connection: duckdb.DuckDBPyConnection) -> Structure:
    """What there is in the schemas of rows, whosever it is."""
    structure: Structure = {}
    for schema, table, part, definition in connection.execute(PARTS).fetchall():
        structure.setdefault((schema, table), {})[part] = str(definition)
    return structure


def wanted(catalog: Catalog) -> Structure:
    """What the tables of a catalog were made as."""
    return _made(tuple(stored.definition for stored in catalog.values()))


def of(structure: Structure, schema: str, stored: StoredKind) -> Parts:
    """The parts of one of a kind's tables; none when it is not there."""
    return structure.get((schema, stored.table.lower()), {})


def make(connection: duckdb.DuckDBPyConnection, parts: Parts) -> None:
    """Create a table without rows or indexes."""
    connection.execute(parts[TABLE])


def index(connection: duckdb.DuckDBPyConnection, parts: Parts) -> None:
    """Create its indexes. Raises `NeedsHuman` when another table of somebody's has one of that name."""
    for statement in (statement for part, statement in parts.items() if part.startswith(INDEX)):
        try:
            connection.execute(statement)
        except duckdb.CatalogException as error:
            raise NeedsHuman(
                f"an index cannot be made anew, nothing was changed: {first_line(error)}",
                hint="drop the index of that name, it is not ours",
            ) from error


def drop(connection: duckdb.DuckDBPyConnection, schema: str, stored: StoredKind, parts: Parts) -> None:
    """Drop whatever has the table's name. Raises `NeedsHuman` when something of somebody's depends on it."""
    if not parts:
        return
    name = qualified(schema, stored.table)
    try:
        connection.execute(f"DROP {'TABLE' if TABLE in parts else 'VIEW'} {name}")
    except (duckdb.CatalogException, duckdb.DependencyException) as error:
        raise NeedsHuman(
            f"{name} cannot be made anew, because something depends on it; nothing was changed: {first_line(error)}",
            hint="drop the tables with a foreign key to it: they are not ours",
        ) from error


@lru_cache(maxsize=8)
def _made(definitions: tuple[str, ...]) -> Structure:
    with duckdb.connect(":memory:", config={**CONFIG, "threads": 1}) as scratch:
        scratch.execute(f"CREATE SCHEMA {DESIRED}")
        for definition in definitions:
            scratch.execute(definition)
        return found(scratch)
