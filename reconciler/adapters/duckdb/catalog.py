"""Which tables the store has, and what kinds they were made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.tables.duckdb import declared_columns, tables
from reconciler.tables.rows import DECLARATION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from reconciler.kinds.kind import Kind, Kinds


@dataclass(frozen=True, slots=True)
class StoredKind:
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
            definition=tables(kind).definition,
            schema=kind.schema,
        )


Catalog = dict[str, StoredKind]


def of_kinds(kinds: Kinds) -> Catalog:
    """What the catalog is when all tables are those of these kinds."""
    return {kind.name: StoredKind.of(kind) for kind in kinds}


def load(connection: duckdb.DuckDBPyConnection) -> Catalog:
    """The kinds that have tables, by name."""
    records = connection.execute(
        "SELECT name, table_name, key, columns, declared, definition, schema FROM gitops.kinds ORDER BY name"
    ).fetchall()
    return {
        name: StoredKind(name, table, key, tuple(columns), tuple(declared), definition, json.loads(schema))
        for name, table, key, columns, declared, definition, schema in records
    }


def save(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Record that the tables are these now."""
    connection.execute("DELETE FROM gitops.kinds")
    for one in catalog.values():
        connection.execute(
            "INSERT INTO gitops.kinds (name, table_name, key, columns, declared, definition, schema) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [one.name, one.table, one.key, one.columns, one.declared, one.definition, _ordered(one.schema)],
        )


def _ordered(schema: Mapping[str, Any]) -> str:
    """JSON with its keys in the order they have: the order of a schema's properties is that of the columns."""
    return json.dumps(dict(schema), ensure_ascii=False)
