"""What happened in this run of the daemon: written by its threads, read by whoever follows."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from reconciler.model.host import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_EVENTS, MAX_WEIGHT = 1_000, 20_000
"""Events that are kept, and changes of rows in all of them together: some megabytes at most."""


class EventBuffer:
    """The newest events. Safe for several threads; nobody who publishes waits for anybody who reads.

    `run` tells this run of the daemon from others, whose numbers mean something else.
    """

    def __init__(self, max_events: int = MAX_EVENTS, max_weight: int = MAX_WEIGHT) -> None:
        self.run = secrets.token_hex(4)
        self._max_events, self._max_weight = max_events, max_weight
        self._guard = threading.Lock()
        self._kept: deque[tuple[StreamEvent, int]] = deque()
        self._newest = self._weight = 0
        self._wakers: tuple[Callable[[], None], ...] = ()

    @property
    def newest(self) -> int:
        """The number of the newest event, 0 before the first."""
        return self._newest

    def publish(self, event: str, data: Mapping[str, Any], weight: int = 1) -> None:
        """Something happened. `weight` is how many changes of rows are told in it."""
        with self._guard:
            self._newest += 1
            self._kept.append((StreamEvent(self._newest, event, data), weight))
            self._weight += weight
            while len(self._kept) > self._max_events or (self._weight > self._max_weight and len(self._kept) > 1):
                self._weight -= self._kept.popleft()[1]
            wakers = self._wakers
        for wake in wakers:
            wake()

    def after(self, number: int) -> tuple[StreamEvent, ...] | None:
        """What happened after the one with this number; None when some of it is kept no longer, or never was."""
        with self._guard:
            missed = self._newest - number
            if not 0 <= missed <= len(self._kept):
                return None
            if not missed:
                return ()
            return tuple(self._kept[position][0] for position in range(-missed, 0))

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, which must not wait for anything, whenever something has happened; gives what ends that."""
        with self._guard:
            self._wakers += (wake,)
        return lambda: self._leave(wake)

    def _leave(self, wake: Callable[[], None]) -> None:
        with self._guard:
            self._wakers = tuple(one for one in self._wakers if one is not wake)
