"""What the daemon does and how it fares: written by its threads, read by any."""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.model.log import Level
from reconciler.service.context import HISTORY
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.ports import Clock, Log

SHOW_INTERVAL = 1.0
"""Seconds after which an operation is shown although it has not ended."""


class Phase(StrEnum):
    """What the operations thread does."""

    STARTING = "Starting"
    IDLE = "Idle"
    FETCHING = "Fetching"
    RECONCILING = "Reconciling"
    SCANNING = "Scanning"
    BACKING_UP = "BackingUp"
    DRILLING = "Drilling"
    ROOTING = "MakingRoot"
    ANSWERING = "Answering"
    STOPPING = "Stopping"


class Snapshot(Struct, frozen=True):
    """The conditions at one moment, by what they are about.

    `phase_since` and `heartbeat_at` are UTC; `heartbeat` is the latter in monotonic seconds, which no change of the
    clock makes older. `ready` says that a first reconcile has ended.
    """

    started: datetime
    phase: Phase
    phase_since: datetime
    heartbeat_at: datetime
    heartbeat: float
    ready: bool = False
    active: Mapping[str, HostCondition] = field(default_factory=dict)
    last_sync: datetime | None = None


class Change(Struct, frozen=True):
    """A condition that came, changed or went: `before` is None when it came, `after` when it went."""

    before: HostCondition | None
    after: HostCondition | None


class Conditions:
    """Safe for several threads. `on_change` is called with each change, on the thread that made it.

    `on_update` is called, on any thread, when the snapshot may look otherwise to a reader.
    """

    def __init__(self, clock: Clock, on_change: Callable[[Change], None]) -> None:
        now = clock.now()
        self._clock, self._on_change = clock, on_change
        self._lock = threading.Lock()
        self._snapshot = Snapshot(now, Phase.STARTING, now, now, time.monotonic())
        self._shown = time.monotonic()
        self.on_update: Callable[[], None] = lambda: None

    def snapshot(self) -> Snapshot:
        """The conditions now."""
        with self._lock:
            return self._snapshot

    def enter(self, phase: Phase) -> None:
        """The operations thread goes over to something else."""
        now = self._clock.now()
        with self._lock:
            same = self._snapshot.phase is phase
            since = self._snapshot.phase_since if same else now
            self._snapshot = replace(
                self._snapshot, phase=phase, phase_since=since, heartbeat_at=now, heartbeat=time.monotonic()
            )
        if phase is Phase.IDLE and not same:  # what is short is shown at its end: no commit waits for that
            self._update()

    def heartbeat(self) -> None:
        """The operations thread is alive."""
        now, monotonic = self._clock.now(), time.monotonic()
        with self._lock:
            self._snapshot = replace(self._snapshot, heartbeat_at=now, heartbeat=monotonic)
        if monotonic - self._shown > SHOW_INTERVAL:
            self._update()

    def mark_synced(self) -> None:
        """A reconcile has ended, with whatever result."""
        now = self._clock.now()
        with self._lock:
            self._snapshot = replace(self._snapshot, ready=True, last_sync=now)

    def set(self, about: str, severity: ConditionSeverity, reason: str, message: str, hint: str = "") -> None:
        """Something does not work; the same again is no change."""
        with self._lock:
            before = self._snapshot.active.get(about)
            since = before.since if before else self._clock.now()
            after = HostCondition(about, severity, reason, message, hint, since)
            self._snapshot = replace(self._snapshot, active={**self._snapshot.active, about: after})
        if before is None or (before.reason, before.severity, before.message) != (reason, severity, message):
            self._on_change(Change(before, after))
            self._update()

    def clear(self, about: str) -> None:
        """It works, or works again."""
        with self._lock:
            before = self._snapshot.active.get(about)
            left = {name: condition for name, condition in self._snapshot.active.items() if name != about}
            self._snapshot = replace(self._snapshot, active=left)
        if before is not None:
            self._on_change(Change(before, None))
            self._update()

    def _update(self) -> None:
        self._shown = time.monotonic()
        self.on_update()


class NoticeType(StrEnum):
    """Whether something began to fail, or works again."""

    FAILED = "Failed"
    RECOVERED = "Recovered"


class Notice(Struct, frozen=True):
    """One line for the log. `lasted` is seconds since the object failed first; 0 when it does so now."""

    type: NoticeType
    level: Level
    object: str
    reason: str
    commit: str | None
    lasted: float


class Outage(Struct, frozen=True):
    """The failures of one object since it last worked. `reasons` were given at `commit`, the newest last."""

    since: float
    commit: str | None
    reasons: tuple[str, ...]


class Outages(Struct, frozen=True):
    """Those under way, by object. Moments are seconds of a clock that never jumps, such as `time.monotonic`.

    A failure is known by its object, its reason and its commit. However often it is met, it is logged once; that the
    object works again is logged once, with how long the outage lasted.
    """

    outages: Mapping[str, Outage] = field(default_factory=dict)

    def with_failure(
        self, about: str, reason: str, commit: str | None, now: float, level: Level = Level.WARN
    ) -> tuple[Outages, Notice | None]:
        """An object failed: the outages from now on, and what to log; None when it was logged already.

        Reasons that take turns (a timeout, then a refusal, then a timeout) are logged once each.
        """
        before = self.outages.get(about)
        same_commit = before is not None and before.commit == commit
        reasons = before.reasons if before is not None and same_commit else ()
        if reason in reasons:
            return self, None
        since = before.since if before is not None else now
        after = Outages({**self.outages, about: Outage(since, commit, (*reasons, reason))})
        return after, Notice(NoticeType.FAILED, level, about, reason, commit, max(0.0, now - since))

    def with_recovery(self, about: str, now: float) -> tuple[Outages, Notice | None]:
        """An object works: the outages from now on, and what to log; None when it worked already."""
        outage = self.outages.get(about)
        if outage is None:
            return self, None
        left = {name: one for name, one in self.outages.items() if name != about}
        lasted = max(0.0, now - outage.since)
        notice = Notice(NoticeType.RECOVERED, Level.INFO, about, outage.reasons[-1], outage.commit, lasted)
        return Outages(left), notice


class ConditionLog:
    """Logs when a condition begins, changes and ends. For any thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._outages = Outages()

    def log_change(self, change: Change) -> None:
        """A condition came, changed or went."""
        now = time.monotonic()
        with self._lock:
            if change.after is not None:
                level = Level.ERROR if change.after.severity is ConditionSeverity.STALLED else Level.WARN
                about, reason = change.after.about, change.after.reason
                self._outages, notice = self._outages.with_failure(about, reason, None, now, level)
            else:
                assert change.before is not None
                self._outages, notice = self._outages.with_recovery(change.before.about, now)
        if notice is not None:
            self._write(notice, change)

    def _write(self, notice: Notice, change: Change) -> None:
        if notice.type is NoticeType.RECOVERED:
            self._log.event("Recovered", about=notice.object, reason=notice.reason, lasted_s=round(notice.lasted, 1))
        elif change.after is not None:
            after = change.after
            message = f"{after.message} ({after.hint})" if after.hint else after.message
            self._log.event(notice.reason, message, level=notice.level, about=notice.object)


def show_upload_error(conditions: Conditions, log: Log, error: Exception | None) -> None:
    """The upload to the history failed, or works again (None)."""
    if error is None:
        conditions.clear(HISTORY)
    elif isinstance(error, ReconcilerError):
        severity = ConditionSeverity.STALLED if isinstance(error, NeedsHuman) else ConditionSeverity.RETRYING
        conditions.set(HISTORY, severity, type(error).__name__, str(error), error.hint)
    else:
        log.event("Bug", str(error), level=Level.ERROR, error=error)
        hint = "this is a bug; its trace is in the log"
        conditions.set(HISTORY, ConditionSeverity.RETRYING, "UnexpectedError", str(error), hint)
