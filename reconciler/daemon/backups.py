"""The backups of a daemon's store: made when they are due, kept for a while, brought back when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.duckdb import backup
from reconciler.daemon.retention import superfluous
from reconciler.metrics import timed

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.duckdb.backup import Restored
    from reconciler.adapters.duckdb.sharing import Keeper
    from reconciler.metrics import Metrics
    from reconciler.ports import Clock, Log

FIRST = 60.0
"""Seconds until the first backup of a host that has none."""


class Backups:
    """For the operations thread. `state` is the state folder."""

    def __init__(self, state: Path, keeper: Keeper, clock: Clock, log: Log, metrics: Metrics) -> None:
        self._state, self._keeper, self._clock, self._log, self._metrics = state, keeper, clock, log, metrics
        made = backup.backups(state)
        if made:  # by an earlier daemon
            metrics.set_backup_age((clock.now() - made[-1].at).total_seconds())

    def make(self) -> Path:
        """Copy the store, and delete copies that are superfluous."""
        with timed(self._metrics.backups):
            made = self._make()
        self._metrics.set_backup_age()
        return made

    def _make(self) -> Path:
        now = self._clock.now()
        with self._keeper.away():
            made = backup.back_up(self._state, now)
        found = {one.at: one for one in backup.backups(self._state)}
        for at in superfluous(found.keys(), now):
            backup.delete(found[at])
        self._log.event("BackedUp", file=made.name)
        return made

    def until_next(self, interval: float) -> float:
        """Seconds until the next one is due; a clock that was put back does not put it off for long."""
        made = backup.backups(self._state)
        if not made:
            return min(FIRST, interval)
        return min(max(interval - (self._clock.now() - made[-1].at).total_seconds(), 1.0), interval)

    def restore(self, file: Path, repository: str) -> Restored:
        """Make a copy the store."""
        with self._keeper.away():
            done = backup.restore(file, self._state, repository, self._clock.now())
        self._log.event("Restored", file=file.name)
        return done
