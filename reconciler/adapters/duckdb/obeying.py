"""The transaction that makes the live rows obey halts. It runs on the connection that it is given.

Whoever halts waits for no thread, so that is never the one that the writing thread reads with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.duckdb import intervals
from reconciler.adapters.duckdb.base import DuckDBBase
from reconciler.adapters.duckdb.connection import AlteredStore, first_line, transaction
from reconciler.adapters.duckdb.drift import altered_tables, heal
from reconciler.adapters.duckdb.halts import (
    halt_events,
    obey_in,
    switch_off,
    switch_off_blindly,
    write_halts,
)
from reconciler.adapters.duckdb.state import add_event
from reconciler.errors import ReconcilerError
from reconciler.model.change import RowId
from reconciler.model.halt import HALT_FAILED, Halts, HaltStep
from reconciler.model.host import HostEvent
from reconciler.model.rows import DRIFT_HEALED
from reconciler.tables.rows import rows_under
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.tables import Catalog, StoredKind
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied

    Way = Callable[[StoreConnection, Kind, StoredKind, Halts], list[str]]

MAX_TOLD = 10_000
"""Rows that a step of halts names; of more, only how many."""
WAYS = (obey_in, switch_off, switch_off_blindly)
"""How the rows of a kind are made to obey: each where the one before fails."""
FAILED = (
    "its live rows are off, but what git says of them cannot be kept",
    "those of its live rows that are named, or all, are off; labels cannot be read",
    "its rows stay as they were",
)
"""What that means after each failure."""


class HaltUpdate(Struct, frozen=True):
    """From the halts that rows obey to others, at a time. `base` is what is live, `kinds` are those of the tables."""

    catalog: Catalog
    kinds: Kinds
    base: Applied | None
    before: Halts
    after: Halts
    at: datetime


class KindRefused(Exception):
    """The tables of a kind do not take what halts make of its rows."""

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(why)
        self.kind, self.why = kind, why


def obey(connection: StoreConnection, update: HaltUpdate, before: Mapping[str, str]) -> HaltStep | None:
    """Make the rows obey, of all kinds that let them, and tell which changed.

    A live table that somebody altered is made anew. Where what git says of a kind cannot be kept, its live rows are
    switched off all the same. A kind that is in the way keeps no other on; `before` are those that failed last time.
    None where nothing is new.
    """
    mended: set[str] = set()
    failures: dict[str, list[str]] = {}
    while True:
        try:
            return _try(connection, update, before, failures)
        except KindRefused as refused:
            kind, why = refused.kind, refused.why
        if kind.name not in mended:
            mended.add(kind.name)
            try:
                if _mend(connection, update, kind):
                    continue
            except ReconcilerError as error:
                why = str(error)
        found = failures.setdefault(kind.name, [])
        found += [why] * (1 if update.after.standing else len(WAYS))


def _try(
    connection: StoreConnection, update: HaltUpdate, before: Mapping[str, str], failures: Mapping[str, Sequence[str]]
) -> HaltStep | None:
    """One transaction. Raises `KindRefused` for the first kind that is in the way; `failures` are those so far."""
    base, halts, kinds = update.base, update.after, update.kinds
    failed = {name: f"{FAILED[len(found) - 1]}: {found[0]}" for name, found in failures.items()}
    applied = None if base is None else replace(base, halts=halts.digest_without(failed))
    changes = halts.changes_after(update.before.number)
    changed: dict[str, list[str]] = {}
    with transaction(connection):
        for kind in kinds:
            ways = WAYS[len(failures.get(kind.name, ())) :]
            if kind.name in update.catalog and ways:
                changed[kind.name] = _obey_in(connection, update, kind, ways[0])
        counts = {kind: len(rows) for kind, rows in changed.items() if rows}
        if not counts and halts == update.before and failed == before:
            return None
        write_halts(connection, halts, failed)
        for event in (*halt_events(halts, changes, base, counts), *_failures(update, before, failed)):
            add_event(connection, event)
        if applied is not None and applied != base:
            timeline = intervals.read_timeline(connection)
            intervals.begin_interval(connection, timeline, applied.stamp.commit, applied.live_digest, update.at)
    rows = None if counts.keys() & failed.keys() else _rows(connection, update, changed)
    return HaltStep(base, applied, counts, rows, changes, failed)


def _obey_in(connection: StoreConnection, update: HaltUpdate, kind: Kind, way: Way) -> list[str]:
    try:
        return way(connection, kind, update.catalog[kind.name], update.after)
    except duckdb.Error as error:
        raise KindRefused(kind, first_line(error)) from error
    except AlteredStore as error:
        raise KindRefused(kind, str(error)) from error


def _mend(connection: StoreConnection, update: HaltUpdate, kind: Kind) -> bool:
    """Whether the live table of a kind was altered, and is as it should be now."""
    only = {kind.name: update.catalog[kind.name]}
    with transaction(connection):
        drifts = altered_tables(connection, only)
        if drifts.reported:
            heal(connection, update.catalog, drifts)
            commit, digest = (update.base.stamp.commit, update.base.digest) if update.base else (None, None)
            add_event(connection, HostEvent(0, update.at, DRIFT_HEALED, commit, digest, 0, drifts.detail()))
    return bool(drifts.reported)


def _failures(update: HaltUpdate, before: Mapping[str, str], failed: Mapping[str, str]) -> Iterator[HostEvent]:
    """That other kinds than before are in the way, or none any more."""
    if failed.keys() != before.keys():
        commit, digest = (update.base.stamp.commit, update.base.digest) if update.base else (None, None)
        yield HostEvent(0, update.at, HALT_FAILED, commit, digest, 0, {"failed": dict(failed)})


def _rows(
    connection: StoreConnection, update: HaltUpdate, changed: Mapping[str, Sequence[str]]
) -> tuple[Row, ...] | None:
    """The rows that changed, with what the halts make of them; None where there are very many."""
    ids = [RowId(kind, row) for kind, rows in changed.items() for row in rows]
    if len(ids) > MAX_TOLD:
        return None
    base = DuckDBBase(connection, update.catalog, update.kinds, lambda: True)
    return tuple(rows_under(update.after, update.kinds, base.some(ids)))
