"""The transaction that makes the live rows obey halts. It runs on the connection that it is given.

Whoever halts waits for no thread, so that is never the one that the writing thread reads with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.duckdb import intervals
from reconciler.adapters.duckdb.base import DuckDBBase
from reconciler.adapters.duckdb.connection import transaction
from reconciler.adapters.duckdb.halts import halt_events, obey_in, write_halts
from reconciler.adapters.duckdb.state import add_event
from reconciler.model.change import RowId
from reconciler.model.halt import Halts, HaltStep
from reconciler.tables.rows import rows_under
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied

MAX_TOLD = 10_000
"""Rows that a step of halts names; of more, only how many."""


class HaltUpdate(Struct, frozen=True):
    """From the halts that rows obey to others, at a time. `base` is what is live, `kinds` are those of the tables."""

    catalog: Catalog
    kinds: Kinds
    base: Applied | None
    before: Halts
    after: Halts
    at: datetime


def obey(connection: StoreConnection, update: HaltUpdate) -> HaltStep:
    """Make the rows obey, and tell which changed."""
    base, halts, kinds = update.base, update.after, update.kinds
    applied = None if base is None else replace(base, halts=halts.digest)
    changes = halts.changes_after(update.before.number)
    changed: dict[str, list[str]] = {}
    with transaction(connection):
        for kind in (kind for kind in kinds if kind.name in update.catalog):
            changed[kind.name] = obey_in(connection, kind, update.catalog[kind.name], halts)
        counts = {kind: len(rows) for kind, rows in changed.items() if rows}
        write_halts(connection, halts)
        for event in halt_events(halts, changes, base, counts):
            add_event(connection, event)
        if applied is not None and applied != base:
            timeline = intervals.read_timeline(connection)
            intervals.begin_interval(connection, timeline, applied.stamp.commit, applied.live_digest, update.at)
    return HaltStep(base, applied, counts, _rows(connection, update, changed), changes)


def _rows(
    connection: StoreConnection, update: HaltUpdate, changed: Mapping[str, Sequence[str]]
) -> tuple[Row, ...] | None:
    """The rows that changed, with what the halts make of them; None where there are very many."""
    ids = [RowId(kind, row) for kind, rows in changed.items() for row in rows]
    if len(ids) > MAX_TOLD:
        return None
    base = DuckDBBase(connection, update.catalog, update.kinds, lambda: True)
    return tuple(rows_under(update.after, update.kinds, base.some(ids)))
