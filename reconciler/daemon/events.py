"""Turns what the daemon did into events for whoever follows."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from reconciler.model.host import APPLIED, DRIFT, REFUSED, STATE
from reconciler.report.sync import build_applied_event, build_refused_event, build_state_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.reconcile.sync import SyncResult
    from reconciler.service.events import EventBuffer

    Answer = Mapping[str, Any]

NOTHING: Mapping[str, Any] = {"found": 0, "healed": 0, "fighting": ()}
"""What a scan says that found nothing."""


class News:
    """Safe for several threads. `status` gives what `status --format json` prints."""

    def __init__(self, events: EventBuffer, status: Callable[[], Answer]) -> None:
        self._events, self._status = events, status
        self._guard = threading.Lock()
        self._state: Answer | None = None
        self._refused: Answer | None = None
        self._scan: Answer | None = None

    def reconciled(self, result: SyncResult) -> None:
        """A reconcile has ended: tell what it changed, and what it refused unless that is known."""
        applied = build_applied_event(result)
        if applied is not None:
            self._events.publish(APPLIED, applied, max(1, len(applied["changes"])))
        refused = build_refused_event(result)
        if refused is not None and refused != self._refused:
            self._events.publish(REFUSED, refused)
        self._refused = refused

    def look(self) -> None:
        """Something may be other than it was: tell it if so."""
        with self._guard:  # held to the end: what is seen later is told later
            status = self._status()
            scan, state = status["drift"], build_state_event(status)
            if scan not in (None, self._scan) and _is_news(self._scan or NOTHING, scan):
                self._events.publish(DRIFT, scan)
            self._scan = scan
            if state != self._state:
                self._events.publish(STATE, state)
                self._state = state


def _is_news(before: Answer, now: Answer) -> bool:
    """Whether a scan says something else than the one before, or put something right again."""
    return bool(now["healed"]) or any(now[part] != before[part] for part in NOTHING)
