"""A state folder that was lost, or brought back, takes what stood on the host from the history."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.haltfile import HaltFile
from reconciler.errors import RetryLater
from reconciler.kinds.kind import Kinds
from reconciler.model.change import Op
from reconciler.model.halt import Halt, Halts, HaltSelector
from reconciler.model.host import HostEvent
from reconciler.model.rollback import ROLLBACK_ENDED, ROLLED_BACK, Rollback, Skipped, SkippedChange, SkippedField
from reconciler.service.recall import recall_past
from reconciler.values import replace
from tests.support.kinds import START, WIDGET, FixedClock, row, step, uid, widget
from tests.support.memory.ledger import MemoryLedger
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = Kinds((replace(WIDGET, halt={"status": "INACTIVE"}),))
CLOCK = FixedClock()
ALL, ANN, BEN = HaltSelector(), HaltSelector("Widget", ("ann",)), HaltSelector("Widget", ("ben",))


def halted(selector: HaltSelector, before: Halts | None = None, minute: int = 0) -> Halts:
    return (before or Halts()).add(Halt(f"{minute}", selector, "why", "me", START + timedelta(minutes=minute)))


def released(selector: HaltSelector, before: Halts, minute: int) -> Halts:
    return before.release(selector, "over", "me", START + timedelta(minutes=minute))


STOOD = halted(ALL)


def recorded(*halts: Halts, rollbacks: tuple[tuple[str, Rollback], ...] = ()) -> MemoryLedger:
    ledger = MemoryLedger(CLOCK)
    events = [HostEvent(0, START, "halted", None, None, 0, {"halts": one.detail()}, uid(1)) for one in halts]
    events += [HostEvent(0, one.since, event, None, None, 0, one.detail(), uid(1)) for event, one in rollbacks]
    ledger.record_events("here", [replace(one, seq=number) for number, one in enumerate(events, 1)])
    return ledger


def recall(store: MemoryStore, folder: Path, ledger: MemoryLedger, host: str = "here") -> None:
    assert recall_past(store, HaltFile(folder), lambda: nullcontext(ledger), host, CLOCK) is None


def test_the_first_commit_comes_under_the_halts_that_stood(tmp_path: Path) -> None:
    store = MemoryStore(CLOCK)
    recall(store, tmp_path, recorded(halted(ANN), STOOD))
    assert HaltFile(tmp_path).read() == store.halts() == STOOD
    store.apply(KINDS, step(1, row(widget("w", status="ACTIVE"), 1)))
    assert [one.values["status"] for one in store.live(KINDS.members[0])] == ["INACTIVE"]


def test_what_was_released_or_is_of_another_host_stays_so(tmp_path: Path) -> None:
    for ledger, host in (
        (recorded(STOOD, released(ALL, STOOD, 1)), "here"),
        (recorded(STOOD), "there"),
        (recorded(), "here"),
    ):
        store = MemoryStore(CLOCK)
        recall(store, tmp_path, ledger, host)
        assert store.halts().standing == ()


def test_it_is_asked_once(tmp_path: Path) -> None:
    store = MemoryStore(CLOCK)
    recall(store, tmp_path, recorded())
    recall(store, tmp_path, recorded(STOOD, rollbacks=((ROLLED_BACK, BACK),)))
    assert (store.halts(), store.rollback(), store.lacks_past()) == (Halts(), None, False)


FIRST = halted(ANN)
SECOND = halted(BEN, FIRST, 1)


@pytest.mark.parametrize(
    ("own", "past", "stand"),
    [
        (SECOND, FIRST, {ANN, BEN}),
        (FIRST, SECOND, {ANN, BEN}),
        (released(ANN, SECOND, 2), SECOND, {BEN}),
        (SECOND, released(ANN, SECOND, 2), {BEN}),
        (halted(BEN, minute=9), released(ANN, SECOND, 2), {BEN}),
        (halted(ANN, minute=9), halted(BEN, minute=1), {ANN, BEN}),
        (halted(ANN, minute=9), SECOND, {ANN, BEN}),
        (halted(ALL, halted(ANN, halted(BEN, minute=7), 8), 9), FIRST, {ALL, ANN, BEN}),
        (Halts(), SECOND, {ANN, BEN}),
        (SECOND, Halts(), {ANN, BEN}),
    ],
)
def test_who_knows_of_the_other_counts_else_both_stand(
    tmp_path: Path, own: Halts, past: Halts, stand: set[HaltSelector]
) -> None:
    """A lost folder may have been halted anew before anybody asked."""
    store, file = MemoryStore(CLOCK), HaltFile(tmp_path)
    store.obey(KINDS, file.change(lambda halts: own))
    recall(store, tmp_path, recorded(past))
    assert {one.selector for one in store.halts().standing} == stand
    assert file.read() == store.halts()
    assert store.halts().number >= max(own.number, past.number)


SKIPS = Skipped((SkippedChange(Op.UPDATE, "Widget", uid(1), "w", (SkippedField("weight", 1.0, 2.0),)),))
BACK = Rollback("a" * 40, "b" * 40, "it loses money", "ines", START + timedelta(hours=1), SKIPS)
LATER = replace(BACK, target="c" * 40, since=START + timedelta(hours=2))


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ((), None),
        (((ROLLED_BACK, BACK),), BACK),
        (((ROLLED_BACK, BACK), (ROLLED_BACK, LATER)), LATER),
        (((ROLLED_BACK, BACK), (ROLLBACK_ENDED, replace(BACK, since=LATER.since))), None),
    ],
)
def test_a_rollback_is_known_again_with_what_it_skips(
    tmp_path: Path, told: tuple[tuple[str, Rollback], ...], found: Rollback | None
) -> None:
    store = MemoryStore(CLOCK)
    recall(store, tmp_path, recorded(rollbacks=told))
    assert store.rollback() == found


def test_what_the_store_did_itself_is_newer(tmp_path: Path) -> None:
    store = MemoryStore(CLOCK)
    store.apply(KINDS, step(1, row(widget("w"), 1)))
    store.roll_back(KINDS, step(2, row(widget("w"), 1)), BACK)
    store.end_rollback("it was right", "ines")
    recall(store, tmp_path, recorded(rollbacks=((ROLLED_BACK, LATER),)))
    assert store.rollback() is None


def test_a_history_that_cannot_be_asked_is_told_and_asked_again(tmp_path: Path) -> None:
    @contextmanager
    def unreachable() -> Iterator[MemoryLedger]:
        raise RetryLater("it does not answer")
        yield

    store = MemoryStore(CLOCK)
    told = recall_past(store, HaltFile(tmp_path), unreachable, "here", CLOCK)
    assert told is not None
    assert (told.about, told.reason) == ("Halts", "NotKnown")
    assert "it does not answer" in told.message
    assert store.lacks_past()
    recall(store, tmp_path, recorded(STOOD))
    assert store.halts() == STOOD
