"""What the process is to load: the tables of the kinds, and the rows of two states, or those that differ."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.adapters.duckdb.sandbox.messages import Advance, Load, Pair, Touched
from reconciler.tables.duckdb import DESIRED, LIVE, declared_columns, listed, live_columns, qualified, quoted, tables
from reconciler.tables.rows import desired_values, is_live, live_values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row
    from reconciler.model.problem import Policy

    Records = list[tuple[Any, ...]]


def named(policies: Sequence[Policy], kinds: Kinds) -> frozenset[str]:
    """The kinds whose tables any policy names: there is no other way to them, so the rest is not loaded."""
    texts = "\n".join(policy.sql for policy in policies).lower()
    return frozenset(kind.name for kind in kinds if _as_written(kind) in texts)


def load(names: Collection[str], kinds: Kinds, live: Iterable[Row], desired: Iterable[Row] | None = None) -> Load:
    """Two states as a store would hold them, in tables without keys, checks and indexes; or `live` in both.

    Rows of other kinds than those named are left out. What an old row lacks of a kind's columns is NULL.
    """
    members = {kind.name: kind for kind in kinds if kind.name in names}
    statements = (f"CREATE SCHEMA {DESIRED}", *(one for kind in kinds for one in _statements(kind)))
    pairs = {kind.name: _pair(kind) for kind in kinds}
    after = _by_kind(members, live if desired is None else desired)
    wide = {name: [desired_values(members[name], row) for row in rows] for name, rows in after.items()}
    if desired is None:
        return Load(statements, pairs, wide, None)
    # Most rows are the same in both states, and spelling out their JSON is what takes the time.
    spelt = {id(row): values for name in members for row, values in zip(after[name], wide[name], strict=True)}
    narrow = {
        name: [
            spelt[id(row)][: pairs[name].width] if id(row) in spelt else live_values(members[name], row) for row in rows
        ]
        for name, rows in _by_kind(members, live).items()
    }
    return Load(statements, pairs, wide, narrow)


def advance(names: Collection[str], kinds: Kinds, rows: Iterable[Row], *, settled: bool) -> Advance:
    """The next state, by the rows that differ. `settled` as in `Advance`."""
    touched: dict[str, tuple[list[str], Records]] = {}
    for row in rows:
        kind = kinds.by_name.get(row.resource.kind)
        if kind is None or kind.name not in names:
            continue
        ids, records = touched.setdefault(kind.name, ([], []))
        ids.append(row.resource.id)
        if is_live(kind, row):
            records.append(desired_values(kind, row))
    return Advance(settled, {name: Touched(tuple(ids), records) for name, (ids, records) in touched.items()})


def _as_written(kind: Kind) -> str:
    """A table's name as a policy has to write it, in lower case: quotes are doubled."""
    return quoted(kind.table)[1:-1].lower()


@lru_cache(maxsize=64)
def _statements(kind: Kind) -> tuple[str, ...]:
    """A table that is made from a query has that one's columns and no constraint."""
    desired, live = qualified(DESIRED, kind.table), qualified(LIVE, kind.table)
    return (
        tables(kind).desired,
        f"CREATE OR REPLACE TABLE {desired} AS FROM {desired}",
        f"CREATE TABLE {live} AS SELECT {listed(live_columns(kind))} FROM {desired}",
    )


@lru_cache(maxsize=64)
def _pair(kind: Kind) -> Pair:
    live = live_columns(kind)
    return Pair(kind.table, kind.key, (*live, *declared_columns(kind)), len(live))


def _by_kind(kinds: dict[str, Kind], rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {name: [] for name in kinds}
    for row in rows:
        kind = kinds.get(row.resource.kind)
        if kind is not None and is_live(kind, row):
            found[kind.name].append(row)
    return found
