"""What the feed is told: what went live, what was refused, what drifted, and how the host stands when that changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from reconciler.model.happening import APPLIED, DRIFT, REFUSED, STATE
from reconciler.report.happenings import applied_json, refused_json, state_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.daemon.feed import Feed
    from reconciler.pipeline.syncing import SyncResult

    Answer = Mapping[str, Any]

NOTHING: Mapping[str, Any] = {"found": 0, "healed": 0, "fighting": []}
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
        applied = applied_json(result)
        if applied is not None:
            self._feed.publish(APPLIED, applied, max(1, len(applied["changes"])))
        refused = refused_json(result)
        if refused is not None and refused != self._refused:
            self._feed.publish(REFUSED, refused)
        self._refused = refused

    def look(self) -> None:
        """Something may be other than it was: tell it if so."""
        with self._guard:  # held to the end: what is seen later is told later
            status = self._status()
            scan, state = status["drift"], state_json(status)
            if scan not in (None, self._scan) and _is_news(self._scan or NOTHING, scan):
                self._feed.publish(DRIFT, scan)
            self._scan = scan
            if state != self._state:
                self._feed.publish(STATE, state)
                self._state = state


def _is_news(before: Answer, now: Answer) -> bool:
    """Whether a scan says something else than the one before, or put something right again."""
    return bool(now["healed"]) or any(now[part] != before[part] for part in NOTHING)
