"""Which tables the store has, what kinds they were made from, what they look like and what they should.

What they should look like is asked of the database itself: the statements they were made with are run in an empty one
in memory, so that only its own words are compared with its own words.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.duckdb.connection import CONFIG, first_line
from reconciler.errors import NeedsHuman
from reconciler.kinds.build import build_kind
from reconciler.kinds.kind import Kinds
from reconciler.tables.duckdb import DESIRED, declared_columns, make_tables, qualify
from reconciler.tables.rows import DECLARATION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.kinds.kind import Kind


class StoredKind(Struct, frozen=True):
    """A kind as the tables have it: names of its value columns and of its declaration columns, and all their DDL."""

    name: str
    table: str
    key: str
    columns: tuple[str, ...]
    declared: tuple[str, ...]
    definition: str
    schema: Mapping[str, Any]

    def declaration(self, name: str) -> str:
        """The column behind one of `DECLARATION_COLUMNS`, as this table names it."""
        return next(own for (plain, _), own in zip(DECLARATION_COLUMNS, self.declared, strict=True) if plain == name)

    @classmethod
    def of(cls, kind: Kind) -> StoredKind:
        """What the tables of a kind will be."""
        return cls(
            name=kind.name,
            table=kind.table,
            key=kind.key,
            columns=tuple(column.name for column in kind.columns),
            declared=declared_columns(kind),
            definition=make_tables(kind).definition,
            schema=kind.schema,
        )


Catalog = dict[str, StoredKind]


def catalog_of(kinds: Kinds) -> Catalog:
    """What the catalog is when all tables are those of these kinds."""
    return {kind.name: StoredKind.of(kind) for kind in kinds}


def kinds_of(catalog: Catalog) -> Kinds:
    """The kinds that the tables were made from."""
    return Kinds(tuple(build_kind(stored.schema, "") for _, stored in sorted(catalog.items())))


def load_catalog(connection: StoreConnection) -> Catalog:
    """The kinds that have tables, by name."""
    records = connection.execute(
        "SELECT name, table_name, key, columns, declared, definition, schema FROM gitops.kinds ORDER BY name"
    ).fetchall()
    return {
        name: StoredKind(name, table, key, tuple(columns), tuple(declared), definition, json.loads(schema))
        for name, table, key, columns, declared, definition, schema in records
    }


def save_catalog(connection: StoreConnection, catalog: Catalog) -> None:
    """Record that the tables are these now."""
    connection.execute("DELETE FROM gitops.kinds")
    for stored in catalog.values():
        connection.execute(
            "INSERT INTO gitops.kinds (name, table_name, key, columns, declared, definition, schema) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                stored.name,
                stored.table,
                stored.key,
                stored.columns,
                stored.declared,
                stored.definition,
                _ordered(stored.schema),
            ],
        )


def _ordered(schema: Mapping[str, Any]) -> str:
    """JSON with its keys in the order they have: the order of a schema's properties is that of the columns."""
    return json.dumps(dict(schema), ensure_ascii=False)


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


def read_structure(connection: StoreConnection | duckdb.DuckDBPyConnection) -> Structure:
    """What there is in the schemas of rows, whosever it is."""
    structure: Structure = {}
    for schema, table, part, definition in connection.execute(PARTS).fetchall():
        structure.setdefault((schema, table), {})[part] = str(definition)
    return structure


def expected_structure(catalog: Catalog) -> Structure:
    """What the tables of a catalog were made as."""
    return _made(tuple(stored.definition for stored in catalog.values()))


def parts_of(structure: Structure, schema: str, stored: StoredKind) -> Parts:
    """The parts of one of a kind's tables; none when it is not there."""
    return structure.get((schema, stored.table.lower()), {})


def create_table(connection: StoreConnection, parts: Parts) -> None:
    """Create a table without rows or indexes."""
    connection.execute(parts[TABLE])


def create_indexes(connection: StoreConnection, parts: Parts) -> None:
    """Create its indexes. Raises `NeedsHuman` when another table of somebody's has one of that name."""
    for statement in (statement for part, statement in parts.items() if part.startswith(INDEX)):
        try:
            connection.execute(statement)
        except duckdb.CatalogException as error:
            raise NeedsHuman(
                f"an index cannot be made anew, nothing was changed: {first_line(error)}",
                hint="drop the index of that name, it is not ours",
            ) from error


def drop_table(connection: StoreConnection, schema: str, stored: StoredKind, parts: Parts) -> None:
    """Drop whatever has the table's name. Raises `NeedsHuman` when something of somebody's depends on it."""
    if not parts:
        return
    name = qualify(schema, stored.table)
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
        return read_structure(scratch)
