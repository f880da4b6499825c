"""A state folder that was lost takes the halts that stood from the history."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from reconciler.adapters.haltfile import HaltFile
from reconciler.errors import RetryLater
from reconciler.kinds.kind import Kinds
from reconciler.model.halt import Halt, Halts, HaltSelector
from reconciler.model.host import HostEvent
from reconciler.service.halts import recall_halts
from reconciler.values import replace
from tests.support.kinds import START, WIDGET, FixedClock, row, step, uid, widget
from tests.support.memory.ledger import MemoryLedger
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOOD = Halts(7, (Halt("a", HaltSelector(), "why", "me", START),))
KINDS = Kinds((replace(WIDGET, halt={"status": "INACTIVE"}),))
CLOCK = FixedClock()


def recorded(*halts: Halts) -> MemoryLedger:
    ledger = MemoryLedger(CLOCK)
    for number, one in enumerate(halts, 1):
        event = HostEvent(number, START, "halted", None, None, 0, {"halts": one.detail()}, uid(1))
        ledger.record_events("here", [event])
    return ledger


def recall(store: MemoryStore, folder: Path, ledger: MemoryLedger, host: str = "here") -> None:
    assert recall_halts(store, HaltFile(folder), lambda: nullcontext(ledger), host, CLOCK) is None


def test_the_first_commit_comes_under_the_halts_that_stood(tmp_path: Path) -> None:
    store = MemoryStore(CLOCK)
    recall(store, tmp_path, recorded(Halts(3), STOOD))
    assert HaltFile(tmp_path).read() == store.halts() == STOOD
    store.apply(KINDS, step(1, row(widget("w", status="ACTIVE"), 1)))
    assert [one.values["status"] for one in store.live(KINDS.members[0])] == ["INACTIVE"]


def test_what_was_released_or_is_of_another_host_stays_so(tmp_path: Path) -> None:
    for ledger, host in ((recorded(STOOD, Halts(8)), "here"), (recorded(STOOD), "there"), (recorded(), "here")):
        store = MemoryStore(CLOCK)
        recall(store, tmp_path, ledger, host)
        assert (HaltFile(tmp_path).read().standing, store.halts()) == ((), Halts())


def test_a_host_that_knows_its_own_asks_nobody(tmp_path: Path) -> None:
    store = MemoryStore(CLOCK)
    store.apply(KINDS, step(1, row(widget("w", status="ACTIVE"), 1)))
    recall(store, tmp_path, recorded(STOOD))
    assert store.halts() == Halts()


def test_a_history_that_cannot_be_asked_is_told(tmp_path: Path) -> None:
    @contextmanager
    def unreachable() -> Iterator[MemoryLedger]:
        raise RetryLater("it does not answer")
        yield

    told = recall_halts(MemoryStore(CLOCK), HaltFile(tmp_path), unreachable, "here", CLOCK)
    assert told is not None
    assert (told.about, told.reason) == ("Halts", "NotKnown")
    assert "it does not answer" in told.message
