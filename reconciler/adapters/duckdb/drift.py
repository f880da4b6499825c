"""The search for drift: `main.<table>` held against `desired.<table>`, column by column.

Drift is put right by copying what should be from `desired`, inside a transaction of the caller's.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import _duckdb as duckdb
from msgspec import Struct

from reconciler import canonical
from reconciler.adapters.duckdb.codec import values_as_found
from reconciler.adapters.duckdb.connection import REBUILD, fetch_first, fetch_number, first_line
from reconciler.adapters.duckdb.halts import read_said
from reconciler.adapters.duckdb.tables import (
    COLUMN,
    TABLE,
    create_indexes,
    create_table,
    drop_table,
    expected_structure,
    parts_of,
    read_structure,
)
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.rows import TABLE_ITSELF, Drift, Drifts, DriftType, differing_columns
from reconciler.tables.duckdb import DESIRED, LIVE, qualify, quote, quote_list

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog, Parts, StoredKind
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import RowId


class DriftScope(Struct, frozen=True):
    """What to look for: these kinds, less the rows (or tables) that are left alone, at most so many told."""

    kinds: Kinds
    leaving: Collection[RowId]
    limit: int


def scan_drift(connection: StoreConnection, catalog: Catalog, scope: DriftScope) -> Drifts:
    """What drifted, in order of kind and id, a kind's table before its rows.

    Raises `NeedsHuman` when `desired` was altered itself, so that nothing says what should be.
    """
    actual, expected = read_structure(connection), expected_structure(catalog)
    reported: list[Drift] = []
    counts: dict[str, int] = {}
    for kind in (kind for kind in scope.kinds if kind.name in catalog):
        stored = catalog[kind.name]
        _check_desired(stored, parts_of(actual, DESIRED, stored), parts_of(expected, DESIRED, stored))
        left = frozenset(row.id for row in scope.leaving if row.kind == kind.name)
        if TABLE_ITSELF in left:
            continue
        parts = parts_of(actual, LIVE, stored), parts_of(expected, LIVE, stored)
        pair = _TablePair(connection, kind, stored, parts, left)
        room = scope.limit - len(reported)
        differing = [*pair.table(), *pair.rows(room + 1)]
        counts[kind.name] = len(differing) if len(differing) <= room else pair.count()
        reported.extend(differing[:room])
    return Drifts(tuple(reported), {name: count for name, count in counts.items() if count})


def altered_tables(connection: StoreConnection, catalog: Catalog) -> Drifts:
    """The live tables that are not as they were made, without their rows."""
    actual, expected = read_structure(connection), expected_structure(catalog)
    pairs = ((stored, parts_of(actual, LIVE, stored), parts_of(expected, LIVE, stored)) for stored in catalog.values())
    reported = tuple(drift for pair in pairs for drift in _table(*pair))
    return Drifts(reported, {drift.kind: 1 for drift in reported})


def _table(stored: StoredKind, live: Parts, should: Parts) -> list[Drift]:
    if live == should:
        return []
    if not live:
        return [Drift(stored.name, TABLE_ITSELF, stored.table, DriftType.MISSING, None, should)]
    fields = tuple(part for part in dict.fromkeys((*should, *live)) if live.get(part) != should.get(part))
    before, after = ({part: of[part] for part in fields if part in of} for of in (live, should))
    return [Drift(stored.name, TABLE_ITSELF, stored.table, DriftType.CHANGED, before, after, fields)]


class _TablePair:
    """A kind's two tables: what is live, what should be, and the ids that are left alone."""

    def __init__(
        self,
        connection: StoreConnection,
        kind: Kind,
        stored: StoredKind,
        parts: tuple[Parts, Parts],
        leaving: Collection[str],
    ) -> None:
        self._connection = connection
        self._kind, self._stored = kind, stored
        self._live, self._should = parts
        self._leaving = list(leaving)
        columns = [name for name in stored.columns if kind.column(name) is not None]
        comparable = {name for name in (*columns, *TIMESTAMPS) if self._is_comparable(name)}
        self._columns = tuple(name for name in columns if name in comparable)
        self._stamps = tuple(name for name in TIMESTAMPS if name in comparable)
        self._compared = (*self._columns, *self._stamps)

    def table(self) -> list[Drift]:
        """What is wrong with the live table as such: one drift, or none."""
        return _table(self._stored, self._live, self._should)

    def rows(self, limit: int) -> list[Drift]:
        """At most so many rows that differ, in order of id."""
        if not self._are_comparable() or self._is_alike():
            return []
        name = quote(self._stored.declaration("name"))
        selected = (f"{side}.{quote(column)}" for side in ("found", "said") for column in self._compared)
        query = (
            f"SELECT {self._id}, said.{name}, found.{self._key} IS NULL, said.{self._key} IS NULL, "
            f"{', '.join(selected)} {self._differing} ORDER BY 1 LIMIT ?"
        )
        records = self._connection.execute(query, [self._leaving, limit]).fetchall()
        said = read_said(self._connection, self._kind, [str(record[0]) for record in records])
        return [self._drift(record, sorted(said.get(str(record[0]), ()))) for record in records]

    def count(self) -> int:
        """How much of it differs, the table and its rows."""
        rows = fetch_number(self._connection, f"SELECT count(*) {self._differing}", self._leaving)
        return rows + len(self.table())

    def _is_comparable(self, column: str) -> bool:
        part = COLUMN + column
        return part in self._live and self._live[part] == self._should[part]

    def _are_comparable(self) -> bool:
        return TABLE in self._live and self._stored.key in self._columns

    def _is_alike(self) -> bool:
        """Whether all rows are the same, as far as 64 bits of each tell: in a twentieth of the time of a join."""
        one, other = (
            fetch_first(
                self._connection,
                f"SELECT count(*), sum(hash({quote_list(self._compared)})) FROM {qualify(schema, self._stored.table)}",
            )
            for schema in (LIVE, DESIRED)
        )
        return one == other

    @property
    def _key(self) -> str:
        return quote(self._stored.key)

    @property
    def _id(self) -> str:
        return f"coalesce(found.{self._key}, said.{self._key})"

    @property
    def _differing(self) -> str:
        """NULLs are equal here, and NaNs, as in DuckDB's order of doubles; JSON is compared as it is written.

        https://duckdb.org/docs/stable/sql/expressions/comparison_operators
        """
        live, desired = (qualify(schema, self._stored.table) for schema in (LIVE, DESIRED))
        columns = (quote(column) for column in self._compared)
        unlike = " OR ".join(f"found.{column} IS DISTINCT FROM said.{column}" for column in columns)
        return (
            f"FROM {live} AS found FULL JOIN {desired} AS said ON found.{self._key} = said.{self._key} "
            f"WHERE ({unlike}) AND {self._id} IS NOT NULL AND {self._id} NOT IN (SELECT unnest(?::UUID[]))"
        )

    def _drift(self, record: Sequence[Any], halted: Collection[str]) -> Drift:
        row_id, name, is_missing, is_extra, *values = record
        found, said = values[: len(self._compared)], values[len(self._compared) :]
        fields = () if is_missing or is_extra else differing_columns(self._compared, found, said)
        return Drift(
            kind=self._kind.name,
            id=str(row_id),
            name=name,
            what=DriftType.MISSING if is_missing else DriftType.EXTRA if is_extra else DriftType.CHANGED,
            before=None if is_missing else self._values(found),
            after=None if is_extra else self._values(said),
            fields=fields,
            halted=tuple(name for name in fields if name in halted),
        )

    def _values(self, record: Sequence[Any]) -> dict[str, Any]:
        width = len(self._columns)
        values = values_as_found(self._kind, self._columns, record[:width])
        stamps = zip(self._stamps, record[width:], strict=True)
        return {**values, **{name: canonical.utc(at) if isinstance(at, datetime) else at for name, at in stamps}}


def _check_desired(stored: StoredKind, found: Parts, should: Parts) -> None:
    if found != should:
        raise NeedsHuman(
            f"{DESIRED}.{stored.table} was altered, so the store cannot tell what git says: no row was compared",
            hint=REBUILD,
        )


def heal(connection: StoreConnection, catalog: Catalog, found: Drifts) -> None:
    """Put right what is told: rows by their ids, a table by making it anew with all of its rows.

    Raises `NeedsHuman` when what should be does not fit, or when something of somebody's depends on a table.
    """
    by_kind: dict[str, list[Drift]] = {}
    for drift in found.reported:
        by_kind.setdefault(drift.kind, []).append(drift)
    for name, drifts in by_kind.items():
        try:
            if drifts[0].is_table:
                _make_anew(connection, catalog, name)
            else:
                _copy(connection, catalog[name], drifts)
        except duckdb.ConstraintException as error:
            raise NeedsHuman(
                f"what {DESIRED}.{catalog[name].table} holds as {name} does not fit, so somebody wrote there; "
                f"nothing was changed: {first_line(error)}",
                hint=REBUILD,
            ) from error


def _copy(connection: StoreConnection, stored: StoredKind, drifts: Sequence[Drift]) -> None:
    live, desired = qualify(LIVE, stored.table), qualify(DESIRED, stored.table)
    these = f"{quote(stored.key)} IN (SELECT unnest(?::UUID[]))"
    if extra := [drift.id for drift in drifts if drift.what is DriftType.EXTRA]:
        connection.execute(f"DELETE FROM {live} WHERE {these}", [extra])
    if others := [drift.id for drift in drifts if drift.what is not DriftType.EXTRA]:
        columns = quote_list((*stored.columns, *TIMESTAMPS))
        query = f"INSERT OR REPLACE INTO {live} ({columns}) SELECT {columns} FROM {desired} WHERE {these}"
        connection.execute(query, [others])


def _make_anew(connection: StoreConnection, catalog: Catalog, kind: str) -> None:
    stored, wanted = catalog[kind], expected_structure(catalog)
    parts = parts_of(wanted, LIVE, stored)
    drop_table(connection, LIVE, stored, parts_of(read_structure(connection), LIVE, stored))
    create_table(connection, parts)
    columns = quote_list((*stored.columns, *TIMESTAMPS))
    live, desired = qualify(LIVE, stored.table), qualify(DESIRED, stored.table)
    connection.execute(f"INSERT INTO {live} ({columns}) SELECT {columns} FROM {desired}")
    create_indexes(connection, parts)
