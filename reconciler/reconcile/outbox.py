"""What waits for the ledger: versions and host events. One thread puts them in, another takes them out."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from reconciler.model.upload import Backlog
from reconciler.reconcile.record import Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from reconciler.model.host import HostEvent
    from reconciler.ports import Store
    from reconciler.reconcile.walk import Step


MOST_ROWS: Final = 50_000
"""Rows that wait at most; a single version that has more may wait alone."""
REMEMBERED: Final = 10_000
"""Shipped commits that are known by name: each look at a refused head offers the same ones again."""


class Mark(NamedTuple):
    """A moment in an outbox's life: what had been put in by then, and how often it had lost something."""

    number: int
    losses: int


class Outbox:
    """Keeps the order of offers, which is parents first. Safe for several threads.

    When more waits than it may hold, all is dropped and it is `behind`: git has everything, and the ledger has to be
    compared with it. A new one is behind as well, as nobody knows what the last process left undone.
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._last = 0
        self._waiting: dict[str, tuple[int, Entry]] = {}
        self._rows = 0
        self._losses, self._settled = 1, 0
        self._shipped: dict[str, bool] = {}

    def offer(self, entry: Entry) -> None:
        """Put a version in. One that waits or was shipped already is not taken twice."""
        sha, mainline = entry.version.commit.sha, entry.version.mainline
        with self._guard:
            before = self._waiting.get(sha)
            if before is not None and before[1].version.mainline is mainline:
                return
            if before is None and self._shipped.get(sha) is mainline:
                return
            if self._waiting and self._rows + entry.rows > self._most_rows:
                self._forget()
                return
            self._last = next(self._numbers)
            # In the place it had: its parents stand before it
            self._waiting[sha] = (self._last, entry)
            self._rows += entry.rows - (before[1].rows if before else 0)

    def lose(self) -> None:
        """From now on the ledger may lack anything, or hold what git dropped: it has to be compared with git."""
        with self._guard:
            self._losses += 1
            self._shipped.clear()

    @property
    def behind(self) -> bool:
        """Whether the ledger has to be compared with git before anything is shipped."""
        with self._guard:
            return self._losses > self._settled

    def backlog(self) -> Backlog:
        """What waits at this moment."""
        with self._guard:
            first = next(iter(self._waiting.values()), None)
            oldest = first[1].version.commit.stamp.time if first else None
            return Backlog(len(self._waiting), oldest, self._losses > self._settled)

    def take(self, rows: int) -> tuple[Entry, ...]:
        """The oldest versions up to so many rows, at least one, all under the same kinds.

        They stay until they are `done`: after a failure they are simply taken again, in their order.
        """
        taken: list[Entry] = []
        with self._guard:
            for _, entry in self._waiting.values():
                rows -= entry.rows
                if taken and (rows < 0 or entry.kinds.digest != taken[0].kinds.digest):
                    break
                taken.append(entry)
        return tuple(taken)

    def done(self, entries: Collection[Entry]) -> None:
        """The ledger has these."""
        with self._guard:
            for entry in entries:
                sha = entry.version.commit.sha
                waiting = self._waiting.get(sha)
                if waiting is not None and waiting[1] is entry:
                    self._drop(sha)
                if self._losses == self._settled:
                    self._remember(sha, entry.version.mainline)

    def mark(self) -> Mark:
        """This moment, for `caught_up`."""
        with self._guard:
            return Mark(self._last, self._losses)

    def waiting(self) -> Mapping[str, Entry]:
        """All that waits, by commit, in order."""
        with self._guard:
            return {sha: entry for sha, (_, entry) in self._waiting.items()}

    def caught_up(self, mark: Mark) -> None:
        """The ledger has all that git had after a mark: what waited by then is there, or was dropped from git."""
        with self._guard:
            for sha in [sha for sha, (number, _) in self._waiting.items() if number <= mark.number]:
                self._drop(sha)
            self._settled = max(self._settled, mark.losses)

    def _drop(self, sha: str) -> None:
        _, entry = self._waiting.pop(sha)
        self._rows -= entry.rows

    def _forget(self) -> None:
        self._waiting.clear()
        self._shipped.clear()
        self._rows = 0
        self._losses += 1

    def _remember(self, sha: str, mainline: bool) -> None:
        self._shipped.pop(sha, None)
        self._shipped[sha] = mainline
        if len(self._shipped) > REMEMBERED:
            del self._shipped[next(iter(self._shipped))]


class Offering:
    """What a reconcile records into when it does not wait for the ledger: a `Recorder` that only passes on.

    `rewritten` says that the walk begins anew, or that commits were dropped: some may have to be marked orphaned.
    """

    result = None

    def __init__(self, outbox: Outbox, *, rewritten: bool) -> None:
        self._outbox, self._rewritten = outbox, rewritten

    def __enter__(self) -> Offering:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        if self._rewritten and kind is None:
            self._outbox.lose()

    def offer(self, step: Step) -> None:
        """Hand over a step, in the order of the walk."""
        self._outbox.offer(Entry.of(step))


MOST: Final = 1_000
"""Events in memory at most; the others wait in the store."""


class _Waiting(NamedTuple):
    event: HostEvent
    identity: str


class EventFeed:
    """Passes host events on. The thread that has the store open calls `exchange`; the shipping thread does the rest.

    The cursor in the store moves after the ledger has the events, so that a process that dies in between ships them
    again, which leaves one of each.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._identity = ""
        self._handed_over = self._confirmed = 0

    def exchange(self, store: Store) -> None:
        """Tell the store what the ledger has by now, and take what is new in it, as far as there is room."""
        identity, position = store.identity(), store.shipped_to()
        with self._guard:
            if identity != self._identity:  # made anew or restored: it counts by itself
                self._identity, self._handed_over, self._confirmed = identity, 0, 0
            confirmed, room = self._confirmed, self._most - len(self._waiting)
        if confirmed > position:
            store.shipped(confirmed)
        events = store.events_after(max(position, confirmed, self._handed_over), room) if room > 0 else ()
        if events:
            with self._guard:
                self._waiting.extend(_Waiting(event, identity) for event in events)
                self._handed_over = events[-1].seq

    def waiting(self) -> int:
        """How many events are on their way."""
        with self._guard:
            return len(self._waiting)

    def take(self, limit: int = MOST) -> tuple[HostEvent, ...]:
        """The oldest of them. They stay until they are `done`."""
        with self._guard:
            return tuple(one.event for one in self._waiting[:limit])

    def done(self, events: Collection[HostEvent]) -> None:
        """The ledger has these: the oldest ones, as they were taken."""
        with self._guard:
            shipped, self._waiting = self._waiting[: len(events)], self._waiting[len(events) :]
            ours = [one.event.seq for one in shipped if one.identity == self._identity]
            self._confirmed = max((self._confirmed, *ours))


def let_go(store: Store) -> None:
    """On a host without a ledger nothing waits to be shipped: the store keeps the events of a week."""
    while events := store.events_after(store.shipped_to(), MOST):
        store.shipped(events[-1].seq)
