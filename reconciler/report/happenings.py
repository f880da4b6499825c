"""What happened on a host, as JSON for those who follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.change import Op
from reconciler.report import commits, problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.change import Change
    from reconciler.pipeline.syncing import SyncResult

    Answer = Mapping[str, Any]

MOST = 500
"""Changes that are told one by one; with more of them who follows has to look anew."""
PROBLEMS = 20
"""Problems that are told with a refusal; `status` has all of them."""
STATE = ("sync", "health", "head", "applied", "refused", "suspended", "troubles")


def applied_json(result: SyncResult) -> dict[str, Any] | None:
    """What a reconcile brought live; None when nothing was."""
    went, applied = result.went_live, result.applied
    if went is None or applied is None:
        return None
    changes = result.plan.changes
    complete = len(changes) <= MOST and not went.replaced
    return {
        **(commits.applied_json(applied) or {}),
        "base": went.base and went.base.stamp.commit,
        "counts": {str(op): result.plan.count(op) for op in Op},
        "changes": [_change_json(one) for one in changes] if complete else [],
        "complete": complete,
    }


def refused_json(result: SyncResult) -> dict[str, Any] | None:
    """What keeps the head from going live; None when nothing does."""
    if not result.plan.refused:
        return None
    errors = [one for one in result.plan.problems if one.is_error]
    told = [problems.as_json(one) for one in errors[:PROBLEMS]]
    return {"commit": result.head, "errors": len(errors), "problems": told}


def state_json(status: Answer) -> dict[str, Any]:
    """How the host stands, in short: what changes only when something happens."""
    state = {name: status[name] for name in STATE}
    for name in ("applied", "refused"):
        state[name] = status[name] and status[name]["commit"]
    return state


def _change_json(change: Change) -> dict[str, Any]:
    resource = change.resource
    fields = [one.field for one in change.fields] if change.op is Op.UPDATE else []
    return {"op": str(change.op), "kind": resource.kind, "name": resource.name, "id": resource.id, "fields": fields}
