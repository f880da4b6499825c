"""The way back as a prepared step: to which commit a rollback of this host would go, and what it would change."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from reconciler import answers
from reconciler.errors import ReconcilerError
from reconciler.model.change import Op
from reconciler.reconcile.targets import Lookup, Targets
from reconciler.report.plans import build_plan
from reconciler.service.context import Service

if TYPE_CHECKING:
    from reconciler.service.context import Context

    Page = dict[str, Any]

MAX_SHOWN = 20
"""Changes, and problems, of the step."""


class WayBack(Service):
    """Plans the step once for each applied commit, for whichever thread asks first."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._planning = threading.Lock()
        self._key: tuple[str, str, str] | None = None
        self._page: Page = {}

    def prepare(self) -> Page:
        """`back`, None where there is no way, and then `without_back` says why."""
        try:
            with self._planning:
                return self._prepare()
        except ReconcilerError as error:
            return {"back": None, "without_back": str(error)}

    def _prepare(self) -> Page:
        with self.context.open_planner() as (planner, _), self.context.open_rows() as store:
            applied = store.applied() if store is not None else None
            if store is None or applied is None:
                return {"back": None, "without_back": "nothing is live yet"}
            live = applied.stamp.commit
            lookup = Lookup.in_git(planner.source)
            target = Targets(lookup, store, applied, store.rollback(), lambda commits: ()).find(None)
            key = live, target, store.halts().digest
            if self._key != key:
                plan, kinds = planner.plan_commits(live, target, store.halts())
                message = planner.source.commit(target).message
                self._page, self._key = (
                    {"target": target, "message": message, **_shown(build_plan(plan, kinds))},
                    key,
                )
        return {"back": self._page, "without_back": None}


def _shown(plan: Any) -> Page:
    found = answers.to_json(plan)
    changes, problems = found["changes"], found["problems"]
    return {
        "counts": {str(op): found["summary"][str(op)] for op in Op},
        "changes": changes[:MAX_SHOWN],
        "problems": problems[:MAX_SHOWN],
        "left_out": {"changes": len(changes) - len(changes[:MAX_SHOWN]), "problems": max(0, len(problems) - MAX_SHOWN)},
    }
