"""Publishes what the daemon does as events, for event streams and for whoever waits."""

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

NO_DRIFT: Mapping[str, Any] = {"found": 0, "healed": 0, "fighting": ()}
"""A scan that found nothing, in the form of `status`."""


class EventPublisher:
    """Publishes what goes live, what is refused, what drifts, and the state when it changes. For any thread.

    `status` gives what `status --format json` prints.
    """

    def __init__(self, events: EventBuffer, status: Callable[[], Answer]) -> None:
        self._events, self._status = events, status
        self._lock = threading.Lock()
        self._state: Answer | None = None
        self._refused: Answer | None = None
        self._scan: Answer | None = None

    def publish_sync(self, result: SyncResult) -> None:
        """Publish what a reconcile changed, and what it refused unless that was published."""
        applied = build_applied_event(result)
        if applied is not None:
            self._events.publish(APPLIED, applied, max(1, len(applied["changes"])))
        refused = build_refused_event(result)
        if refused is not None and refused != self._refused:
            self._events.publish(REFUSED, refused)
        self._refused = refused

    def publish_state(self) -> None:
        """Publish the state, and the newest scan, if they changed."""
        with self._lock:  # held to the end: events are in the order of the states
            status = self._status()
            scan, state = status["drift"], build_state_event(status)
            if scan not in (None, self._scan) and _is_worth_an_event(self._scan or NO_DRIFT, scan):
                self._events.publish(DRIFT, scan)
            self._scan = scan
            if state != self._state:
                self._events.publish(STATE, state)
                self._state = state


def _is_worth_an_event(before: Answer, scan: Answer) -> bool:
    """Whether a scan differs from the one before, or healed something again."""
    return bool(scan["healed"]) or any(scan[field] != before[field] for field in NO_DRIFT)
