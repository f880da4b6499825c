"""The plan that waits for the end of a suspension: made once for all who look at the page meanwhile."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.service.context import Service
from reconciler.service.rows import Plans

if TYPE_CHECKING:
    from reconciler import reviews
    from reconciler.service.context import Context

FRESH = 30.0
"""Seconds for which a plan of the same two commits is shown, or that there is none: what else it depends on, as drift
or an approval, changes seldom."""


class WaitingPlan(Service):
    """For any thread. It starts a policy engine, reads git and compares all rows: one at a time does that."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._planning = threading.Lock()
        self._key: tuple[str | None, str | None] | None = None
        self._plan: reviews.Plan | ReconcilerError | None = None
        self._until = 0.0

    def read(self, head: str | None, applied: str | None) -> reviews.Plan:
        """The plan from what is live to the head. Raises `ReconcilerError` where there is none."""
        with self._planning:
            if self._plan is None or self._key != (head, applied) or monotonic() >= self._until:
                self._key, self._plan = (head, applied), self._make()
                self._until = monotonic() + FRESH
            plan = self._plan
        if isinstance(plan, ReconcilerError):
            raise plan
        return plan

    def _make(self) -> reviews.Plan | ReconcilerError:
        try:
            return Plans(self.context).ahead()
        except ReconcilerError as error:
            return error
