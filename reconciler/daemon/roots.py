"""The daily roots of a daemon: each UTC day that is over gets one, signed if this host has a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.evidence.chain import last_day, until_due
from reconciler.model.host import ConditionSeverity
from reconciler.reconcile.roots import NOT_SIGNED, last_root
from reconciler.service.context import EVIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from reconciler.adapters.duckdb.sharing import SharedStore
    from reconciler.daemon.conditions import Conditions
    from reconciler.evidence.chain import SignedRoot
    from reconciler.ports import Clock, Log, Store

FIRST_LOOK: Final = 30.0
"""Seconds after its start until a daemon looks whether a day is over: the first commits come before that."""
LONGEST_PAUSE: Final = 3600.0
"""Seconds between two looks: a machine that sleeps through midnight is no day late."""


class DailyRoots:
    """For the operations thread. `make` writes a root down if one is due, and gives it."""

    def __init__(
        self,
        store: SharedStore,
        make: Callable[[Store], SignedRoot | None],
        conditions: Conditions,
        clock: Clock,
        log: Log,
        *,
        signs: bool,
    ) -> None:
        self._store, self._make, self._conditions, self._clock, self._log = store, make, conditions, clock, log
        self._signs = signs
        self._done: date | None = None

    def make(self) -> float:
        """Make the root of the day before, if it is not there yet. Seconds until the next look."""
        now = self._clock.now()
        if self._done != last_day(now):
            made = self._make(self._store.store())
            self._done = last_day(now)
            if made is not None:
                self._log.event("RootMade", day=made.root.day, entries=made.root.entries, key=made.key)
            self._show(made or last_root(self._store.store()))
        return min(until_due(self._clock.now()) + 1, LONGEST_PAUSE)

    def _show(self, root: SignedRoot | None) -> None:
        """Whether the newest root is signed, where this host has a key for it."""
        if root is None or root.signature or not self._signs:
            self._conditions.clear(EVIDENCE)
            return
        message = f"the root of {root.root.day} is not signed: {root.unsigned}"
        self._conditions.set(EVIDENCE, ConditionSeverity.WARNING, "NotSigned", message, NOT_SIGNED)
