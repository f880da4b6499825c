"""What the process is to load: the tables of the kinds, and the rows of two states."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.adapters.duckdb.sandbox.messages import Load
from reconciler.tables.duckdb import DESIRED, LIVE, listed, live_columns, qualified, quoted, tables
from reconciler.tables.rows import desired_values, is_live, live_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.kinds.registry import Kinds
    from reconciler.model.change import Row
    from reconciler.model.policy import Policy

    Records = list[tuple[Any, ...]]


def load(policies: Sequence[Policy], kinds: Kinds, live: Iterable[Row], desired: Iterable[Row]) -> Load:
    """The two states as a store would hold them, in tables without keys, checks and indexes.

    Rows of other kinds are left out, and those of tables that no policy names: there is no other way to one. What an
    old row lacks of a kind's columns is NULL.
    """
    texts = "\n".join(policy.sql for policy in policies).lower()
    named = {kind.name: kind for kind in kinds if _as_written(kind) in texts}
    rows: dict[str, Records] = {}
    before, after = _by_kind(named, live), _by_kind(named, desired)
    for kind in named.values():
        wide = {id(row): desired_values(kind, row) for row in after[kind.name]}
        width = len(live_columns(kind))
        # Most rows are the same in both states, and spelling out their JSON is what takes the time.
        narrow = [wide[id(row)][:width] if id(row) in wide else live_values(kind, row) for row in before[kind.name]]
        rows[qualified(DESIRED, kind.table)] = list(wide.values())
        rows[qualified(LIVE, kind.table)] = narrow
    statements = (f"CREATE SCHEMA {DESIRED}", *(one for kind in kinds for one in _statements(kind)))
    return Load(statements, {table: found for table, found in rows.items() if found})


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


def _by_kind(kinds: dict[str, Kind], rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {name: [] for name in kinds}
    for row in rows:
        kind = kinds.get(row.resource.kind)
        if kind is not None and is_live(kind, row):
            found[kind.name].append(row)
    return found
