"""What was live, in every store: intervals that follow one another without a gap, whatever the clock does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.backup import back_up, restore
from reconciler.adapters.duckdb.connection import FILE_NAME
from reconciler.adapters.duckdb.store import DuckDBStore, open_store
from reconciler.model.host import Suspension
from reconciler.model.intervals import IntervalEnd, LiveInterval
from reconciler.values import replace
from tests.support.kinds import KINDS, owner, stamp, step
from tests.support.laws import examples
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.ports import Store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class SetClock:
    """A clock that says what it is told."""

    time: datetime = field(default=START)

    def now(self) -> datetime:
        """The time that was set last."""
        return self.time

    def set(self, seconds: float) -> datetime:
        """So many seconds after the start."""
        self.time = START + seconds * SECOND
        return self.time


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=["memory", "duckdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Store:
    """A store of each kind, on the clock."""
    return MemoryStore(clock) if request.param == "memory" else open_store(tmp_path / "state", clock)


def intervals(store: Store) -> list[LiveInterval]:
    """All of them, the oldest first."""
    return sorted(store.intervals_after(0, 1_000), key=lambda one: one.seq)


def live(store: Store, clock: SetClock, seconds: float, number: int) -> None:
    clock.set(seconds)
    store.apply(KINDS, step(number))


def test_nothing_is_live_before_the_first_commit(store: Store) -> None:
    assert (store.live_at(START), intervals(store), store.last_uploaded_interval()) == (None, [], 0)
    assert store.intervals_of([]) == store.intervals_of([stamp(1).commit]) == ()


def test_a_commit_is_live_until_the_next_one(store: Store, clock: SetClock) -> None:
    store.bind(owner("origin", "main"))
    live(store, clock, 1, 1)
    live(store, clock, 5, 2)
    first, second = intervals(store)
    assert (first.commit, first.branch, first.digest) == (stamp(1).commit, "main", step(1).digest)
    assert (first.since, first.until, first.ended) == (START + SECOND, START + 5 * SECOND, IntervalEnd.REPLACED)
    assert (second.commit, second.since, second.until, second.ended) == (stamp(2).commit, first.until, None, None)
    found = [store.live_at(START + seconds * SECOND) for seconds in (0.9, 1, 4.9, 5, 99)]
    assert found == [None, first, first, second, second]
    assert store.intervals_of([stamp(2).commit, stamp(9).commit]) == (second,)
    assert {first.store, second.store} == {store.identity()}


def test_the_same_commit_may_be_live_again(store: Store, clock: SetClock) -> None:
    for seconds, number in enumerate((1, 2, 1)):
        live(store, clock, seconds, number)
    assert [one.until for one in store.intervals_of([stamp(1).commit])] == [START + SECOND, None]


def test_another_branch_ends_the_interval(store: Store, clock: SetClock) -> None:
    store.bind(owner("origin", "main"))
    live(store, clock, 0, 1)
    store.bind(owner("origin", "pr-25"))
    live(store, clock, 6, 2)
    store.bind(owner("origin", "main"))
    live(store, clock, 12, 3)
    told = [(one.branch, one.ended) for one in intervals(store)]
    switched = IntervalEnd.BRANCH_SWITCHED
    assert told == [("main", switched), ("pr-25", switched), ("main", None)]


def test_rows_that_are_made_anew_stay_live(store: Store, clock: SetClock) -> None:
    live(store, clock, 0, 1)
    clock.set(5)
    store.replace(KINDS, step(1))
    [only] = intervals(store)
    assert (only.since, only.until) == (START, None)


def test_what_changes_no_row_ends_no_interval(store: Store, clock: SetClock) -> None:
    live(store, clock, 0, 1)
    before = intervals(store)
    clock.set(5)
    store.suspend(Suspension("lunch", "ann", clock.now(), None))
    store.resume("ann")
    store.record_event("program", {})
    attempt = store.last_attempt()
    assert attempt is not None
    store.refuse(replace(attempt, refused=True))
    assert intervals(store) == before


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["main", "pr"]), st.integers(1, 4), st.integers(-50, 50)), max_size=12))
def test_intervals_are_a_chain_whatever_the_clock_does(deeds: list[tuple[str, int, int]]) -> None:
    clock = SetClock()
    store = MemoryStore(clock)
    assert_chain(store, clock, deeds)


@pytest.mark.parametrize("seconds", [(0, 5, 3, 9), (9, 8, 7, 6), (0, 0, 0, 0)])
def test_the_same_of_the_real_store(tmp_path: Path, seconds: tuple[int, ...]) -> None:
    clock = SetClock()
    with open_store(tmp_path, clock) as store:
        assert_chain(store, clock, [("main", number, at) for number, at in enumerate(seconds, 1)])


def assert_chain(store: Store, clock: SetClock, deeds: list[tuple[str, int, int]]) -> None:
    """Apply commits of branches at times: each interval begins where the one before it ended."""
    for branch, number, at in deeds:
        clock.set(at)
        store.bind(owner("origin", branch))
        store.replace(KINDS, step(number))
    chain = intervals(store)
    for one, following in itertools.pairwise(chain):
        assert one.until == following.since >= one.since
        assert one.ended is not None
    if deeds:
        assert chain[-1].is_open
        assert (chain[-1].branch, chain[-1].commit) == (deeds[-1][0], stamp(deeds[-1][1]).commit)
        assert store.live_at(max(one.since for one in chain) + 100 * SECOND) == chain[-1]


def test_an_interval_is_sent_when_it_begins_and_when_it_ends(store: Store, clock: SetClock) -> None:
    live(store, clock, 0, 1)
    [begun] = store.intervals_after(0, 9)
    store.mark_intervals_uploaded(begun.change)
    live(store, clock, 1, 2)
    ended, next_one = store.intervals_after(store.last_uploaded_interval(), 9)
    assert (ended.seq, ended.is_open, next_one.commit) == (begun.seq, False, stamp(2).commit)
    assert begun.change < ended.change < next_one.change
    assert store.intervals_after(begun.change, 1) == (ended,)
    store.mark_intervals_uploaded(next_one.change)
    store.mark_intervals_uploaded(begun.change)
    assert store.last_uploaded_interval() == next_one.change


def test_the_rows_and_their_interval_are_one_transaction(tmp_path: Path, clock: SetClock) -> None:
    with open_store(tmp_path, clock) as store:
        live(store, clock, 0, 1)
        before = store.applied()
        store._connection.execute("ALTER TABLE gitops.live ADD COLUMN surplus INTEGER")
        store._connection.execute("DROP SEQUENCE gitops.event_seq CASCADE")
        with pytest.raises(Exception, match=r".+"):
            live(store, clock, 1, 2)
        assert (store.applied(), [one.commit for one in intervals(store)]) == (before, [stamp(1).commit])


def make_old(folder: Path) -> None:
    """Make a store one of the format before intervals."""
    with duckdb.connect(str(folder / FILE_NAME)) as connection:
        connection.execute("DROP TABLE gitops.live")
        for table in ("faults", "halts", "halted", "rollback", "rules"):
            connection.execute(f"DROP TABLE gitops.{table}")
        connection.execute("UPDATE gitops.format SET version = 4")


def filled(folder: Path, clock: SetClock) -> list[LiveInterval]:
    with open_store(folder, clock) as store:
        for number, branch in enumerate(("main", "pr", "main"), 1):
            clock.set(number)
            store.bind(owner("origin", branch))
            store.apply(KINDS, step(number))
        return intervals(store)


def without_numbers(found: list[LiveInterval]) -> list[LiveInterval]:
    return [replace(one, seq=0, change=0) for one in found]


def test_an_older_store_is_upgraded_with_what_its_events_tell(tmp_path: Path, clock: SetClock) -> None:
    before = filled(tmp_path, clock)
    make_old(tmp_path)
    with open_store(tmp_path, clock) as store:
        assert without_numbers(intervals(store)) == without_numbers(before)
        live(store, clock, 9, 4)
        assert [one.until for one in intervals(store)][-2:] == [START + 9 * SECOND, None]


def test_an_older_store_without_events_knows_what_is_live(tmp_path: Path, clock: SetClock) -> None:
    *_, last = filled(tmp_path, clock)
    make_old(tmp_path)
    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        connection.execute("DELETE FROM gitops.events")
    with open_store(tmp_path, clock) as store:
        assert without_numbers(intervals(store)) == without_numbers([last])


def test_a_restored_store_goes_on_from_what_was_live(tmp_path: Path, clock: SetClock) -> None:
    with open_store(tmp_path, clock) as store:
        store.bind(owner("origin", "main"))
        live(store, clock, 1, 1)
    made = back_up(tmp_path, clock.now())
    with open_store(tmp_path, clock) as store:
        live(store, clock, 2, 2)
        live(store, clock, 3, 3)
    restore(made, tmp_path, lambda owner, applied: True, clock.set(9))
    with open_store(tmp_path, clock) as store:
        assert told(store) == [(1, 1, 2), (2, 2, 3), (3, 3, 9), (1, 9, None)]
        live(store, clock, 10, 4)
        assert told(store)[-2:] == [(1, 9, 10), (4, 10, None)]
        found = intervals(store)
        assert len({one.change for one in found}) == len({(one.store, one.seq) for one in found}) == len(found)


def test_what_only_a_lost_store_knew_is_not_made_up(tmp_path: Path, clock: SetClock) -> None:
    with open_store(tmp_path, clock) as store:
        store.bind(owner("origin", "main"))
        live(store, clock, 1, 1)
        clock.set(2)
        store.record_event("later", {})
    made = back_up(tmp_path, clock.now())
    (tmp_path / FILE_NAME).unlink()
    restore(made, tmp_path, lambda owner, applied: True, clock.set(9))
    with open_store(tmp_path, clock) as store:
        assert told(store) == [(1, 1, 2), (1, 9, None)]
        assert store.live_at(START + 5 * SECOND) is None


def test_a_backup_of_an_older_format_can_be_restored(tmp_path: Path, clock: SetClock) -> None:
    filled(tmp_path, clock)
    make_old(tmp_path)
    made = back_up(tmp_path, clock.now())
    with open_store(tmp_path, clock) as store:
        live(store, clock, 8, 4)
    restore(made, tmp_path, lambda owner, applied: True, clock.set(9))
    with open_store(tmp_path, clock) as store:
        assert told(store) == [(1, 1, 2), (2, 2, 3), (3, 3, 8), (4, 8, 9), (3, 9, None)]


def told(store: DuckDBStore) -> list[tuple[int, float, float | None]]:
    """Of each interval the number of its commit, and from which second until which."""
    numbers = {stamp(number).commit: number for number in range(10)}

    def seconds(moment: datetime) -> float:
        return (moment - START).total_seconds()

    found = sorted(intervals(store), key=lambda one: one.since)
    return [(numbers[one.commit], seconds(one.since), one.until and seconds(one.until)) for one in found]
