"""The ledger as a thread holds it that lives for months."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.pipeline.recording import OpenLedger
    from reconciler.ports import Ledger

NEVER = math.inf


class Berth:
    """Opened when it is first needed, closed after a failure or when nobody needs it; for one thread.

    `idle_at` is the monotonic time in seconds at which nobody will have needed it for long enough.
    """

    def __init__(self, open_ledger: OpenLedger, idle: float) -> None:
        self._open, self._idle = open_ledger, idle
        self._opened = ExitStack()
        self._ledger: Ledger | None = None
        self.idle_at = NEVER

    def ledger(self) -> Ledger:
        """The ledger. Raises `ReconcilerError` when it cannot be opened."""
        if self._ledger is None:
            self._ledger = self._opened.enter_context(self._open())
        self.idle_at = time.monotonic() + self._idle
        return self._ledger

    def leave_if_idle(self) -> None:
        """Close it, if nobody has needed it for long enough."""
        if time.monotonic() >= self.idle_at:
            self.leave()

    def leave(self) -> None:
        """Close it, if it is open."""
        self._ledger, self.idle_at = None, NEVER
        self._opened.close()
