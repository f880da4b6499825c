"""Looking for live rows that are not as git says, and putting them right, or telling."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.model.drift import MAX_REPORTED
from reconciler.model.host import Level, Outlook
from reconciler.report.problems import plural
from reconciler.status import Scan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.daemon.conditions import Board
    from reconciler.kinds.kind import Kinds
    from reconciler.model.drift import Drift, Drifts
    from reconciler.model.resource import RowId
    from reconciler.ports import Clock, Log, Store

REWRITES = 5
WINDOW = 60.0
"""So many rewrites of one row in so many seconds, and it is left alone when it drifts once more."""

QUIET = 300.0
"""Seconds without a change of what is found before a row is put right again."""


@dataclass(frozen=True, slots=True)
class Fight:
    """A row that is left alone: since when, what was found last (None when it was right), and since when that."""

    since: float
    state: str | None
    unchanged_since: float


class Fighting:
    """Counts rewrites of each row. All moments are monotonic seconds; it has no clock of its own.

    For each scan call `leave_alone` with what was found, heal the others, and call `healed` with those.
    """

    def __init__(self) -> None:
        self._rewrites: dict[RowId, tuple[float, ...]] = {}
        self._fights: dict[RowId, Fight] = {}

    @property
    def rows(self) -> Mapping[RowId, Fight]:
        """The rows that were left alone at the last scan."""
        return dict(self._fights)

    def leave_alone(self, found: Mapping[RowId, str], now: float) -> frozenset[RowId]:
        """The rows not to heal, given all that drifted and the digest of how each was found."""
        self._forget(now)
        self._fights = {
            row: after
            for row, fight in self._fights.items()
            if now - (after := _observed(fight, found.get(row), now)).unchanged_since < QUIET
        }
        for row, state in found.items():
            if row not in self._fights and len(self._rewrites.get(row, ())) >= REWRITES:
                self._fights[row] = Fight(now, state, now)
        return frozenset(self._fights)

    def healed(self, rows: Collection[RowId], now: float) -> None:
        """These were put right at this moment."""
        for row in rows:
            self._rewrites[row] = (*self._rewrites.get(row, ()), now)[-REWRITES:]

    def _forget(self, now: float) -> None:
        recent = {row: tuple(at for at in times if now - at < WINDOW) for row, times in self._rewrites.items()}
        self._rewrites = {row: times for row, times in recent.items() if times}


def _observed(fight: Fight, state: str | None, now: float) -> Fight:
    return fight if state == fight.state else replace(fight, state=state, unchanged_since=now)


ABOUT = "Drift"
NAMED = 5
"""Rows that are named in a message; the others are counted."""


class Healer:
    """Puts right what drifted, but not what something else writes again and again."""

    def __init__(self, board: Board, log: Log, clock: Clock) -> None:
        self._board, self._log, self._clock = board, log, clock
        self._fighting = Fighting()

    def scan(self, store: Store, kinds: Kinds) -> Scan:
        """Look, and put right what may be."""
        found, now = store.drift(kinds), time.monotonic()
        left = self._fighting.leave_alone({one.row_id: one.digest for one in found.reported}, now)
        healed = self._heal(store, kinds, found, left, now)
        names = tuple(_name(one) for one in found.reported if one.row_id in left)
        if healed:
            who = _listed([_name(one) for one in found.reported if one.row_id not in left], healed)
            message = f"something else wrote there, and what git says was put back: {who}"
            self._log.event("DriftHealed", message, level=Level.WARN, rows=healed)
        if names:
            message = f"something else writes to {_listed(names, len(names))} again and again, so it is left alone"
            hint = "find what writes there, and stop it; after five quiet minutes it is put right again"
            self._board.trouble(ABOUT, Outlook.STALLED, "Fighting", message, hint)
        else:
            self._board.well(ABOUT)
        return Scan(self._clock.now(), found.total, healed, names)

    def _heal(self, store: Store, kinds: Kinds, found: Drifts, left: frozenset[RowId], now: float) -> int:
        healed = 0
        for _ in range(0, found.total, MAX_REPORTED):
            done = store.heal(kinds, leaving=left)
            self._fighting.healed([one.row_id for one in done.reported], now)
            healed += len(done.reported)
        return healed


def _name(one: Drift) -> str:
    return f"{one.kind} {one.name or one.id}"


def _listed(names: Sequence[str], many: int) -> str:
    """The first names of so many."""
    return ", ".join(names[:NAMED]) + (f" and {many - NAMED:,} more" if many > NAMED else "")


class Teller:
    """Tells of drift, and leaves it as it is."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board, self._clock = board, clock

    def scan(self, store: Store, kinds: Kinds) -> Scan:
        """Look, and say so."""
        found = store.record_drift(kinds)
        if found.total:
            message = f"{plural(found.total, 'live row')} not as git says"
            hint = "`reconciler drift` shows what differs, `reconciler drift --heal` puts it right"
            self._board.trouble(ABOUT, Outlook.STALLED, "Drifted", message, hint)
        else:
            self._board.well(ABOUT)
        return Scan(self._clock.now(), found.total, 0)
