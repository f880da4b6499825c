"""The suspension that a store keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.model.host import Suspension
from tests.adapters.store.observing import typed
from tests.support.kinds import FixedClock
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.ports import Store

SINCE = datetime(2026, 11, 22, 17, 4, 50, 53_482, tzinfo=UTC)
FOREVER = Suspension('"broker" maintenance ä 🦆', "maren", SINCE, None)


class SetClock:
    """A clock that shows what it was set to."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def _events(store: Store) -> list[tuple[str, Any]]:
    return [(event.event, event.detail) for event in store.events_after(0, 100)]


def test_it_is_kept_and_ended(store: Store) -> None:
    assert store.suspension() is None
    store.suspend(FOREVER)
    assert typed(store.suspension()) == typed(FOREVER)
    assert store.expire() is None
    assert store.resume("tom") == FOREVER
    assert store.suspension() is None
    assert store.resume("tom") is None
    detail = {
        "reason": FOREVER.reason,
        "actor": "maren",
        "since": "2026-11-22T17:04:50.053482Z",
        "until": None,
    }
    assert _events(store) == [("suspended", detail), ("resumed", {**detail, "resumed_by": "tom"})]


def test_the_last_one_counts(store: Store) -> None:
    store.suspend(FOREVER)
    second = Suspension("longer", "tom", SINCE, SINCE + timedelta(days=400))
    store.suspend(second)
    assert store.suspension() == second
    assert [event for event, _ in _events(store)] == ["suspended", "suspended"]


@pytest.mark.parametrize("make", ["memory", "duckdb"])
def test_it_expires_once(make: str, tmp_path: Path) -> None:
    clock = SetClock(SINCE)
    store: Store = MemoryStore(clock) if make == "memory" else open_store(tmp_path, clock)
    ending = Suspension("until eight", "maren", SINCE, SINCE + timedelta(hours=2))
    store.suspend(ending)
    clock.time += timedelta(hours=2, microseconds=-1)
    assert store.expire() is None
    assert store.suspension() == ending
    clock.time += timedelta(microseconds=1)
    assert store.suspension() == ending
    assert store.expire() == ending
    assert (store.suspension(), store.expire()) == (None, None)
    *_, (event, detail) = _events(store)
    assert (event, detail["until"]) == ("suspension-expired", "2026-11-22T19:04:50.053482Z")
    assert len(_events(store)) == 2


def test_it_survives_a_restart(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.suspend(FOREVER)
    reader = open_reader(tmp_path)
    assert reader is not None
    with reader:
        assert typed(reader.suspension()) == typed(FOREVER)
    with open_store(tmp_path, FixedClock()) as store:
        assert store.resume("tom") == FOREVER
