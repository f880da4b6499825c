"""The outbox: order, bounds, and what it says when it has lost something."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconciler.kinds.kind import Kinds
from reconciler.model.problem import Problem
from reconciler.reconcile.outbox import Outbox, PendingVersion
from reconciler.reconcile.record import Recorder, VersionBatch
from reconciler.reconcile.walk import ProcessedCommit
from reconciler.values import replace
from tests.adapters.ledger.versions import aside, created, version
from tests.support.kinds import GADGET, KINDS, FixedClock, commit, widget
from tests.support.memory.ledger import MemoryLedger
from tests.support.patience import DEADLINE, until
from tests.support.uploads import entry


def settled(max_weight: int = 100) -> Outbox:
    outbox = Outbox(max_weight)
    outbox.mark_backfilled(outbox.checkpoint())
    return outbox


def is_behind(outbox: Outbox) -> bool:
    return outbox.behind


def numbers(entries: tuple[PendingVersion, ...]) -> list[int]:
    return [int(one.version.commit.sha, 16) for one in entries]


def test_a_new_one_is_behind_until_the_ledger_was_compared() -> None:
    outbox = Outbox()
    assert is_behind(outbox)
    outbox.offer(entry(1))
    outbox.mark_backfilled(outbox.checkpoint())
    assert not is_behind(outbox)
    assert outbox.take(100) == ()


def test_what_was_offered_after_the_comparison_began_still_waits() -> None:
    outbox = Outbox()
    outbox.offer(entry(1))
    checkpoint = outbox.checkpoint()
    outbox.offer(entry(2))
    outbox.mark_backfilled(checkpoint)
    assert numbers(outbox.take(100)) == [2]


def test_what_is_taken_stays_until_it_is_done() -> None:
    outbox = settled()
    for number in (1, 2, 3):
        outbox.offer(entry(number))
    first = outbox.take(4)
    assert numbers(first) == [1, 2]
    assert outbox.take(4) == first
    outbox.mark_uploaded(first)
    assert numbers(outbox.take(4)) == [3]
    assert outbox.backlog().versions == 1
    assert outbox.backlog().oldest == commit(3).stamp.time


def test_one_that_is_larger_than_a_batch_is_taken_alone() -> None:
    outbox = settled()
    outbox.offer(entry(1, rows=9))
    outbox.offer(entry(2))
    assert numbers(outbox.take(3)) == [1]


LONG = "x" * 50_000


@pytest.mark.parametrize(
    "heavy",
    [
        {"commit": replace(commit(1), message=LONG)},
        {"problems": (Problem("a.yaml", 1, 1, "secret", "", LONG),)},
        {"rows": (created(replace(widget("w"), values={"notes": {"all": [LONG]}}), 1),)},
    ],
    ids=lambda heavy: next(iter(heavy)),
)
def test_a_batch_is_no_longer_than_memory_bears(heavy: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a history with many problems, 18,000 versions were one batch once: 700 megabytes of text."""
    monkeypatch.setattr("reconciler.reconcile.record.BATCH_WEIGHT", 100)
    batches: list[int] = []
    ledger = SimpleNamespace(prepare=lambda kinds: None, record=lambda versions: batches.append(len(versions)))
    outbox, batch = settled(max_weight=1_000), VersionBatch(cast("Any", ledger))
    made = version(1, **heavy)
    for number in range(1, 30):
        one = replace_commit(PendingVersion(made, KINDS, made.weight()), number)
        outbox.offer(one)
        batch.add(one)
        if number == 6:
            assert batches == [2, 2, 2]
            assert numbers(outbox.take(150)) == [1, 2]
    assert is_behind(outbox)


def test_a_batch_that_is_due_is_written_although_it_is_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.reconcile.record.BATCH_SECONDS", 0.0)
    ledger = MemoryLedger(FixedClock())
    batch = VersionBatch(ledger)
    assert batch.seconds_left() is None
    for number in (1, 2):
        batch.add(entry(number))
        assert len(ledger.recorded_commits()) == number


def test_a_walk_that_takes_long_does_not_keep_its_first_versions_from_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sync that was killed again and again recorded 2 of 60 versions: all the others waited for the end."""
    monkeypatch.setattr("reconciler.reconcile.record.BATCH_SECONDS", 0.01)
    ledger = MemoryLedger(FixedClock())
    entries = [entry(number) for number in (1, 2)]
    with Recorder(lambda: nullcontext(ledger), None, [one.sha for one in entries]) as recorder:
        for number, one in enumerate(entries, 1):
            recorder.offer(ProcessedCommit(one.version, cast("Any", None), KINDS))
            until(lambda: len(ledger.recorded_commits()) == number)  # noqa: B023
    assert recorder.result.versions == len(entries)


def test_problems_that_no_ledger_keeps_do_not_wait_for_it() -> None:
    problems = tuple(Problem(f"{number}.yaml", 1, 1, "secret", "", "") for number in range(500))
    waiting = PendingVersion.from_commit(ProcessedCommit(version(1, problems=problems), cast("Any", None), KINDS))
    assert len(waiting.version.problems) == 101


def test_a_batch_has_one_set_of_kinds() -> None:
    outbox = settled()
    outbox.offer(entry(1))
    outbox.offer(entry(2)._replace(kinds=Kinds((GADGET,))))
    assert [one.kinds for one in outbox.take(100)] == [KINDS]


def test_what_waits_or_was_uploaded_is_not_taken_twice() -> None:
    """Every look at a refused head walks through the same commits."""
    outbox = settled()
    for _ in range(2):
        outbox.offer(entry(1))
        outbox.offer(entry(2))
    assert numbers(outbox.take(100)) == [1, 2]
    outbox.mark_uploaded(outbox.take(2))
    outbox.offer(entry(1))
    assert numbers(outbox.take(100)) == [2]


def test_a_commit_that_comes_to_the_mainline_is_offered_anew_in_its_place() -> None:
    outbox = settled()
    side = entry(2)
    outbox.offer(entry(1))
    outbox.offer(side._replace(version=aside(2, 2, 1)))
    outbox.offer(entry(3))
    outbox.offer(side)
    assert [(one.version.mainline, one.weight) for one in outbox.take(100)] == [(True, 2)] * 3
    outbox.mark_uploaded(outbox.take(100))
    outbox.offer(side._replace(version=aside(2, 2, 1)))
    assert numbers(outbox.take(100)) == [2]


def test_too_much_is_dropped_and_said() -> None:
    outbox = settled(max_weight=10)
    for number in range(1, 7):
        outbox.offer(entry(number))
    assert not is_behind(outbox)
    outbox.offer(entry(7))
    assert is_behind(outbox)
    assert outbox.backlog().versions == 0
    for number in range(8, 10):
        outbox.offer(entry(number))
    assert outbox.backlog().versions == 2


def test_a_loss_in_the_midst_of_a_comparison_asks_for_another() -> None:
    outbox = settled(max_weight=4)
    outbox.require_backfill()
    checkpoint = outbox.checkpoint()
    for number in (1, 2, 3, 4):
        outbox.offer(entry(number))
    outbox.mark_backfilled(checkpoint)
    assert is_behind(outbox)


def test_a_head_that_is_no_longer_reached_asks_for_a_comparison() -> None:
    outbox = settled()
    outbox.reach("b", {"a", "b"})
    outbox.reach("c", {"b", "c"})
    outbox.note_head("c")
    assert (outbox.is_at("c"), is_behind(outbox)) == (True, False)
    outbox.note_head("d")
    assert not outbox.is_at("c")
    outbox.reach("e", {"c", "e"})
    assert (outbox.is_at("e"), is_behind(outbox)) == (True, True)


@pytest.mark.parametrize("huge", [1, 2, 4])
def test_one_huge_version_takes_no_room_from_the_others(huge: int) -> None:
    """The commit that imports everything stands anywhere in a history."""
    outbox = settled(max_weight=10)
    for number in range(1, 5):
        outbox.offer(entry(number, rows=50 if number == huge else 1))
    assert not is_behind(outbox)
    assert numbers(outbox.take(1_000)) == [1, 2, 3, 4]
    outbox.offer(entry(5, rows=40))
    assert is_behind(outbox)


def test_room_is_counted_anew_when_the_huge_one_was_uploaded() -> None:
    outbox = settled(max_weight=10)
    outbox.offer(entry(1, rows=50))
    outbox.offer(entry(2, rows=7))
    outbox.mark_uploaded(outbox.take(1))
    outbox.offer(entry(3, rows=50))
    assert not is_behind(outbox)
    outbox.offer(entry(4, rows=3))
    assert is_behind(outbox)


def test_a_walk_is_awaited_from_when_it_is_expected_to_its_end() -> None:
    outbox = Outbox()
    assert not outbox.filling
    outbox.expect_walk(0.0)
    assert not outbox.filling
    outbox.expect_walk(1_000.0)
    assert outbox.filling
    with outbox.walk(), outbox.walk():
        assert outbox.filling
    assert not outbox.filling


def test_what_was_uploaded_is_forgotten_when_something_may_be_missing() -> None:
    outbox = settled()
    outbox.offer(entry(1))
    outbox.mark_uploaded(outbox.take(9))
    outbox.require_backfill()
    outbox.offer(entry(1))
    assert numbers(outbox.take(9)) == [1]


def test_what_is_done_after_it_was_replaced_still_waits() -> None:
    """It came to the mainline while the ledger was writing it as a side commit."""
    outbox = settled()
    outbox.offer(entry(2)._replace(version=aside(2, 2, 1)))
    taken = outbox.take(9)
    outbox.offer(entry(2))
    outbox.mark_uploaded(taken)
    assert [one.version.mainline for one in outbox.take(9)] == [True]


@pytest.mark.parametrize("takers", [1, 2])
def test_threads_lose_nothing(takers: int) -> None:
    outbox, got = settled(max_weight=100_000), []
    stop = threading.Event()

    def offer(start: int) -> None:
        for number in range(start, 2_000, 4):
            outbox.offer(replace_rows(number))

    def take() -> None:
        while not stop.is_set() or outbox.backlog().versions:
            entries = outbox.take(7)
            got.extend(numbers(entries))
            outbox.mark_uploaded(entries)

    threads = [threading.Thread(target=offer, args=(start,)) for start in range(1, 5)]
    consumers = [threading.Thread(target=take) for _ in range(takers)]
    for thread in (*threads, *consumers):
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    stop.set()
    for thread in consumers:
        thread.join(DEADLINE)
    assert set(got) == set(range(1, 2_001)) - {2_000}
    assert outbox.backlog().versions == 0


def replace_rows(number: int) -> PendingVersion:
    return replace_commit(entry(1, rows=0), number)


def replace_commit(one: PendingVersion, number: int) -> PendingVersion:
    return one._replace(version=replace(one.version, commit=commit(number)))
