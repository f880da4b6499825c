"""The drills of a daemon: once a day it is proven on a copy of the store that halting works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, UsageError
from reconciler.model.halt import DRILLED
from reconciler.service.drill import drill_detail, drill_halts

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.duckdb.sharing import SharedStore
    from reconciler.model.host import HostEvent
    from reconciler.ports import Clock, Log
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.report.halts import Drilled

INTERVAL = 86_400.0
"""Seconds between two drills."""
FIRST_DRILL = 120.0
"""Seconds until the first drill of a host that has had none."""


class Drills:
    """For the operations thread, but for `rehearse`, which is for any."""

    def __init__(self, state_folder: Path, store: SharedStore, bundled: BundledSchemas, clock: Clock, log: Log) -> None:
        self._folder, self._store, self._bundled, self._clock, self._log = state_folder, store, bundled, clock, log

    def make(self) -> None:
        """Drill, and record it as a host event. Raises `NeedsHuman` when halting did not work."""
        try:
            drilled = self.rehearse()
        except UsageError:  # there is nothing that can be halted
            return
        self._store.store().record_event(DRILLED, drill_detail(drilled, "the daemon"))
        if drilled.error:
            raise NeedsHuman(
                f"the drill of a halt failed: {drilled.error}", hint="`reconciler halt --drill` repeats it"
            )
        self._log.event("Drilled", rows=drilled.rows, seconds=drilled.seconds)

    def rehearse(self) -> Drilled:
        """The same, with nothing recorded."""
        with self._store.reading() as rows:
            return drill_halts(rows, self._bundled, self._folder, self._clock)

    def until_next(self, last: HostEvent | None) -> float:
        """Seconds until the next one is due; a clock that was put back does not put it off for long."""
        if last is None:
            return FIRST_DRILL
        left = INTERVAL - (self._clock.now() - last.at).total_seconds()
        return min(max(left, FIRST_DRILL), INTERVAL)
