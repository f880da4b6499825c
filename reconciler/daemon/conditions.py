"""What the daemon is doing and how it fares, for whoever asks: written by its threads, read by any."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.model.host import Level, Outlook, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.ports import Clock, Log


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


class News(StrEnum):
    """What is told."""

    TROUBLE = "Trouble"
    RECOVERED = "Recovered"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the log. `lasted` is seconds since the object's first trouble; of a new one 0."""

    news: News
    level: Level
    object: str
    reason: str
    commit: str | None
    lasted: float


@dataclass(frozen=True, slots=True)
class Outage:
    """The troubles of one object since it was last well. `told` are the reasons given at `commit`, the newest last."""

    since: float
    commit: str | None
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transitions:
    """The outages under way, by object. Moments are seconds of a clock that never jumps, such as `time.monotonic`."""

    outages: Mapping[str, Outage] = field(default_factory=dict)

    def troubled(
        self, about: str, reason: str, commit: str | None, now: float, level: Level = Level.WARN
    ) -> tuple[Transitions, Notice | None]:
        """An object has a trouble: what is known from now on, and what to tell; None when it was told already.

        Reasons that take turns (a timeout, then a refusal, then a timeout) are told once each.
        """
        before = self.outages.get(about)
        same_commit = before is not None and before.commit == commit
        told = before.told if before is not None and same_commit else ()
        if reason in told:
            return self, None
        since = before.since if before is not None else now
        after = Transitions({**self.outages, about: Outage(since, commit, (*told, reason))})
        return after, Notice(News.TROUBLE, level, about, reason, commit, max(0.0, now - since))

    def well(self, about: str, now: float) -> tuple[Transitions, Notice | None]:
        """An object is well: what is known from now on, and what to tell; None when it was well already."""
        outage = self.outages.get(about)
        if outage is None:
            return self, None
        left = {name: one for name, one in self.outages.items() if name != about}
        lasted = max(0.0, now - outage.since)
        return Transitions(left), Notice(News.RECOVERED, Level.INFO, about, outage.told[-1], outage.commit, lasted)


HISTORY = "History"


class Telling:
    """Hears of the board's turns, from any thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._guard = threading.Lock()
        self._known = Transitions()

    def hear(self, turn: Turn) -> None:
        """Something came, changed or went."""
        now = time.monotonic()
        with self._guard:
            if turn.after is not None:
                level = Level.ERROR if turn.after.outlook is Outlook.STALLED else Level.WARN
                self._known, notice = self._known.troubled(turn.after.about, turn.after.reason, None, now, level)
            else:
                assert turn.before is not None
                self._known, notice = self._known.well(turn.before.about, now)
        if notice is not None:
            self._say(notice, turn)

    def _say(self, notice: Notice, turn: Turn) -> None:
        if notice.news is News.RECOVERED:
            self._log.event("Recovered", about=notice.object, reason=notice.reason, lasted_s=round(notice.lasted, 1))
        elif turn.after is not None:
            after = turn.after
            message = f"{after.message} ({after.hint})" if after.hint else after.message
            self._log.event(notice.reason, message, level=notice.level, about=notice.object)


def history_trouble(board: Board, log: Log, error: Exception | None) -> None:
    """Shipping failed, or works again (None)."""
    if error is None:
        board.well(HISTORY)
    elif isinstance(error, ReconcilerError):
        outlook = Outlook.STALLED if isinstance(error, NeedsHuman) else Outlook.RETRYING
        board.trouble(HISTORY, outlook, type(error).__name__, str(error), error.hint)
    else:
        log.event("Bug", str(error), level=Level.ERROR, error=error)
        board.trouble(
            HISTORY, Outlook.RETRYING, "UnexpectedError", str(error), "this is a bug; its trace is in the log"
        )
