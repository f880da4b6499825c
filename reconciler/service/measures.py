"""What the live rows come to by the desk's own measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report.review import build_measured_state
from reconciler.service.context import Service

if TYPE_CHECKING:
    from reconciler import reviews


class Measures(Service):
    """The figures of `policies/measures/` of the live rows."""

    def now(self) -> reviews.MeasuredState:
        """Measure the live rows, by the measures of the applied commit. Starts a process: ask once for a commit.

        Raises `UsageError` when git does not have the applied commit.
        """
        with self.context.open_planner() as (planner, _), self.context.open_rows() as store:
            assert store is not None
            return build_measured_state(*planner.measure_live(store))
