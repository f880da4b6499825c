"""Host events on their way from the store to the ledger, which no thread has open at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.host import HostEvent
    from reconciler.ports import Store

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
