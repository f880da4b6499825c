"""What a daemon does about live rows that are not as git says: heal them, or report them.

A row that is healed again and again has another writer. It is left alone until one of the two stops.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.host import ConditionSeverity
from reconciler.model.log import Level
from reconciler.model.rows import MAX_REPORTED
from reconciler.report.problems import plural
from reconciler.status import Scan
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from reconciler.daemon.conditions import Conditions
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import RowId
    from reconciler.model.rows import Drift, Drifts
    from reconciler.ports import Clock, Log, Store

MAX_HEALS = 5
HEAL_WINDOW = 60.0
"""So many heals of one row in so many seconds, and it is left alone when it drifts once more."""
QUIET_PERIOD = 300.0
"""Seconds without a change of how a row is found before it is healed again."""
CONDITION = "Drift"
MAX_NAMED = 5
"""Rows that are named in a message; the others are counted."""


class Conflict(Struct, frozen=True):
    """A row that is left alone: since when, how it was found last (None when it was right), and since when that."""

    since: float
    state: str | None
    unchanged_since: float


class Conflicts:
    """Counts heals of each row. All moments are monotonic seconds; it has no clock of its own.

    For each scan call `update` with what drifted, heal the other rows, and call `count_heals` with those.
    """

    def __init__(self) -> None:
        self._heals: dict[RowId, tuple[float, ...]] = {}
        self._conflicts: dict[RowId, Conflict] = {}

    @property
    def rows(self) -> Mapping[RowId, Conflict]:
        """The rows that were left alone at the last scan."""
        return dict(self._conflicts)

    def update(self, drifted: Mapping[RowId, str], now: float) -> frozenset[RowId]:
        """The rows to leave alone, given a digest of how each drifted row was found."""
        self._forget_old_heals(now)
        self._conflicts = {
            row: after
            for row, conflict in self._conflicts.items()
            if now - (after := _observe(conflict, drifted.get(row), now)).unchanged_since < QUIET_PERIOD
        }
        for row, state in drifted.items():
            if row not in self._conflicts and len(self._heals.get(row, ())) >= MAX_HEALS:
                self._conflicts[row] = Conflict(now, state, now)
        return frozenset(self._conflicts)

    def count_heals(self, rows: Collection[RowId], now: float) -> None:
        """These rows were healed at this moment."""
        for row in rows:
            self._heals[row] = (*self._heals.get(row, ()), now)[-MAX_HEALS:]

    def _forget_old_heals(self, now: float) -> None:
        recent = {row: tuple(at for at in times if now - at < HEAL_WINDOW) for row, times in self._heals.items()}
        self._heals = {row: times for row, times in recent.items() if times}


def _observe(conflict: Conflict, state: str | None, now: float) -> Conflict:
    return conflict if state == conflict.state else replace(conflict, state=state, unchanged_since=now)


class DriftHealer:
    """Heals what drifted, but not what something else writes again and again."""

    def __init__(self, conditions: Conditions, log: Log, clock: Clock) -> None:
        self._conditions, self._log, self._clock = conditions, log, clock
        self._conflicts = Conflicts()
        self._scanned: datetime | None = None
        self._left_any = False

    def scan(self, store: Store, kinds: Kinds) -> Scan:
        """Look for drift, and heal it. What is left alone is recorded."""
        began = self._clock.now()
        drifts, now = store.drift(kinds), time.monotonic()
        left = self._conflicts.update({drift.row_id: drift.digest for drift in drifts.reported}, now)
        healed = self._heal(store, kinds, drifts, left, now)
        conflicting = tuple(_name(drift) for drift in drifts.reported if drift.row_id in left)
        if healed:
            rows = _list_names([_name(drift) for drift in drifts.reported if drift.row_id not in left], healed)
            message = f"something else wrote there, and what git says was put back: {rows}"
            self._log.event("DriftHealed", message, level=Level.WARN, rows=healed)
        if conflicting or self._left_any:
            store.record_drift(kinds, checked=self._scanned)
        self._left_any, self._scanned = bool(conflicting), began
        if conflicting:
            rows = _list_names(conflicting, len(conflicting))
            message = f"something else writes to {rows} again and again, so it is left alone"
            hint = "find what writes there, and stop it; after five quiet minutes it is put right again"
            self._conditions.set(CONDITION, ConditionSeverity.STALLED, "Fighting", message, hint)
        else:
            self._conditions.clear(CONDITION)
        return Scan(self._clock.now(), drifts.total, healed, conflicting)

    def _heal(self, store: Store, kinds: Kinds, drifts: Drifts, left: frozenset[RowId], now: float) -> int:
        healed = 0
        for _ in range(0, drifts.total, MAX_REPORTED):
            batch = store.heal(kinds, leaving=left, checked=self._scanned)
            self._conflicts.count_heals([drift.row_id for drift in batch.reported], now)
            healed += len(batch.reported)
        return healed


def _name(drift: Drift) -> str:
    return f"{drift.kind} {drift.name or drift.id}"


def _list_names(names: Sequence[str], count: int) -> str:
    """The first of so many names."""
    return ", ".join(names[:MAX_NAMED]) + (f" and {count - MAX_NAMED:,} more" if count > MAX_NAMED else "")


class DriftReporter:
    """Shows drift as a condition, and leaves it as it is."""

    def __init__(self, conditions: Conditions, clock: Clock) -> None:
        self._conditions, self._clock = conditions, clock
        self._scanned: datetime | None = None

    def scan(self, store: Store, kinds: Kinds) -> Scan:
        """Look for drift, and show it."""
        began = self._clock.now()
        drifts = store.record_drift(kinds, checked=self._scanned)
        self._scanned = began
        if drifts.total:
            message = f"{plural(drifts.total, 'live row')} not as git says"
            hint = "`reconciler drift` shows what differs, `reconciler drift --heal` puts it right"
            self._conditions.set(CONDITION, ConditionSeverity.STALLED, "Drifted", message, hint)
        else:
            self._conditions.clear(CONDITION)
        return Scan(self._clock.now(), drifts.total, 0)
