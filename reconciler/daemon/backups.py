"""The backups of a daemon's store: made when they are due, deleted when there are newer ones, restored when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.duckdb import backup
from reconciler.metrics import timed

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from reconciler.adapters.duckdb.backup import Restored
    from reconciler.adapters.duckdb.sharing import SharedStore
    from reconciler.metrics import Metrics
    from reconciler.ports import Clock, Log
    from reconciler.reconcile.ownership import Claimant

FIRST_BACKUP = 60.0
"""Seconds until the first backup of a host that has none."""
NEWEST = 8
HOURS, DAYS = 25, 15
"""A day and two weeks, with the hour or day that they begin in."""


class Backups:
    """For the operations thread."""

    def __init__(self, state_folder: Path, store: SharedStore, clock: Clock, log: Log, metrics: Metrics) -> None:
        self._folder, self._store, self._clock, self._log, self._metrics = state_folder, store, clock, log, metrics
        made = backup.backups(state_folder)
        if made:  # by an earlier daemon
            metrics.set_backup_age(max((clock.now() - made[-1].at).total_seconds(), 0.0))

    def make(self) -> Path:
        """Copy the store, and delete copies that are superfluous."""
        with timed(self._metrics.backups):
            made = self._make()
        self._metrics.set_backup_age()
        return made

    def _make(self) -> Path:
        now = self._clock.now()
        with self._store.keep_closed():
            made = backup.back_up(self._folder, now)
        copies = {copy.at: copy for copy in backup.backups(self._folder)}
        for at in superfluous(copies.keys(), now):
            backup.delete_backup(copies[at])
        self._log.event("BackedUp", file=made.name)
        return made

    def until_next(self, interval: float) -> float:
        """Seconds until the next one is due; a clock that was put back does not put it off for long."""
        made = backup.backups(self._folder)
        if not made:
            return min(FIRST_BACKUP, interval)
        return min(max(interval - (self._clock.now() - made[-1].at).total_seconds(), 1.0), interval)

    def restore(self, file: Path, claimant: Claimant) -> Restored:
        """Replace the store by a backup."""
        with self._store.keep_closed():
            restored = backup.restore(file, self._folder, claimant.owns, self._clock.now())
        self._log.event("Restored", file=file.name)
        return restored


def superfluous(made: Collection[datetime], now: datetime) -> frozenset[datetime]:
    """The backups to delete, by when they were made (UTC).

    Kept are the newest eight, the last of each of 25 hours, and the last of each of 15 days: never more than 48. Hours
    and days without a backup do not count, so that neither a clock that jumps a year ahead nor a host that was off for
    months makes all that was before too old. Those from the future, made before a clock was put back, wait until it
    has come: they must not push out what is made now.
    """
    past = sorted((at for at in made if at <= now), reverse=True)
    hourly = {at.strftime("%Y%m%d%H"): at for at in reversed(past)}
    daily = {at.date(): at for at in reversed(past)}
    last = (*sorted(hourly.values())[-HOURS:], *sorted(daily.values())[-DAYS:])
    return frozenset(past) - {*past[:NEWEST], *last}
