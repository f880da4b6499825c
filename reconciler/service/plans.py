"""What the branch's head would change in the live rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report.plans import build_plan
from reconciler.service.context import Service

if TYPE_CHECKING:
    from reconciler import answers


class Plans(Service):
    """Plans from the live rows to the head, as git was when it was last fetched. Nothing is written."""

    def ahead(self) -> answers.Plan:
        """What `plan --format json` prints."""
        with self.context.open_planner() as (planner, branch), self.context.open_rows() as store:
            assert store is not None
            plan, _ = planner.plan_sync(store, branch)
            return build_plan(plan)
