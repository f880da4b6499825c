"""From one state of the rows to the next, inside a transaction of the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.adapters.duckdb import rebuild, tombstones
from reconciler.adapters.duckdb.catalog import of_kinds
from reconciler.adapters.duckdb.connection import fetch_number
from reconciler.adapters.duckdb.touched import Touched, sort
from reconciler.errors import NeedsHuman
from reconciler.tables.duckdb import DESIRED, LIVE, declared_columns, listed, live_columns, qualified, quoted, tables
from reconciler.tables.rows import desired_values, live_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from reconciler.adapters.duckdb.catalog import Catalog, StoredKind
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row

FEW = 16
"""Rows that are written one by one."""
MANY = 1_000
MOST = 0.25
"""More rows than `MANY`, and than this share of a table, are quicker written by making the table anew (measured)."""


def advance(connection: duckdb.DuckDBPyConnection, catalog: Catalog, kinds: Kinds, rows: Iterable[Row]) -> None:
    """Write the touched rows; every other stays, in tables that are those of these kinds."""
    touched = sort(kinds, rows)
    tombstones.update(connection, touched)
    gone = [stored for name, stored in catalog.items() if name not in kinds.by_name]
    for stored in gone:
        _check_empty(connection, stored, touched.get(stored.name, Touched()).ids())
        rebuild.drop(connection, stored)
    anew = [kind for kind in kinds if _anew(connection, kind, catalog.get(kind.name), touched[kind.name])]
    _rebuild(connection, catalog, anew, touched)
    names = {kind.name for kind in anew}
    for kind in kinds:
        if kind.name not in names:
            _write(connection, kind, touched[kind.name])


def start_over(connection: duckdb.DuckDBPyConnection, catalog: Catalog, kinds: Kinds, rows: Iterable[Row]) -> None:
    """Drop everything, whatever somebody made of it, and hold exactly these rows."""
    touched = sort(kinds, rows)
    for stored in (*catalog.values(), *of_kinds(kinds).values()):
        rebuild.drop(connection, stored)
    tombstones.clear(connection)
    tombstones.write(connection, [row for rows in touched.values() for row in rows.removed])
    for kind in kinds:
        rebuild.create(connection, kind, touched[kind.name].live(kind))
        rebuild.index(connection, kind)


def _anew(connection: duckdb.DuckDBPyConnection, kind: Kind, stored: StoredKind | None, touched: Touched) -> bool:
    if stored is None or stored.definition != tables(kind).definition:
        return True
    many = len(touched.declared) + len(touched.removed)
    if many <= MANY:
        return False
    return many > MOST * fetch_number(connection, f"SELECT count(*) FROM {qualified(DESIRED, stored.table)}")


def _rebuild(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, kinds: Sequence[Kind], touched: dict[str, Touched]
) -> None:
    """All are set aside before any is dropped or created: a table's name may pass from one kind to another.

    Tombstones are written again, as a rebuilt store would have them: under another schema they may look different.
    """
    rows = {
        kind.name: Touched(touched[kind.name].declared, tombstones.of_kind(connection, kind.name)) for kind in kinds
    }
    before = {name: catalog[name] for name in rows if name in catalog}
    for name, stored in before.items():
        rebuild.set_aside(connection, stored, rows[name].ids())
    for stored in before.values():
        rebuild.drop(connection, stored)
    for kind in kinds:
        rebuild.create(connection, kind, rows[kind.name].live(kind))
        if kind.name in before:
            rebuild.bring_back(connection, kind, before[kind.name])
        rebuild.index(connection, kind)


def _write(connection: duckdb.DuckDBPyConnection, kind: Kind, touched: Touched) -> None:
    live, desired = qualified(LIVE, kind.table), qualified(DESIRED, kind.table)
    these = f"{quoted(kind.key)} IN (SELECT unnest(?::UUID[]))"
    if dead := touched.dead(kind):
        connection.execute(f"DELETE FROM {live} WHERE {these}", [dead])
        connection.execute(f"DELETE FROM {desired} WHERE {these}", [dead])
    if rows := _not_there(connection, kind, touched.live(kind)):
        with connection.appender(desired, action="upsert") as appender:
            appender.append_rows(desired_values(kind, row) for row in rows)
        ids = [row.resource.id for row in rows]
        columns = listed(live_columns(kind))
        connection.execute(
            f"INSERT OR REPLACE INTO {live} ({columns}) SELECT {columns} FROM {desired} WHERE {these}", [ids]
        )


def _not_there(connection: duckdb.DuckDBPyConnection, kind: Kind, rows: list[Row]) -> list[Row]:
    """The rows that are left to insert. Of few, those that are there are updated: a fifth of an upsert's time."""
    if len(rows) > FEW:
        return rows
    return [row for row in rows if not (_updated(connection, kind, row) and _updated_live(connection, kind, row))]


def _updated(connection: duckdb.DuckDBPyConnection, kind: Kind, row: Row) -> bool:
    columns = (*live_columns(kind), *declared_columns(kind))
    return _update(
        connection, qualified(DESIRED, kind.table), kind, dict(zip(columns, desired_values(kind, row), strict=True))
    )


def _updated_live(connection: duckdb.DuckDBPyConnection, kind: Kind, row: Row) -> bool:
    values = dict(zip(live_columns(kind), live_values(kind, row), strict=True))
    return _update(connection, qualified(LIVE, kind.table), kind, values)


def _update(connection: duckdb.DuckDBPyConnection, table: str, kind: Kind, values: dict[str, Any]) -> bool:
    """Whether there was such a row."""
    key = values.pop(kind.key)
    settings = ", ".join(f"{quoted(name)} = ?" for name in values)
    query = f"UPDATE {table} SET {settings} WHERE {quoted(kind.key)} = ?::UUID"
    return fetch_number(connection, query, *values.values(), key) > 0


def _check_empty(connection: duckdb.DuckDBPyConnection, stored: StoredKind, leaving: Sequence[str]) -> None:
    """A kind may only go when git declares nothing of it any more; what was deactivated goes with it."""
    path = quoted(stored.declaration("path"))
    left = fetch_number(
        connection,
        f"SELECT count(*) FROM {qualified(DESIRED, stored.table)} "
        f"WHERE {path} IS NOT NULL AND {quoted(stored.key)} NOT IN (SELECT unnest(?::UUID[]))",
        leaving,
    )
    if left:
        raise NeedsHuman(
            f"the kind {stored.name} is gone, but {left} rows of it are still declared, nothing was changed",
            hint=f"bring the schema of {stored.name} back, or delete its resources in the same commit",
        )
