"""From one state of the rows to the next, inside a transaction of the caller's.

A kind's two tables are made anew for a first state, for another schema, and when most rows change. The way is always
the same, so that a table that was migrated is like one that was always so: set the rows that stay aside, drop,
create, fill, bring the rows back, and index at the end (an index that is there while most rows change costs five
times what they do).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import _duckdb as duckdb

from reconciler.adapters.duckdb.base import DuckDBBase
from reconciler.adapters.duckdb.codec import (
    clear_tombstones,
    remove_tombstones,
    tombstones_of_kind,
    write_tombstones,
)
from reconciler.adapters.duckdb.connection import fetch_number, first_line
from reconciler.adapters.duckdb.halts import forget_kind, note_written, rehalted_kinds
from reconciler.adapters.duckdb.tables import catalog_of, drop_table, parts_of, read_structure
from reconciler.errors import BugError, NeedsHuman
from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.kinds.names import declared_name
from reconciler.tables.duckdb import (
    DESIRED,
    LIVE,
    declared_columns,
    live_columns,
    lookup_columns,
    make_tables,
    qualify,
    quote,
    quote_list,
)
from reconciler.tables.rows import desired_values, is_live, live_values, with_halts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog, StoredKind
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row
    from reconciler.model.halt import Halts


@dataclass(slots=True)
class KindChanges:
    """One kind's rows of a step: what git declares, and what left it."""

    declared: list[Row] = field(default_factory=list)
    removed: list[Row] = field(default_factory=list)

    def ids(self) -> list[str]:
        """The ids of all of them."""
        return [row.resource.id for row in (*self.declared, *self.removed)]

    def live(self, kind: Kind, halts: Halts) -> list[Row]:
        """Those that stand in the tables, with what halts make of them."""
        rows = self.declared + [row for row in self.removed if is_live(kind, row)]
        return [with_halts(kind, row, halts) for row in rows] if halts.standing else rows

    def dead(self, kind: Kind) -> list[str]:
        """The ids of those that leave the tables."""
        return [row.resource.id for row in self.removed if not is_live(kind, row)]


def sort_by_kind(kinds: Kinds, rows: Iterable[Row]) -> dict[str, KindChanges]:
    """The rows by the names of their kinds, each of the given kinds among them.

    Raises `BugError` for a row that comes twice, or that is declared but of none of these kinds.
    """
    seen: defaultdict[str, set[str]] = defaultdict(set)
    sorted_rows = {kind.name: KindChanges() for kind in kinds}
    for row in rows:
        name, row_id = row.resource.kind, row.resource.id
        if row_id in seen[name]:
            raise BugError(f"a step holds {name} {row_id} twice")
        seen[name].add(row_id)
        if row.removed is not None:
            sorted_rows.setdefault(name, KindChanges()).removed.append(row)
        elif name in kinds.by_name:
            sorted_rows[name].declared.append(row)
        else:
            raise BugError(f"a step declares {name}/{row.resource.name}, but there is no kind {name}")
    return sorted_rows


def set_rows_aside(connection: StoreConnection, stored: StoredKind, without: Sequence[str]) -> None:
    """Copy the rows of both tables to temporary ones, less those with some ids."""
    for schema in (LIVE, DESIRED):
        connection.execute(
            f"CREATE TEMPORARY TABLE {_aside(schema, stored)} AS SELECT * FROM {qualify(schema, stored.table)} "
            f"WHERE {quote(stored.key)} NOT IN (SELECT unnest(?::UUID[]))",
            [without],
        )


def drop_tables(connection: StoreConnection, stored: StoredKind) -> None:
    """Drop both tables, or what somebody made of them. Raises `NeedsHuman` when something depends on one."""
    there = read_structure(connection)
    for schema in (LIVE, DESIRED):
        drop_table(connection, schema, stored, parts_of(there, schema, stored))


def create_tables(connection: StoreConnection, kind: Kind, rows: Iterable[Row]) -> None:
    """Create both tables, without their indexes, with some rows."""
    definitions = make_tables(kind)
    connection.execute(definitions.live)
    connection.execute(definitions.desired)
    desired = qualify(DESIRED, kind.table)
    with connection.appender(desired) as appender:
        appender.append_rows(desired_values(kind, row) for row in rows)
    columns = quote_list(live_columns(kind))
    connection.execute(f"INSERT INTO {qualify(LIVE, kind.table)} SELECT {columns} FROM {desired}")


def bring_rows_back(connection: StoreConnection, kind: Kind, stored: StoredKind) -> None:
    """Copy what was set aside into the new tables. Raises `NeedsHuman` for rows that do not fit there."""
    mapping = {name: name for name in live_columns(kind) if name in (*stored.columns, *TIMESTAMPS)}
    declared = dict(zip(declared_columns(kind), stored.declared, strict=True))
    try:
        _copy_back(connection, LIVE, kind, stored, mapping)
        _copy_back(connection, DESIRED, kind, stored, mapping | declared)
    except (duckdb.ConstraintException, duckdb.ConversionException) as error:
        raise NeedsHuman(
            f"rows of {kind.name} do not fit its new schema, nothing was changed: {first_line(error)}",
            hint=f"let the schema of {kind.name} allow what these rows hold, as the one before did",
        ) from error


def _copy_back(
    connection: StoreConnection, schema: str, kind: Kind, stored: StoredKind, mapping: dict[str, str]
) -> None:
    aside, target = _aside(schema, stored), qualify(schema, kind.table)
    connection.execute(
        f"INSERT INTO {target} ({quote_list(mapping)}) SELECT {quote_list(mapping.values())} FROM {aside}"
    )
    connection.execute(f"DROP TABLE {aside}")


def index_tables(connection: StoreConnection, kind: Kind) -> None:
    """Create the indexes of both tables."""
    for statement in make_tables(kind).indexes:
        connection.execute(statement)


def _aside(schema: str, stored: StoredKind) -> str:
    return f"temp.{quote(f'{schema}.{stored.table}')}"


MAX_SINGLE_ROWS = 16
"""Rows that are written one by one."""
PLAIN = frozenset({SqlType.UUID, SqlType.VARCHAR})
"""Types of which two values that are equal are the same."""
REBUILD_ROWS = 1_000
REBUILD_SHARE = 0.25
"""More rows than this, and than this share of a table, are quicker written by making the table anew (measured)."""


def advance(connection: StoreConnection, catalog: Catalog, kinds: Kinds, rows: Iterable[Row], halts: Halts) -> bool:
    """Write the touched rows, as halts leave them; every other stays, in tables that are those of these kinds.

    Returns whether rows may have come or gone: False when those that were there have other values, and no more.
    """
    given = tuple(rows)
    touched = sort_by_kind(kinds, (*given, *_rehalted(connection, catalog, kinds, given, halts)))
    write_tombstones(connection, [row for rows in touched.values() for row in rows.removed])
    gone = [stored for name, stored in catalog.items() if name not in kinds.by_name]
    for stored in gone:
        _check_empty(connection, stored, touched.get(stored.name, KindChanges()).ids())
        drop_tables(connection, stored)
        forget_kind(connection, stored.name)
    anew = [kind for kind in kinds if _must_rebuild(connection, kind, catalog.get(kind.name), touched[kind.name])]
    for kind in anew:
        _remove_tombstones(connection, kind, touched[kind.name].declared)
    _rebuild(connection, catalog, anew, touched, halts)
    names = {kind.name for kind in anew}
    resized = [_write(connection, kind, touched[kind.name], halts) for kind in kinds if kind.name not in names]
    return bool(gone or anew) or any(resized)


def _rehalted(
    connection: StoreConnection, catalog: Catalog, kinds: Kinds, rows: Sequence[Row], halts: Halts
) -> Iterator[Row]:
    """The rows beside those of a step that halts leave otherwise now: the schema of their kind says another thing."""
    names = rehalted_kinds(catalog, kinds, halts)
    if names:
        known = {row.row_id for row in rows}
        others = list(DuckDBBase(connection, catalog, kinds, lambda: True).rows())
        yield from (row for row in others if row.resource.kind in names and row.row_id not in known)


def replace_all(connection: StoreConnection, catalog: Catalog, kinds: Kinds, rows: Iterable[Row], halts: Halts) -> None:
    """Drop everything, whatever somebody made of it, and hold exactly these rows, as halts leave them."""
    touched = sort_by_kind(kinds, rows)
    for stored in (*catalog.values(), *catalog_of(kinds).values()):
        drop_tables(connection, stored)
        forget_kind(connection, stored.name)
    clear_tombstones(connection)
    write_tombstones(connection, [row for rows in touched.values() for row in rows.removed])
    for kind in kinds:
        _create_tables(connection, kind, touched[kind.name], halts)
        index_tables(connection, kind)


def _create_tables(connection: StoreConnection, kind: Kind, rows: KindChanges, halts: Halts) -> None:
    live = rows.live(kind, halts)
    create_tables(connection, kind, live)
    if halts.standing:
        note_written(connection, kind.name, rows.ids(), live)


def _remove_tombstones(connection: StoreConnection, kind: Kind, rows: Iterable[Row]) -> None:
    """Remove those of what is declared again."""
    ids = [row.resource.id for row in rows if row.removed is None]
    if ids:
        remove_tombstones(connection, kind.name, ids)


def _must_rebuild(connection: StoreConnection, kind: Kind, stored: StoredKind | None, touched: KindChanges) -> bool:
    if stored is None or stored.definition != make_tables(kind).definition:
        return True
    many = len(touched.declared) + len(touched.removed)
    if many <= REBUILD_ROWS:
        return False
    return many > REBUILD_SHARE * fetch_number(connection, f"SELECT count(*) FROM {qualify(DESIRED, stored.table)}")


def _rebuild(
    connection: StoreConnection,
    catalog: Catalog,
    kinds: Sequence[Kind],
    touched: dict[str, KindChanges],
    halts: Halts,
) -> None:
    """All are set aside before any is dropped or created: a table's name may pass from one kind to another.

    Tombstones are written again, as a rebuilt store would have them: under another schema they may look different.
    """
    rows = {
        kind.name: KindChanges(touched[kind.name].declared, tombstones_of_kind(connection, kind.name)) for kind in kinds
    }
    before = {name: catalog[name] for name in rows if name in catalog}
    for name, stored in before.items():
        set_rows_aside(connection, stored, rows[name].ids())
    for stored in before.values():
        drop_tables(connection, stored)
    for kind in kinds:
        _create_tables(connection, kind, rows[kind.name], halts)
        if kind.name in before:
            bring_rows_back(connection, kind, before[kind.name])
        index_tables(connection, kind)


def _write(connection: StoreConnection, kind: Kind, touched: KindChanges, halts: Halts) -> bool:
    """Whether rows may have come or gone."""
    written = touched.live(kind, halts)
    if halts.standing and touched.ids():
        note_written(connection, kind.name, touched.ids(), written)
    live, desired = qualify(LIVE, kind.table), qualify(DESIRED, kind.table)
    these = f"{quote(kind.key)} IN (SELECT unnest(?::UUID[]))"
    if dead := touched.dead(kind):
        connection.execute(f"DELETE FROM {live} WHERE {these}", [dead])
        connection.execute(f"DELETE FROM {desired} WHERE {these}", [dead])
    if rows := _not_there(connection, kind, written):
        _remove_tombstones(connection, kind, rows)
        with connection.appender(desired, action="upsert") as appender:
            appender.append_rows(desired_values(kind, row) for row in rows)
        ids = [row.resource.id for row in rows]
        columns = quote_list(live_columns(kind))
        connection.execute(
            f"INSERT OR REPLACE INTO {live} ({columns}) SELECT {columns} FROM {desired} WHERE {these}", [ids]
        )
    return bool(dead or rows)


def _not_there(connection: StoreConnection, kind: Kind, rows: list[Row]) -> list[Row]:
    """The rows that are left to insert. Of few, those that are there are updated: a fifth of an upsert's time.

    What is declared there has no tombstone, so that none is looked for.
    """
    if len(rows) > MAX_SINGLE_ROWS:
        return rows
    return [row for row in rows if not (_updated(connection, kind, row) and _updated_live(connection, kind, row))]


def _updated(connection: StoreConnection, kind: Kind, row: Row) -> bool:
    columns = (*live_columns(kind), *declared_columns(kind))
    declared = f"{quote(declared_name(kind, 'path'))} IS NOT NULL"
    return _update(connection, DESIRED, kind, dict(zip(columns, desired_values(kind, row), strict=True)), row, declared)


def _updated_live(connection: StoreConnection, kind: Kind, row: Row) -> bool:
    return _update(connection, LIVE, kind, dict(zip(live_columns(kind), live_values(kind, row), strict=True)), row)


def _update(
    connection: StoreConnection, schema: str, kind: Kind, values: dict[str, Any], row: Row, which: str = "true"
) -> bool:
    """Whether there was such a row, of which a condition holds.

    Of one that is not new, columns with an index mostly hold what they shall. These are left alone then: DuckDB writes
    the row anew, and in all indexes, when one of them is set, whatever to.
    """
    key, table = values.pop(kind.key), qualify(schema, kind.table)
    where = f"WHERE {quote(kind.key)} = ?::UUID AND {which}"
    kept = {} if row.created == row.updated else {name: values[name] for name in _indexed(schema, kind)}
    if kept:
        same = "".join(f" AND {quote(name)} IS NOT DISTINCT FROM ?" for name in kept)
        others = {name: value for name, value in values.items() if name not in kept}
        if _set(connection, table, others, f"{where}{same}", key, *kept.values()):
            return True
    return _set(connection, table, values, where, key)


def _indexed(schema: str, kind: Kind) -> tuple[str, ...]:
    """The columns of a table, beside the key, that have an index, and of which equal values are the same."""
    if schema == DESIRED:
        return lookup_columns(kind)
    names = {name for columns in kind.indexes for name in columns} - {kind.key}
    return tuple(column.name for column in kind.columns if column.name in names and column.type in PLAIN)


def _set(connection: StoreConnection, table: str, values: dict[str, Any], where: str, *given: object) -> bool:
    settings = ", ".join(f"{quote(name)} = ?" for name in values)
    return fetch_number(connection, f"UPDATE {table} SET {settings} {where}", *values.values(), *given) > 0


def _check_empty(connection: StoreConnection, stored: StoredKind, leaving: Sequence[str]) -> None:
    """A kind may only go when git declares nothing of it any more; what was deactivated goes with it."""
    path = quote(stored.declaration("path"))
    left = fetch_number(
        connection,
        f"SELECT count(*) FROM {qualify(DESIRED, stored.table)} "
        f"WHERE {path} IS NOT NULL AND {quote(stored.key)} NOT IN (SELECT unnest(?::UUID[]))",
        leaving,
    )
    if left:
        raise NeedsHuman(
            f"the kind {stored.name} is gone, but {left} rows of it are still declared, nothing was changed",
            hint=f"bring the schema of {stored.name} back, or delete its resources in the same commit",
        )
