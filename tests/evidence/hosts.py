"""Hosts that work for some days, with a root for each; and what somebody with access to their databases does there."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.store import open_store
from reconciler.evidence.chain import ROOT_MADE
from reconciler.model.host import HostEvent
from reconciler.reconcile.roots import make_root, parse_roots
from tests.support.kinds import KINDS, owner, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.evidence.chain import Root, Signature, SignedRoot, Span
    from reconciler.model.intervals import LiveInterval
    from reconciler.ports import Store

HOST = "desk-1"
MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DAYS, COMMITS = 3, 4


def unsigned(_: bytes) -> Signature | None:
    return None


class DayClock:
    """A clock that somebody moves on, and moves on by a second each time it is looked at."""

    def __init__(self, moment: datetime = MORNING) -> None:
        self.moment = moment

    def now(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


def work(store: Store, clock: DayClock, days: int = DAYS, sign: Callable[[bytes], Signature | None] = unsigned) -> None:
    """Bring some commits live each day, with other events between, and make a root the morning after."""
    store.bind(owner("origin", "main"))
    made = store.newest_intervals(1)
    number = made[0].seq if made else 0
    for _ in range(days):
        for _ in range(COMMITS):
            number += 1
            store.apply(KINDS, step(number))
        store.record_event("halt-drilled", {"rows": number, "seconds": 0.25, "actor": "the daemon", "error": ""})
        clock.moment = datetime.combine(clock.moment.date() + timedelta(days=1), MORNING.timetz())
        assert make_root(store, HOST, clock.now(), sign) is not None


@contextmanager
def working(folder: Path, sign: Callable[[bytes], Signature | None] = unsigned) -> Iterator[DuckDBStore]:
    """A host after some days of work; today it has done a little more."""
    clock = DayClock()
    with open_store(folder, clock) as store:
        work(store, clock, sign=sign)
        store.record_event("halt-drilled", {"rows": 1, "seconds": 0.5, "actor": "the daemon", "error": ""})
        yield store


def signed_roots(store: Store) -> list[SignedRoot]:
    """The roots of a store, the oldest first."""
    return list(reversed(parse_roots(store.events(99, only=(ROOT_MADE,)))))


def roots(store: Store) -> list[Root]:
    return [one.root for one in signed_roots(store)]


class Rows:
    """What a database holds of a host, as values that a test alters."""

    def __init__(self, events: Sequence[HostEvent], intervals: Sequence[LiveInterval]) -> None:
        self.events, self.intervals = list(events), list(intervals)

    @classmethod
    def of(cls, store: Store) -> Rows:
        return cls(store.events_after(0, 999), store.intervals_after(0, 999))

    def events_in(self, span: Span) -> list[HostEvent]:
        found = (one for one in self.events if one.store == span.store and span.after < one.seq <= span.to)
        return sorted(found, key=lambda one: one.seq)

    def intervals_in(self, span: Span) -> list[LiveInterval]:
        mine = (one for one in self.intervals if one.store == span.store)
        return [one for one in mine if span.after < one.seq <= span.to or span.after < one.change <= span.to]


def event_of(seq: int, store: str) -> HostEvent:
    """An event that never happened."""
    return HostEvent(seq, MORNING, "resumed", None, None, 0, {"actor": "nobody"}, store)
