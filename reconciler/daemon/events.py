"""What happened in this run of the daemon, for whoever follows: written by its threads, read by any."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from reconciler.model.host import APPLIED, DRIFT, REFUSED, STATE, Happening
from reconciler.report.sync import build_applied_event, build_refused_event, build_state_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.reconcile.sync import SyncResult

    Answer = Mapping[str, Any]

MOST, HEAVIEST = 1_000, 20_000
"""Happenings that are kept, and changes of rows in all of them together: some megabytes at most."""


class Feed:
    """The newest happenings. Safe for several threads; nobody who publishes waits for anybody who reads.

    `run` tells this run of the daemon from others, whose numbers mean something else.
    """

    def __init__(self, most: int = MOST, heaviest: int = HEAVIEST) -> None:
        self.run = secrets.token_hex(4)
        self._most, self._heaviest = most, heaviest
        self._guard = threading.Lock()
        self._kept: deque[tuple[Happening, int]] = deque()
        self._newest = self._weight = 0
        self._wakers: tuple[Callable[[], None], ...] = ()

    @property
    def newest(self) -> int:
        """The number of the newest happening, 0 before the first."""
        return self._newest

    def publish(self, event: str, data: Mapping[str, Any], weight: int = 1) -> None:
        """Something happened. `weight` is how many changes of rows are told in it."""
        with self._guard:
            self._newest += 1
            self._kept.append((Happening(self._newest, event, data), weight))
            self._weight += weight
            while len(self._kept) > self._most or (self._weight > self._heaviest and len(self._kept) > 1):
                self._weight -= self._kept.popleft()[1]
            wakers = self._wakers
        for wake in wakers:
            wake()

    def after(self, number: int) -> tuple[Happening, ...] | None:
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


NOTHING: Mapping[str, Any] = {"found": 0, "healed": 0, "fighting": ()}
"""What a scan says that found nothing."""


class News:
    """Safe for several threads. `status` gives what `status --format json` prints."""

    def __init__(self, feed: Feed, status: Callable[[], Answer]) -> None:
        self._feed, self._status = feed, status
        self._guard = threading.Lock()
        self._state: Answer | None = None
        self._refused: Answer | None = None
        self._scan: Answer | None = None

    def reconciled(self, result: SyncResult) -> None:
        """A reconcile has ended: tell what it changed, and what it refused unless that is known."""
        applied = build_applied_event(result)
        if applied is not None:
            self._feed.publish(APPLIED, applied, max(1, len(applied["changes"])))
        refused = build_refused_event(result)
        if refused is not None and refused != self._refused:
            self._feed.publish(REFUSED, refused)
        self._refused = refused

    def look(self) -> None:
        """Something may be other than it was: tell it if so."""
        with self._guard:  # held to the end: what is seen later is told later
            status = self._status()
            scan, state = status["drift"], build_state_event(status)
            if scan not in (None, self._scan) and _is_news(self._scan or NOTHING, scan):
                self._feed.publish(DRIFT, scan)
            self._scan = scan
            if state != self._state:
                self._feed.publish(STATE, state)
                self._state = state


def _is_news(before: Answer, now: Answer) -> bool:
    """Whether a scan says something else than the one before, or put something right again."""
    return bool(now["healed"]) or any(now[part] != before[part] for part in NOTHING)
