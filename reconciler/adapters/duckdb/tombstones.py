"""Tombstones: what left git, as it last was, whether or not a table still has a row for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.duckdb import codec
from reconciler.adapters.duckdb.connection import fetch_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from reconciler.adapters.duckdb.touched import Touched
    from reconciler.model.change import Row

TABLE = "gitops.tombstones"
RECORD = (
    "SELECT resource, created_commit, created_at, updated_commit, updated_at, removed_commit, removed_at, prune "
    "FROM gitops.tombstones"
)


def find(connection: duckdb.DuckDBPyConnection, kind: str, row_id: str) -> Row | None:
    """The tombstone with this id."""
    record = fetch_first(connection, f"{RECORD} WHERE kind = ? AND id = ?", kind, row_id)
    return None if record is None else codec.tombstone_row(record)


def of_kind(connection: duckdb.DuckDBPyConnection, kind: str) -> list[Row]:
    """All tombstones of a kind."""
    return [codec.tombstone_row(one) for one in connection.execute(f"{RECORD} WHERE kind = ?", [kind]).fetchall()]


def update(connection: duckdb.DuckDBPyConnection, touched: Mapping[str, Touched]) -> None:
    """Write those of a step, and remove those of what is declared again."""
    for kind, rows in touched.items():
        ids = [row.resource.id for row in rows.declared]
        if ids:
            connection.execute(f"DELETE FROM {TABLE} WHERE kind = ? AND id IN (SELECT unnest(?::UUID[]))", [kind, ids])
    write(connection, [row for rows in touched.values() for row in rows.removed])


def clear(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove all."""
    connection.execute(f"DELETE FROM {TABLE}")


def write(connection: duckdb.DuckDBPyConnection, rows: Iterable[Row]) -> None:
    """Write some, over those that have the same ids."""
    records = [codec.tombstone_record(row) for row in rows]
    if records:
        with connection.appender(TABLE, action="upsert") as appender:
            appender.append_rows(records)
