"""What waits to be recorded in the ledger: the versions of a walk, and the host's events and live intervals.

Several threads may use an outbox: one puts in, another uploads.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from msgspec import Struct

from reconciler.model.host import Backlog
from reconciler.tables.problems import shorten_problems
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from types import TracebackType

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import Version
    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.ports import Store
    from reconciler.reconcile.walk import ProcessedCommit

T = TypeVar("T")

MAX_WEIGHT: Final = 50_000
"""Weight of the versions that an outbox holds beside the heaviest: the commit that imports everything is no reason to
walk a history again."""
MAX_UPLOADED: Final = 10_000
"""Uploaded commits that are remembered: each look at a refused head offers the same ones again."""
MAX_EVENTS: Final = 1_000
"""Events and intervals in memory; the others wait in the store."""


class PendingVersion(NamedTuple):
    """A version to record, and the kinds of its rows; `again`: also where the ledger has it."""

    version: Version
    kinds: Kinds
    weight: int
    again: bool = False

    @property
    def sha(self) -> str:
        """The commit's."""
        return self.version.commit.sha

    @classmethod
    def from_commit(cls, commit: ProcessedCommit, *, again: bool = False) -> PendingVersion:
        """The version of a commit of a walk, with those of its problems that the ledger keeps."""
        version = replace(commit.version, problems=shorten_problems(commit.version.problems))
        return cls(version, commit.kinds, version.weight(), again)


class Checkpoint(NamedTuple):
    """A point in an outbox's life: the number of the last version put in by then, and how often it lost versions."""

    number: int
    losses: int


class Outbox:
    """Versions on their way to the ledger, in the order they were offered, which is parents first.

    When it is full it drops everything and is `behind`: the ledger has to be compared with git, which has everything.
    A new outbox is behind as well, as nobody knows what the last process left undone.
    """

    def __init__(self, max_weight: int = MAX_WEIGHT) -> None:
        self._max_weight = max_weight
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._last = 0
        self._pending: dict[str, tuple[int, PendingVersion]] = {}
        self._weight = self._heaviest = 0
        self._walks, self._walk_expected_until = 0, 0.0
        self._losses, self._losses_repaired = 1, 0
        self._uploaded: dict[str, bool] = {}
        self._heads: frozenset[str] = frozenset()

    def note_head(self, head: str) -> None:
        """The ledger is about to be brought to a head, out of git: versions up to it may be recorded from now on."""
        with self._lock:
            self._heads |= {head}

    def reach(self, head: str, reachable: Collection[str]) -> None:
        """All up to a head was offered. Be `behind` if that does not reach a head that was recorded before."""
        with self._lock:
            gone = not self._heads <= {head, *reachable}
            self._heads = frozenset({head})
        if gone:
            self.require_backfill()

    def is_at(self, head: str) -> bool:
        """Whether a head and nothing else was offered or recorded last."""
        with self._lock:
            return self._heads == {head}

    def offer(self, new: PendingVersion) -> None:
        """Add a version, unless it is pending or was uploaded already."""
        sha, mainline = new.sha, new.version.mainline
        with self._lock:
            before = self._pending.get(sha)
            if not new.again and before is not None and before[1].version.mainline is mainline:
                return
            if not new.again and before is None and self._uploaded.get(sha) is mainline:
                return
            heaviest = max(self._heaviest, new.weight)
            if self._pending and self._weight + new.weight - heaviest > self._max_weight:
                self._drop_all()
                return
            self._last = next(self._numbers)
            # A version that is pending keeps its place: its parents are before it
            self._pending[sha] = (self._last, new)
            self._weight += new.weight - (before[1].weight if before else 0)
            self._heaviest = heaviest

    def require_backfill(self) -> None:
        """From now on be `behind`: the ledger may lack commits, or have commits that are gone from git."""
        with self._lock:
            self._losses += 1
            self._uploaded.clear()

    @property
    def behind(self) -> bool:
        """Whether the ledger has to be compared with git before the next upload."""
        with self._lock:
            return self._losses > self._losses_repaired

    def expect_walk(self, seconds: float) -> None:
        """A walk is about to begin, within some seconds."""
        with self._lock:
            self._walk_expected_until = time.monotonic() + seconds

    @contextmanager
    def walk(self) -> Iterator[None]:
        """A walk that offers what it passes is under way."""
        with self._lock:
            self._walks, self._walk_expected_until = self._walks + 1, 0.0
        try:
            yield
        finally:
            with self._lock:
                self._walks -= 1

    @property
    def filling(self) -> bool:
        """Whether a walk is under way, or expected, that may offer what the ledger lacks."""
        with self._lock:
            return self._walks > 0 or time.monotonic() < self._walk_expected_until

    def backlog(self) -> Backlog:
        """How much is pending."""
        with self._lock:
            first = next(iter(self._pending.values()), None)
            oldest = first[1].version.commit.stamp.time if first else None
            return Backlog(len(self._pending), oldest, self._losses > self._losses_repaired)

    def take(self, weight: int) -> tuple[PendingVersion, ...]:
        """The oldest versions up to a weight, at least one, all under the same kinds.

        They stay pending until `mark_uploaded`: after a failure they are taken again, in the same order.
        """
        taken: list[PendingVersion] = []
        with self._lock:
            for _, pending in self._pending.values():
                weight -= pending.weight
                if taken and (weight < 0 or pending.kinds.digest != taken[0].kinds.digest):
                    break
                taken.append(pending)
        return tuple(taken)

    def mark_uploaded(self, versions: Collection[PendingVersion]) -> None:
        """Remove versions that the ledger has."""
        with self._lock:
            for uploaded in versions:
                pending = self._pending.get(uploaded.sha)
                if pending is not None and pending[1] is uploaded:
                    self._remove(uploaded.sha)
                if self._losses == self._losses_repaired:
                    self._remember_uploaded(uploaded.sha, uploaded.version.mainline)

    def checkpoint(self) -> Checkpoint:
        """The present point, for `mark_backfilled`."""
        with self._lock:
            return Checkpoint(self._last, self._losses)

    def pending(self) -> Mapping[str, PendingVersion]:
        """The pending versions by commit, in order."""
        with self._lock:
            return {sha: pending for sha, (_, pending) in self._pending.items()}

    def mark_backfilled(self, checkpoint: Checkpoint) -> None:
        """The ledger was compared with git after a checkpoint: remove all versions that were pending then."""
        with self._lock:
            for sha in [sha for sha, (number, _) in self._pending.items() if number <= checkpoint.number]:
                self._remove(sha)
            self._losses_repaired = max(self._losses_repaired, checkpoint.losses)

    def _remove(self, sha: str) -> None:
        _, removed = self._pending.pop(sha)
        self._weight -= removed.weight
        if removed.weight == self._heaviest:
            self._heaviest = max((pending.weight for _, pending in self._pending.values()), default=0)

    def _drop_all(self) -> None:
        self._pending.clear()
        self._uploaded.clear()
        self._weight = self._heaviest = 0
        self._losses += 1

    def _remember_uploaded(self, sha: str, mainline: bool) -> None:
        self._uploaded.pop(sha, None)
        self._uploaded[sha] = mainline
        if len(self._uploaded) > MAX_UPLOADED:
            del self._uploaded[next(iter(self._uploaded))]


class OutboxRecorder:
    """Records the versions of a walk into an outbox, in place of a `Recorder`, so that nobody waits for the ledger.

    The walk leads to `head`, and `reachable` are its commits with the one that it starts after. `rewritten` says that
    it starts anew or that commits are gone: some may have to be marked orphaned.
    """

    result = None

    def __init__(
        self, outbox: Outbox, head: str, reachable: Collection[str], *, rewritten: bool, again: bool = False
    ) -> None:
        self._outbox, self._head, self._reachable = outbox, head, reachable
        self._rewritten, self._again = rewritten, again
        self._walk = outbox.walk()

    def __enter__(self) -> OutboxRecorder:
        self._walk.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        if kind is None:
            self._outbox.reach(self._head, self._reachable)
            if self._rewritten:
                self._outbox.require_backfill()
        self._walk.__exit__(None, None, None)

    def offer(self, commit: ProcessedCommit) -> None:
        """Hand over a commit, in the order of the walk."""
        self._outbox.offer(PendingVersion.from_commit(commit, again=self._again))


class Feed(Struct, Generic[T], frozen=True):
    """What a store numbers for the ledger, and how far the ledger has it.

    `position` is the newest number that the ledger has, with all before it; `after` gives what has greater numbers, in
    their order; `mark` tells the store that the ledger has them.
    """

    position: Callable[[Store], int]
    after: Callable[[Store, int, int], Sequence[T]]
    mark: Callable[[Store, int], None]
    number: Callable[[T], int]


EVENTS: Final[Feed[HostEvent]] = Feed(
    lambda store: store.last_uploaded_event(),
    lambda store, seq, limit: store.events_after(seq, limit),
    lambda store, seq: store.mark_uploaded(seq),
    lambda event: event.seq,
)
INTERVALS: Final[Feed[LiveInterval]] = Feed(
    lambda store: store.last_uploaded_interval(),
    lambda store, change, limit: store.intervals_after(change, limit),
    lambda store, change: store.mark_intervals_uploaded(change),
    lambda interval: interval.change,
)


class StoreOutbox(Generic[T]):
    """Host events or live intervals on their way from the store to the ledger. Only `exchange` needs the store.

    The position in the store moves after the ledger has them: a process that dies in between uploads them again, and
    the ledger keeps one of each.
    """

    def __init__(self, feed: Feed[T], max_items: int = MAX_EVENTS) -> None:
        self._feed, self._max_items = feed, max_items
        self._lock = threading.Lock()
        self._pending: list[tuple[T, str]] = []
        self._store = ""
        self._last_taken = self._last_uploaded = 0

    def exchange(self, store: Store) -> None:
        """Tell the store what the ledger has, and take what is new from it, as far as there is room."""
        identity, position = store.identity(), self._feed.position(store)
        with self._lock:
            if identity != self._store:  # made anew or restored, so it numbers anew
                self._store, self._last_taken, self._last_uploaded = identity, 0, 0
            uploaded, room = self._last_uploaded, self._max_items - len(self._pending)
        if uploaded > position:
            self._feed.mark(store, uploaded)
        items = self._feed.after(store, max(position, uploaded, self._last_taken), room) if room > 0 else ()
        if items:
            with self._lock:
                self._pending.extend((item, identity) for item in items)
                self._last_taken = self._feed.number(items[-1])

    def count(self) -> int:
        """How many are pending."""
        with self._lock:
            return len(self._pending)

    def take(self, limit: int = MAX_EVENTS) -> tuple[T, ...]:
        """The oldest ones. They stay pending until `mark_uploaded`."""
        with self._lock:
            return tuple(item for item, _ in self._pending[:limit])

    def mark_uploaded(self, items: Collection[T]) -> None:
        """Remove what the ledger has: the oldest ones, as they were taken."""
        with self._lock:
            uploaded, self._pending = self._pending[: len(items)], self._pending[len(items) :]
            numbers = [self._feed.number(item) for item, store in uploaded if store == self._store]
            self._last_uploaded = max((self._last_uploaded, *numbers))
