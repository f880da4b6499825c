"""Looking for live rows that are not as git says, and putting them right, or telling."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reconciler.daemon.fighting import Fighting
from reconciler.model.drift import MOST_TOLD
from reconciler.model.level import Level
from reconciler.model.trouble import Outlook
from reconciler.report.problems import plural
from reconciler.status import Scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.daemon.board import Board
    from reconciler.kinds.registry import Kinds
    from reconciler.model.drift import Drift, Drifts
    from reconciler.model.resource import RowId
    from reconciler.ports import Clock, Log, Store

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
        left = self._fighting.leave_alone({one.row_id: one.digest for one in found.told}, now)
        healed = self._heal(store, kinds, found, left, now)
        names = tuple(_name(one) for one in found.told if one.row_id in left)
        if healed:
            who = _listed([_name(one) for one in found.told if one.row_id not in left], healed)
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
        for _ in range(0, found.total, MOST_TOLD):
            done = store.heal(kinds, leaving=left)
            self._fighting.healed([one.row_id for one in done.told], now)
            healed += len(done.told)
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
        found = store.note_drift(kinds)
        if found.total:
            message = f"{plural(found.total, 'live row')} not as git says"
            hint = "`reconciler drift` shows what differs, `reconciler drift --heal` puts it right"
            self._board.trouble(ABOUT, Outlook.STALLED, "Drifted", message, hint)
        else:
            self._board.well(ABOUT)
        return Scan(self._clock.now(), found.total, 0)
