"""What was live is told by the order of what happened, whatever the clock did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.store import open_store
from reconciler.history.live import LiveHistory
from tests.support.kinds import KINDS, owner, stamp, step
from tests.support.laws import examples
from tests.support.memory.ledger import MemoryLedger
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.ports import Store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)


class MovableClock:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        """The time that was set last."""
        return self.time


class Host:
    """A host on which commits go live, and what it says was live."""

    def __init__(self, store: Store, clock: MovableClock) -> None:
        self.store, self.clock = store, clock
        store.bind(owner("origin", "main"))

    def apply(self, number: int, at: datetime) -> None:
        self.clock.time = at
        self.store.apply(KINDS, step(number))

    def at(self, moment: datetime) -> str | None:
        history = LiveHistory("desk", MemoryLedger(self.clock), self.store, "main", self.clock.now())
        found = history.at(moment)
        return None if found is None else found.commit


@pytest.mark.parametrize("kind", ["memory", "duckdb"])
def test_after_a_clock_was_a_year_ahead(kind: str, tmp_path: Path) -> None:
    clock = MovableClock()
    host = Host(MemoryStore(clock) if kind == "memory" else open_store(tmp_path, clock), clock)
    host.apply(1, START)
    host.apply(2, START + YEAR)
    assert host.at(clock.now()) == stamp(2).commit
    host.apply(3, START + DAY)
    assert host.at(clock.now()) == stamp(3).commit
    host.apply(4, START + 2 * DAY)
    clock.time += DAY
    told = [host.at(START + days * DAY) for days in (0, 0.5, 1, 1.5, 2, 2.5, 3, 99, 800)]
    assert told == [stamp(number).commit for number in (1, 1, 3, 3, 4, 4, 4, 4, 4)]


def test_after_a_clock_was_put_back_a_day_and_right_again() -> None:
    clock = MovableClock()
    host = Host(MemoryStore(clock), clock)
    host.apply(1, START)
    host.apply(2, START + HOUR)
    host.apply(3, START + HOUR - DAY)
    assert host.at(clock.now()) == stamp(3).commit
    host.apply(4, START + 2 * HOUR)
    clock.time += HOUR
    told = [host.at(START + hours * HOUR) for hours in (0, 0.5, 1, 1.5, 2, 3)]
    assert told == [stamp(number).commit for number in (1, 1, 3, 3, 4, 4)]


jumps = st.integers(-400, 400)


@given(st.lists(jumps, min_size=1, max_size=8))
@settings(max_examples=examples(100))
def test_what_is_live_now_is_what_went_live_last(days: list[int]) -> None:
    clock = MovableClock()
    store = MemoryStore(clock)
    host = Host(store, clock)
    for number, day in enumerate(days, 1):
        host.apply(number, START + day * DAY)
        assert host.at(clock.now()) == stamp(number).commit
        assert host.at(clock.now() + YEAR) == stamp(number).commit
    events = [event for event in store.events_after(0, 99) if event.event == "applied"]
    assert [event.commit for event in events] == [stamp(number).commit for number in range(1, len(days) + 1)]
    known = sorted(store.intervals_after(0, 99), key=lambda one: one.seq)
    assert all(one.until is None or one.until >= one.since for one in known)
