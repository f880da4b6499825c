"""Recording versions in the ledger: during a walk, in a thread of its own, or by a backfill of the whole history."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.errors import ReconcilerError, RetryLater
from reconciler.reconcile.outbox import PendingVersion
from reconciler.reconcile.walk import WalkStart, first_parents, walk_history

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from reconciler.gitports import Source
    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import Version
    from reconciler.ports import Ledger
    from reconciler.reconcile.walk import CommitProcessor, Parents, ProcessedCommit, Progress

    OpenLedger = Callable[[], AbstractContextManager[Ledger]]

BATCH_WEIGHT: Final = 20_000
"""Weight of a batch: few large inserts suit ClickHouse, and memory stays bounded."""
BATCH_SECONDS: Final = 2.0
"""After so long a batch is written full or not: a process that is killed again and again loses no more than that."""
MAX_QUEUED: Final = 2_000
TIMEOUT: Final = 600.0
"""Seconds that a full queue may block, or the last batches take: far above any driver's own timeout."""


class RecordResult(Struct, frozen=True):
    """How many versions were recorded. `behind`: the ledger lacks commits before it, or has some that are gone."""

    versions: int = 0
    behind: bool = False
    error: ReconcilerError | None = None


class Recorder:
    """Records the versions of a walk in the thread `ledger`, so that opening and writing it do not delay the walk.

    `start` is the commit the walk starts after and `reachable` the commits it processes. Versions that the ledger has
    are skipped; after a walk through the whole history, commits that the branch no longer reaches are marked orphaned.
    When the ledger fails, the recording ends and the walk goes on: `result` has the error, and the next recording
    continues.
    """

    def __init__(
        self, open_ledger: OpenLedger, start: str | None, reachable: Collection[str], *, again: bool = False
    ) -> None:
        self.result = RecordResult()
        self._open = open_ledger
        self._start = start
        self._reachable = reachable
        self._again = again
        self._ended = False
        self._aborted = False
        self._bug: Exception | None = None
        self._queue: queue.Queue[PendingVersion | None] = queue.Queue(MAX_QUEUED)
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        self._aborted = kind is not None
        self._queue.put(None, timeout=TIMEOUT)
        self._thread.join(TIMEOUT)
        if self._thread.is_alive() and kind is None:
            raise RetryLater("the history did not take the last versions in time", hint="run sync again")
        if self._bug is not None and kind is None:
            raise self._bug

    def offer(self, commit: ProcessedCommit) -> None:
        """Hand over a commit, in the order of the walk."""
        self._queue.put(PendingVersion.from_commit(commit, again=self._again), timeout=TIMEOUT)

    def _run(self) -> None:
        try:
            with self._open() as ledger:
                self._record(ledger)
        except ReconcilerError as error:
            self.result = RecordResult(self.result.versions, error=error)
            self._drain()
        except Exception as error:  # noqa: BLE001  raised again where the walk ends, and the queue must not fill up
            self._bug = error
            self._drain()

    def _take_offered(self, batch: VersionBatch) -> Iterator[PendingVersion]:
        """The versions up to the end of the walk. A batch that becomes due while none is offered is written."""
        while not self._ended:
            try:
                pending = self._queue.get(timeout=batch.seconds_left())
            except queue.Empty:
                batch.flush()
            else:
                self._ended = pending is None
                if pending is not None:
                    yield pending

    def _drain(self) -> None:
        while not self._ended:
            self._ended = self._queue.get() is None

    def _record(self, ledger: Ledger) -> None:
        known = ledger.recorded_commits((self._start, *self._reachable) if self._start else None)
        if self._start is not None and self._start not in known:
            self.result = RecordResult(behind=True)
            self._drain()
            return
        batch = VersionBatch(ledger)
        for pending in self._take_offered(batch):
            if pending.again or known.get(pending.sha) is not pending.version.mainline:
                batch.add(pending)
                self.result = RecordResult(batch.written)
        batch.flush()
        self.result = RecordResult(batch.written)
        if self._aborted:
            return
        if self._start is None:
            ledger.orphan(known.keys() - set(self._reachable))
        elif self._has_others(ledger, self._start):
            self.result = RecordResult(batch.written, behind=True)

    def _has_others(self, ledger: Ledger, start: str) -> bool:
        """Whether the ledger's mainline goes on with others: recorded while suspended, unknown to the store."""
        base = ledger.mainline_heights([start]).get(start, 0)
        newest = ledger.versions(limit=min(len(self._reachable), MAX_QUEUED) + 1)
        above = {one.commit.sha for one in newest if one.mainline and one.height > base}
        return not above <= set(self._reachable)


class VersionBatch:
    """Writes versions to the ledger in batches, each under one set of kinds. Ends with `flush`."""

    def __init__(self, ledger: Ledger) -> None:
        self.written = 0
        self._ledger = ledger
        self._kinds: Kinds | None = None
        self._versions: list[Version] = []
        self._weight, self._due = 0, 0.0

    def add(self, pending: PendingVersion) -> None:
        """Add a version; a batch that is full, or due, is written."""
        if self._kinds is None or self._kinds.digest != pending.kinds.digest:
            self.flush()
            self._ledger.prepare(pending.kinds)
            self._kinds = pending.kinds
        if not self._versions:
            self._due = time.monotonic() + BATCH_SECONDS
        self._versions.append(pending.version)
        self._weight += pending.weight
        if self._weight >= BATCH_WEIGHT or self.seconds_left() == 0:
            self.flush()

    def seconds_left(self) -> float | None:
        """How long the batch may wait; None for an empty one."""
        return max(self._due - time.monotonic(), 0) if self._versions else None

    def flush(self) -> None:
        """Write the versions added since the last batch."""
        if self._versions:
            self._ledger.record(self._versions)
        self.written += len(self._versions)
        self._versions, self._weight = [], 0


class LedgerComparison:
    """Compares the history of a head with a ledger.

    `missing` are the commits that the ledger lacks, or has with the wrong value of `mainline`, which is the value here.
    `unreachable` are those that the ledger has and the head does not reach, or no longer.
    """

    def __init__(self, source: Source, head: str, ledger: Ledger) -> None:
        self.parents = source.parents(head)
        mainline = frozenset(first_parents(self.parents, head))
        known = ledger.recorded_commits()
        self.missing = {sha: sha in mainline for sha in self.parents if known.get(sha) is not (sha in mainline)}
        self.unreachable = known.keys() - self.parents.keys()


def backfill(
    source: Source,
    processor: CommitProcessor,
    head: str,
    ledger: Ledger,
    *,
    waiting: Mapping[str, PendingVersion] | None = None,
    progress: Progress = lambda done, total: None,
) -> int:
    """Make the ledger hold each commit of a head's history once, and mark all others orphaned.

    Returns how many versions were recorded. `waiting` are versions by commit, parents first: when they include all
    that are missing, the history is not walked. Raises `ReconcilerError` when git or the ledger fail; what was
    recorded by then is complete, parents first.
    """
    comparison = LedgerComparison(source, head, ledger)
    batch = VersionBatch(ledger)
    if comparison.missing:
        missing, at_hand = comparison.missing, waiting or {}
        enough = all(sha in at_hand and at_hand[sha].version.mainline is mainline for sha, mainline in missing.items())
        versions = iter(at_hand.values()) if enough else _walk_all(source, processor, head, comparison.parents)
        for done, pending in enumerate(versions, 1):
            if pending.sha in missing:
                batch.add(pending)
            progress(done, len(comparison.parents))
        batch.flush()
    ledger.orphan(comparison.unreachable)
    return batch.written


def _walk_all(source: Source, processor: CommitProcessor, head: str, parents: Parents) -> Iterator[PendingVersion]:
    start = WalkStart(None, processor.empty_state())
    return (PendingVersion.from_commit(commit) for commit in walk_history(source, processor, start, head, parents))
