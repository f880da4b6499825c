"""What the daemon is doing and how it fares, for whoever asks: written by its threads, read by any."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.model.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.model.trouble import Outlook
    from reconciler.ports import Clock


class Phase(StrEnum):
    """What the operations thread is at."""

    STARTING = "Starting"
    IDLE = "Idle"
    FETCHING = "Fetching"
    RECONCILING = "Reconciling"
    SCANNING = "Scanning"
    BACKING_UP = "BackingUp"
    ANSWERING = "Answering"
    STOPPING = "Stopping"


@dataclass(frozen=True, slots=True)
class Sight:
    """The board at one moment.

    `phase_since` and `beat` are UTC; `beat` is the newest sign of life, `pulse` the same in monotonic seconds, which no
    change of the clock makes older. `ready` says that a first reconcile has ended.
    """

    started: datetime
    phase: Phase
    phase_since: datetime
    beat: datetime
    pulse: float
    ready: bool = False
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    last_sync: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A trouble that came, changed or went: `before` is None when it came, `after` when it went."""

    before: Trouble | None
    after: Trouble | None


LONG = 1.0
"""Seconds after which something that goes on is shown although it has not ended."""


class Board:
    """Safe for several threads. `tell` hears of every turn, once, on the thread that brought it.

    `seen` is called, on any thread, when there may be something else to see than before.
    """

    def __init__(self, clock: Clock, tell: Callable[[Turn], None]) -> None:
        now = clock.now()
        self._clock, self._tell = clock, tell
        self._guard = threading.Lock()
        self._sight = Sight(now, Phase.STARTING, now, now, time.monotonic())
        self._shown = time.monotonic()
        self.seen: Callable[[], None] = lambda: None

    def look(self) -> Sight:
        """What is to be seen now."""
        with self._guard:
            return self._sight

    def enter(self, phase: Phase) -> None:
        """The operations thread goes over to something else."""
        now = self._clock.now()
        with self._guard:
            same = self._sight.phase is phase
            since = self._sight.phase_since if same else now
            self._sight = replace(self._sight, phase=phase, phase_since=since, beat=now, pulse=time.monotonic())
        if phase is Phase.IDLE and not same:  # what is short is seen at its end: no commit waits for that
            self._show()

    def beat(self) -> None:
        """The operations thread is alive."""
        now, pulse = self._clock.now(), time.monotonic()
        with self._guard:
            self._sight = replace(self._sight, beat=now, pulse=pulse)
        if pulse - self._shown > LONG:
            self._show()

    def synced(self) -> None:
        """A reconcile has ended, whatever came of it."""
        now = self._clock.now()
        with self._guard:
            self._sight = replace(self._sight, ready=True, last_sync=now)

    def trouble(self, about: str, outlook: Outlook, reason: str, message: str, hint: str = "") -> None:
        """Something does not work; the same again is no news."""
        with self._guard:
            before = self._sight.troubles.get(about)
            since = before.since if before else self._clock.now()
            after = Trouble(about, outlook, reason, message, hint, since)
            self._sight = replace(self._sight, troubles={**self._sight.troubles, about: after})
        if before is None or (before.reason, before.outlook, before.message) != (reason, outlook, message):
            self._tell(Turn(before, after))
            self._show()

    def well(self, about: str) -> None:
        """It works, or works again."""
        with self._guard:
            before = self._sight.troubles.get(about)
            left = {name: trouble for name, trouble in self._sight.troubles.items() if name != about}
            self._sight = replace(self._sight, troubles=left)
        if before is not None:
            self._tell(Turn(before, None))
            self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        self.seen()
