"""Uploading without git: a history made by hand, and a ledger that fails when a test says so."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.errors import RetryLater
from reconciler.reconcile.outbox import EVENTS, INTERVALS, Outbox, PendingVersion, StoreOutbox
from reconciler.reconcile.record import VersionBatch
from reconciler.reconcile.upload import BatchUploader, PendingUploads, UploadTarget
from tests.adapters.ledger.versions import created, version
from tests.support.kinds import KINDS, widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.ports import Ledger


def entry(number: int, rows: int = 1, **others: Any) -> PendingVersion:
    """A commit of a mainline, with so many new rows."""
    changes = [created(widget(f"w{number}-{at}"), number) for at in range(rows)]
    made = version(number, *changes, **others)
    return PendingVersion(made, KINDS, made.weight())


@dataclass
class History:
    """What a branch reaches, parents first, as git would have it."""

    entries: list[PendingVersion] = field(default_factory=list)
    walks: int = 0

    def extend(self, rows: int = 1) -> PendingVersion:
        """One more commit."""
        self.entries.append(entry(len(self.entries) + 1, rows))
        return self.entries[-1]

    def backfill(
        self, ledger: Callable[[], Ledger], waiting: Mapping[str, PendingVersion], pulse: Callable[[], None]
    ) -> int | None:
        """What `record.backfill` does with a real one."""
        if not self.entries:
            return None
        opened = ledger()
        known, batch = opened.recorded_commits(), VersionBatch(opened)
        self.walks += 1
        for one in self.entries:
            pulse()
            if known.get(one.version.commit.sha) is not one.version.mainline:
                batch.add(one)
        batch.flush()
        opened.orphan(known.keys() - {one.version.commit.sha for one in self.entries})
        return batch.written


class Flaky:
    """A ledger whose calls fail: `faults` says of each whether it fails "before" or "after" it was done."""

    def __init__(self, ledger: Ledger, faults: list[str]) -> None:
        self._ledger, self._faults = ledger, faults

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._ledger, name)

        def call(*arguments: Any, **named: Any) -> Any:
            fault = self._faults.pop(0) if self._faults else ""
            if fault == "before":
                raise RetryLater("the ledger is down")
            answer = inner(*arguments, **named)
            if fault == "after":
                raise RetryLater("the answer was lost")
            return answer

        return call


@dataclass
class Host:
    """The uploading side of one process after another; `ledger` and `history` outlive them."""

    ledger: Ledger
    history: History = field(default_factory=History)
    max_weight: int = 1_000
    faults: list[str] = field(default_factory=list)
    opened: int = 0
    failures: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new process."""
        self.outbox = Outbox(self.max_weight)
        self.pending = PendingUploads(self.outbox, StoreOutbox(EVENTS), StoreOutbox(INTERVALS), "host-1")
        self.uploader = BatchUploader(self.pending, self.route(), lambda: None, lambda written, recorded: None)

    def route(self, idle: float = 60.0) -> UploadTarget:
        """The way to the ledger, as it misbehaves."""
        return UploadTarget(self._open, self.history.backfill, idle)

    def attempt(self) -> bool:
        """One attempt to upload everything; whether it went through."""
        try:
            self.uploader.upload(self.failures)
        except RetryLater:
            self.failures += 1
            return False
        self.failures = 0
        return True

    @contextmanager
    def _open(self) -> Iterator[Any]:
        if self.faults and self.faults[0] == "open":
            self.faults.pop(0)
            raise RetryLater("the ledger cannot be opened")
        self.opened += 1
        yield Flaky(self.ledger, self.faults)
