"""Whom not to fight: a row that is put right again and again has another writer, and one of the two has to stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.model.resource import RowId

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
