"""Recording versions in the ledger: beside a walk, in a thread of its own, or by comparison with the whole history."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from reconciler.errors import ReconcilerError, RetryLater
from reconciler.reconcile.walk import Origin, chain, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import Version
    from reconciler.ports import Ledger, Source
    from reconciler.reconcile.processor import Stepper
    from reconciler.reconcile.walk import Step

    OpenLedger = Callable[[], AbstractContextManager[Ledger]]

    Progress = Callable[[int, int], None]


BATCH_ROWS: Final = 20_000
"""Rows to a batch. ClickHouse wants few large inserts; memory wants an end to them."""
QUEUED: Final = 2_000
DEADLINE: Final = 600.0
"""Seconds that a full queue may stand still, or the last batches take: far above any driver's own time limit."""


class Entry(NamedTuple):
    """A version on its way into the ledger, and the kinds that its rows are of."""

    version: Version
    kinds: Kinds

    @property
    def rows(self) -> int:
        """Rows it takes in the ledger, its own among them."""
        return 1 + len(self.version.rows)

    @classmethod
    def of(cls, step: Step) -> Entry:
        """What a step of a walk leaves for the ledger."""
        return cls(step.version, step.position.snapshot.kinds)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it. `behind` says that commits before the origin are missing, so nothing could be recorded."""

    versions: int = 0
    behind: bool = False
    error: ReconcilerError | None = None


class Recorder:
    """A context manager around the thread `ledger`.

    `origin` is the commit the walk begins after and `reachable` the commits it goes through. What the ledger has
    already is skipped; after a walk through the whole history, what the branch no longer reaches is marked orphaned.
    A failing ledger ends the recording, not the walk: `result` says so, and the next recording takes it up again.
    """

    def __init__(self, open_ledger: OpenLedger, origin: str | None, reachable: Collection[str]) -> None:
        self.result = Recorded()
        self._open = open_ledger
        self._origin = origin
        self._reachable = reachable
        self._ended = False
        self._broken_off = False
        self._bug: Exception | None = None
        self._queue: queue.Queue[Step | None] = queue.Queue(QUEUED)
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        self._broken_off = kind is not None
        self._queue.put(None, timeout=DEADLINE)
        self._thread.join(DEADLINE)
        if self._thread.is_alive() and kind is None:
            raise RetryLater("the history did not take the last versions in time", hint="run sync again")
        if self._bug is not None and kind is None:
            raise self._bug

    def offer(self, step: Step) -> None:
        """Hand over a step, in the order of the walk."""
        self._queue.put(step, timeout=DEADLINE)

    def _run(self) -> None:
        try:
            with self._open() as ledger:
                self._record(ledger)
        except ReconcilerError as error:
            self.result = Recorded(self.result.versions, error=error)
            self._drain()
        except Exception as error:  # noqa: BLE001  raised again where the walk ends, and the queue must not fill up
            self._bug = error
            self._drain()

    def _incoming(self) -> Iterator[Step]:
        """The steps up to the end, which comes once: asking again after it ends at once."""
        while not self._ended:
            step = self._queue.get()
            if step is None:
                self._ended = True
            else:
                yield step

    def _drain(self) -> None:
        for _ in self._incoming():
            pass

    def _record(self, ledger: Ledger) -> None:
        known = ledger.recorded((self._origin, *self._reachable) if self._origin else None)
        if self._origin is not None and self._origin not in known:
            self.result = Recorded(behind=True)
            self._drain()
            return
        batch = Batch(ledger)
        for step in self._incoming():
            if known.get(step.version.commit.sha) is not step.version.mainline:
                batch.add(Entry.of(step))
                self.result = Recorded(batch.written)
        batch.flush()
        self.result = Recorded(batch.written)
        if self._origin is None and not self._broken_off:
            ledger.orphan(known.keys() - set(self._reachable))


class Batch:
    """Versions on their way into the ledger, all under one set of kinds. What is added is there after a flush."""

    def __init__(self, ledger: Ledger) -> None:
        self.written = 0
        self._ledger = ledger
        self._kinds: Kinds | None = None
        self._versions: list[Version] = []
        self._rows = 0

    def add(self, entry: Entry) -> None:
        """One more; a batch that is full is written."""
        if self._kinds is None or self._kinds.digest != entry.kinds.digest:
            self.flush()
            self._ledger.prepare(entry.kinds)
            self._kinds = entry.kinds
        self._versions.append(entry.version)
        self._rows += entry.rows
        if self._rows >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        if self._versions:
            self._ledger.record(self._versions)
        self.written += len(self._versions)
        self._versions, self._rows = [], 0


class Comparison:
    """What a head reaches, held against what a ledger has.

    `missing` are the commits that the ledger lacks, or has as something else than it should: on the mainline, or
    off it. `dropped` are those that the head does not reach, or no longer.
    """

    def __init__(self, source: Source, head: str, ledger: Ledger) -> None:
        self.parents = source.parents(head)
        mainline = frozenset(chain(self.parents, head))
        known = ledger.recorded()
        self.missing = {sha: sha in mainline for sha in self.parents if known.get(sha) is not (sha in mainline)}
        self.dropped = known.keys() - self.parents.keys()


def catch_up(
    source: Source,
    stepper: Stepper,
    head: str,
    ledger: Ledger,
    *,
    waiting: Mapping[str, Entry] | None = None,
    progress: Progress = lambda done, total: None,
) -> int:
    """Make the ledger hold each commit of a head's history once, and mark orphaned what is not among them.

    Returns how many versions were recorded. `waiting` are versions at hand, parents first: when they are all that is
    missing, no history is walked. Otherwise it is, from its beginning. Raises `ReconcilerError` when git or the ledger
    fail; what was recorded by then is complete, parents first.
    """
    found = Comparison(source, head, ledger)
    batch = Batch(ledger)
    if found.missing:
        at_hand = waiting or {}
        enough = all(sha in at_hand and at_hand[sha].version.mainline is on for sha, on in found.missing.items())
        entries = iter(at_hand.values()) if enough else _walked(source, stepper, head, found.parents)
        for done, entry in enumerate(entries, 1):
            if entry.version.commit.sha in found.missing:
                batch.add(entry)
            progress(done, len(found.parents))
        batch.flush()
    ledger.orphan(found.dropped)
    return batch.written


def _walked(source: Source, stepper: Stepper, head: str, parents: Mapping[str, tuple[str, ...]]) -> Iterator[Entry]:
    beginning = Origin(None, stepper.nothing())
    return (Entry.of(step) for step in replay(source, stepper, beginning, head, parents))
