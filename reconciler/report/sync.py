"""What a sync did: as its answer, its text, its log messages and its events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler import answers, canonical
from reconciler.model.change import Op
from reconciler.report import commits, plans, problems
from reconciler.report.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.plan import Plan
    from reconciler.reconcile.sync import SyncResult


SHOWN = 20
"""Changes that are told one by one; more of them are counted by kind."""
NAMED = 3
"""Changes that a log names."""


def build_sync(result: SyncResult, kinds: Kinds, waiting: int | None = None) -> answers.Sync:
    """What a sync did. `waiting` is how many versions a daemon has to upload; None without a daemon."""
    refused = result.attempt if result.attempt and result.attempt.refused else None
    return answers.Sync(
        head=result.head,
        applied=commits.build_applied(result.applied),
        refused=commits.build_attempt(refused if refused and refused.stamp.commit == result.head else None),
        changes=tuple(
            plans.describe_change(plans.build_change(change), plans.change_lines(change, kinds))
            for change in result.plan.changes
        ),
        problems=tuple(map(problems.build_problem, result.plan.problems)),
        history=_build_recording(result, waiting),
    )


def applied_message(plan: Plan) -> str:
    """What went live, for a log: how much of it, and a few changes by name."""
    if not plan.changes:
        return "no rows changed"
    names = ", ".join(plans.titled(change) for change in plan.changes)
    return f"{plans.done(plan)}: {names}" if len(plan.changes) <= NAMED else plans.done(plan)


def refused_message(plan: Plan) -> str:
    """Why the head did not go live, for a log: the first error."""
    first, *others = (problem for problem in plan.problems if problem.is_error)
    more = f", and {problems.plural(len(others), 'more error')}" if others else ""
    return f"{problems.line(first)}{more}"


def sync_lines(sync: answers.Sync) -> Iterator[str]:
    """What a sync did, in a few lines: changes, then where the rows and the history are."""
    counts = Counter((Op(change.op), change.kind) for change in sync.changes)
    if len(sync.changes) <= SHOWN:
        for change in sync.changes:
            yield from change.text.splitlines()
    else:
        for (op, kind), number in counts.items():
            yield f"{plans.SIGNS[op]} {number:,} {visible(kind)}"
    yield _applied_line(sync.applied, counts)
    yield from _recording_line(sync.history)


def _applied_line(applied: answers.Applied | None, counts: Counter[tuple[Op, str]]) -> str:
    if applied is None:
        return "live: nothing yet"
    done = {f"{op}d": sum(number for (changed, _), number in counts.items() if changed is op) for op in Op}
    return f"live: {commits.short(applied.commit)}, {canonical.counted(done) if counts else 'no rows changed'}"


def _recording_line(history: answers.Recording | None) -> Iterator[str]:
    if history is None or history.error is not None:
        return
    if history.waiting:
        yield f"history: {problems.plural(history.waiting, 'version')} on the way"
    elif history.recorded is not None:
        yield f"history: {problems.plural(history.recorded, 'version')} recorded"


def _build_recording(result: SyncResult, waiting: int | None) -> answers.Recording | None:
    if waiting is not None:
        return answers.Recording(recorded=None, waiting=waiting, error=None)
    if result.history is None:
        return None
    failure = result.history.error
    error = answers.RecordingError(message=str(failure), hint=failure.hint) if failure else None
    return answers.Recording(recorded=result.history.versions, waiting=0, error=error)


MOST = 500
"""Changes that are told one by one; with more of them who follows has to look anew."""
PROBLEMS = 20
"""Problems that are told with a refusal; `status` has all of them."""
STATE = ("sync", "health", "head", "applied", "refused", "suspended", "troubles")


def build_applied_event(result: SyncResult) -> dict[str, Any] | None:
    """What a reconcile brought live; None when nothing was."""
    went, applied = result.went_live, commits.build_applied(result.applied)
    if went is None or applied is None:
        return None
    changes = result.plan.changes
    complete = len(changes) <= MOST and not went.replaced
    return {
        **answers.to_json(applied),
        "base": went.base and went.base.stamp.commit,
        "counts": {str(op): result.plan.count(op) for op in Op},
        "changes": [_build_event_change(one) for one in changes] if complete else [],
        "complete": complete,
    }


def build_refused_event(result: SyncResult) -> dict[str, Any] | None:
    """What keeps the head from going live; None when nothing does."""
    if not result.plan.refused:
        return None
    errors = [one for one in result.plan.problems if one.is_error]
    first = [answers.to_json(problems.build_problem(problem)) for problem in errors[:PROBLEMS]]
    return {"commit": result.head, "errors": len(errors), "problems": first}


def build_state_event(status: Mapping[str, Any]) -> dict[str, Any]:
    """How the host stands, in short: what changes only when something happens."""
    state = {name: status[name] for name in STATE}
    for name in ("applied", "refused"):
        state[name] = status[name] and status[name]["commit"]
    return state


def _build_event_change(change: Change) -> dict[str, Any]:
    resource = change.resource
    fields = [one.field for one in change.fields] if change.op is Op.UPDATE else []
    return {"op": str(change.op), "kind": resource.kind, "name": resource.name, "id": resource.id, "fields": fields}
