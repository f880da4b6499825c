"""Host events on their way out of every store: what follows the cursor, and what may go."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb import state
from reconciler.adapters.duckdb.connection import FILE_NAME, open_writable
from reconciler.adapters.duckdb.store import open_store
from reconciler.model.halt import DRILLED
from reconciler.reconcile.outbox import EVENTS, StoreOutbox
from reconciler.reconcile.roots import make_root
from reconciler.reconcile.upload import discard_events
from tests.support.kinds import KINDS, FixedClock, owner, step

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pytest

    from reconciler.ports import Store


def seqs(store: Store, after: int = 0, limit: int = 100) -> list[int]:
    return [event.seq for event in store.events_after(after, limit)]


def busy(store: Store, steps: int) -> None:
    store.bind(owner("origin", "main"))
    for number in range(1, steps + 1):
        store.apply(KINDS, step(number))


def test_events_follow_one_another(store: Store) -> None:
    assert (store.events_after(0, 9), store.last_uploaded_event()) == ((), 0)
    busy(store, 3)
    events = store.events_after(0, 9)
    assert [event.event for event in events] == ["bound", "applied", "applied", "applied"]
    assert seqs(store) == sorted(set(seqs(store)))
    assert {event.store for event in events} == {store.identity()}
    assert seqs(store, events[1].seq) == [events[2].seq, events[3].seq]
    assert seqs(store, 0, 2) == [events[0].seq, events[1].seq]


def test_the_cursor_only_moves_on(store: Store) -> None:
    busy(store, 3)
    third = seqs(store)[2]
    store.mark_uploaded(third)
    store.mark_uploaded(1)
    assert store.last_uploaded_event() == third
    assert len(seqs(store)) == 4


def test_what_the_ledger_has_goes_after_a_week(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.record_event(DRILLED, {})
    busy(store, 2)
    shipped = seqs(store)[2]
    store.mark_uploaded(shipped)
    assert (len(seqs(store)), store.last_drill() is None) == (4, False)

    def later(days: int) -> None:
        begun = FixedClock.now

        def now(self: FixedClock) -> datetime:
            return begun(self) + timedelta(days=days)

        monkeypatch.setattr(FixedClock, "now", now)

    later(8)
    store.mark_uploaded(shipped)
    assert (len(seqs(store)), store.last_drill() is None) == (4, False)  # no root is over them yet
    assert make_root(store, "desk-1", FixedClock().now(), lambda message: None) is not None
    root = seqs(store)[-1]
    store.mark_uploaded(shipped)
    assert (len(seqs(store)), store.last_drill() is None) == (5, False)
    later(8)
    store.mark_uploaded(shipped)
    assert (seqs(store), store.last_drill()) == ([shipped + 1, root], None)
    store.mark_uploaded(root)
    assert seqs(store) == [root]


def test_a_host_without_a_ledger_keeps_a_week(store: Store) -> None:
    busy(store, 3)
    discard_events(store)
    assert store.last_uploaded_event() == seqs(store)[-1]


def test_the_cursor_moves_after_the_ledger_has_them(store: Store) -> None:
    feed = StoreOutbox(EVENTS, max_items=2)
    busy(store, 4)
    feed.exchange(store)
    taken = feed.take()
    assert [event.event for event in taken] == ["bound", "applied"]
    feed.exchange(store)
    assert store.last_uploaded_event() == 0
    assert feed.take() == taken
    feed.mark_uploaded(taken)
    feed.exchange(store)
    assert store.last_uploaded_event() == taken[-1].seq
    assert [event.seq for event in feed.take()] == seqs(store, taken[-1].seq, 2)


def test_a_store_keeps_its_id_and_another_has_another(tmp_path: Path) -> None:
    with open_store(tmp_path / "a", FixedClock()) as store:
        first = store.identity()
    with open_store(tmp_path / "a", FixedClock()) as store:
        assert store.identity() == first
    with open_store(tmp_path / "b", FixedClock()) as store:
        assert store.identity() != first


def test_a_restored_copy_renews_its_id_and_its_events_keep_theirs(tmp_path: Path) -> None:
    """Its next events have numbers that were given before, to events that the ledger may have already."""
    feed = StoreOutbox(EVENTS)
    with open_store(tmp_path, FixedClock()) as store:
        first = store.identity()
        busy(store, 1)
    copy = (tmp_path / FILE_NAME).read_bytes()
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(2))
        feed.exchange(store)
        feed.mark_uploaded(feed.take())
        feed.exchange(store)
    (tmp_path / FILE_NAME).write_bytes(copy)
    connection = open_writable(tmp_path / FILE_NAME)
    state.renew_id(connection)
    connection.close()
    with open_store(tmp_path, FixedClock()) as store:
        before = store.events_after(0, 9)
        store.apply(KINDS, step(2))
        feed.exchange(store)
        again = feed.take()
        assert again[:-1] == before
        assert [event.event for event in before] == ["bound", "applied"]
        assert {event.store for event in before} == {first}
        assert again[-1].store == store.identity() != first
