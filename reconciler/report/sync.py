"""What a sync did, and where live rows differ from git, as answers, text, log messages and events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from msgspec import UNSET, Meta, UnsetType

from reconciler import answers, canonical
from reconciler.answers import Answer
from reconciler.history.drifts import DriftEnd
from reconciler.model.change import Op
from reconciler.model.rows import DriftType
from reconciler.report.commits import build_applied, build_attempt, short_sha
from reconciler.report.escape import escape_line, strip_fraction
from reconciler.report.plans import SIGNS, applied_counts, change_lines, change_title, fit_changes, format_entry
from reconciler.report.problems import (
    MAX_OUTPUT,
    build_problem,
    count_fitting,
    plural,
    problem_json,
    problem_line,
    select_problems,
)
from reconciler.tables.problems import shorten_problems
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.history.drifts import PastDrift
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.model.host import HostCondition
    from reconciler.model.rows import Drifts
    from reconciler.plan import Plan
    from reconciler.reconcile.sync import SyncResult


MAX_LISTED = 20
"""Changes that the text lists; more of them are counted by kind."""
PROBLEMS_ROOM = 150_000
"""Bytes that the problems of a sync may take, and those of the attempt once more."""
MAX_NAMED = 3
"""Changes that a log message names."""
MAX_EVENT_CHANGES = 500
"""Changes in an event; with more of them it has none, and followers read the rows anew."""
MAX_EVENT_PROBLEMS = 20
"""Problems in an event; `status` has all of them."""
STATE_FIELDS = ("sync", "health", "head", "applied", "refused", "suspended", "rolled_back", "halted", "troubles")
"""The fields of a status that change only when something happens."""


class RecordingError(Answer, frozen=True):
    message: str
    hint: str


class Recording(Answer, frozen=True):
    """What a sync did for the history: recorded itself, or left waiting where a daemon uploads it."""

    recorded: answers.Count | None
    waiting: answers.Count
    error: RecordingError | None


class Notice(Answer, frozen=True):
    reason: str
    message: str
    hint: str


class ChangeCount(Answer, frozen=True):
    op: answers.Operation
    kind: str
    count: answers.Count


class SyncSummary(Answer, frozen=True):
    """All that changed, in the order of the changes by operation and kind."""

    create: answers.Count
    update: answers.Count
    delete: answers.Count
    changes: tuple[ChangeCount, ...]
    omitted: (
        Annotated[int, Meta(ge=1, description="how many problems and changes are left out; not there when none")]
        | UnsetType
    ) = UNSET


class Sync(Answer, frozen=True):
    head: answers.Sha | None
    applied: answers.Applied | None
    refused: answers.Attempt | None
    changes: tuple[answers.DescribedChange, ...]
    problems: tuple[answers.Problem, ...]
    history: Recording | None
    summary: SyncSummary
    warnings: Annotated[
        tuple[Notice, ...] | UnsetType, Meta(description="what is to be looked at all the same; absent for nothing")
    ] = UNSET


def build_sync(
    result: SyncResult, kinds: Kinds, waiting: int | None = None, warnings: Iterable[HostCondition] = ()
) -> Sync:
    """What a sync did. `waiting` is how many versions a daemon has to upload; None without a daemon.

    `warnings` are conditions under which it went on all the same.
    """
    refused = result.attempt if result.attempt and result.attempt.refused else None
    kept = shorten_problems(result.plan.problems)
    problems, left = select_problems(kept, problem_json, room=PROBLEMS_ROOM)
    if refused is not None:
        refused = replace(refused, problems=select_problems(refused.problems, problem_json, room=PROBLEMS_ROOM).shown)
    changes, omitted = fit_changes(result.plan.changes, kinds, change_lines, MAX_OUTPUT - 2 * PROBLEMS_ROOM)
    return Sync(
        head=result.head,
        applied=build_applied(result.applied),
        refused=build_attempt(refused if refused and refused.stamp.commit == result.head else None),
        changes=changes,
        problems=tuple(map(build_problem, problems)),
        history=_build_recording(result, waiting),
        summary=_build_summary(result.plan, left + omitted),
        warnings=tuple(Notice(reason=one.reason, message=one.message, hint=one.hint) for one in warnings) or UNSET,
    )


def _build_summary(plan: Plan, omitted: int) -> SyncSummary:
    counts = Counter((change.op, change.resource.kind) for change in plan.changes)
    return SyncSummary(
        create=plan.count(Op.CREATE),
        update=plan.count(Op.UPDATE),
        delete=plan.count(Op.DELETE),
        changes=tuple(
            ChangeCount(op=cast("answers.Operation", str(op)), kind=kind, count=count)
            for (op, kind), count in counts.items()
        ),
        omitted=omitted or UNSET,
    )


def applied_message(plan: Plan) -> str:
    """A log message: the counts, and a few changes by name."""
    if not plan.changes:
        return "no rows changed"
    names = ", ".join(change_title(change) for change in plan.changes)
    return f"{applied_counts(plan)}: {names}" if len(plan.changes) <= MAX_NAMED else applied_counts(plan)


def refused_message(plan: Plan) -> str:
    """A log message: the first error."""
    first, *others = (problem for problem in plan.problems if problem.is_error)
    more = f", and {plural(len(others), 'more error')}" if others else ""
    return f"{problem_line(first)}{more}"


def sync_lines(sync: Sync) -> Iterator[str]:
    """The changes, the applied commit, and what was recorded."""
    counts = sync.summary.changes
    if len(sync.changes) == sum(one.count for one in counts) <= MAX_LISTED:
        for change in sync.changes:
            yield from change.text.splitlines()
    else:
        for one in counts:
            yield f"{SIGNS[Op(one.op)]} {one.count:,} {escape_line(one.kind)}"
    yield _applied_line(sync.applied, sync.summary)
    yield from _recording_line(sync.history)


def _applied_line(applied: answers.Applied | None, summary: SyncSummary) -> str:
    if applied is None:
        return "live: nothing yet"
    done = {"created": summary.create, "updated": summary.update, "deleted": summary.delete}
    counts = canonical.join_counts(done) if summary.changes else "no rows changed"
    return f"live: {short_sha(applied.commit)}, {counts}"


def _recording_line(history: Recording | None) -> Iterator[str]:
    if history is None or history.error is not None:
        return
    if history.waiting:
        yield f"history: {plural(history.waiting, 'version')} on the way"
    elif history.recorded is not None:
        yield f"history: {plural(history.recorded, 'version')} recorded"


def _build_recording(result: SyncResult, waiting: int | None) -> Recording | None:
    if waiting is not None:
        return Recording(recorded=None, waiting=waiting, error=None)
    if result.history is None:
        return None
    failure = result.history.error
    error = RecordingError(message=str(failure), hint=failure.hint) if failure else None
    return Recording(recorded=result.history.versions, waiting=0, error=error)


def build_applied_event(result: SyncResult) -> dict[str, Any] | None:
    """The data of `applied`; None when no commit was applied."""
    live, applied = result.applied_step, build_applied(result.applied)
    if live is None or applied is None:
        return None
    changes = result.plan.changes
    complete = len(changes) <= MAX_EVENT_CHANGES and not live.replaced
    return {
        **answers.to_json(applied),
        "base": live.base and live.base.stamp.commit,
        "counts": {str(op): result.plan.count(op) for op in Op},
        "changes": [_build_event_change(change) for change in changes] if complete else [],
        "complete": complete,
    }


def build_refused_event(result: SyncResult) -> dict[str, Any] | None:
    """The data of `refused`; None when the head was not refused."""
    if not result.plan.refused:
        return None
    errors = [problem for problem in result.plan.problems if problem.is_error]
    first = [answers.to_json(build_problem(problem)) for problem in errors[:MAX_EVENT_PROBLEMS]]
    return {"commit": result.head, "errors": len(errors), "problems": first}


def build_state_event(status: Mapping[str, Any]) -> dict[str, Any]:
    """The data of `state`, from the JSON of a status."""
    state = {name: status[name] for name in STATE_FIELDS}
    for name in ("applied", "refused"):
        state[name] = status[name] and status[name]["commit"]
    return state


def _build_event_change(change: Change) -> dict[str, Any]:
    resource = change.resource
    fields = [field.field for field in change.fields] if change.op is Op.UPDATE else []
    return {"op": str(change.op), "kind": resource.kind, "name": resource.name, "id": resource.id, "fields": fields}


DRIFT_SIGNS = {DriftType.MISSING: "-", DriftType.EXTRA: "+", DriftType.CHANGED: "~"}
NO_DRIFT = "the live rows are what git says"


def build_drift(drifts: Drifts) -> answers.Drift:
    """As many of the reported rows as there is room for; the counts are of all."""
    rows = tuple(answers.from_json(drift.as_json(), answers.DriftedRow) for drift in drifts.reported)
    shown = rows[: count_fitting(rows, format_entry, MAX_OUTPUT)]
    return answers.Drift(drift=shown, summary=dict(drifts.counts or {}))


def drift_lines(drift: answers.Drift) -> Iterator[str]:
    """Each row with the fields that differ, live and in git."""
    for row in drift.drift:
        yield from drifted_row_lines(row)
    more = sum(drift.summary.values()) - len(drift.drift)
    if more:
        yield f"… and {more:,} more"


def drifted_row_lines(row: answers.DriftedRow) -> Iterator[str]:
    """A row with the fields that differ, live and in git."""
    yield f"{DRIFT_SIGNS[DriftType(row.what)]} {_drift_heading(row)}"
    yield from _field_lines(row)


def build_recorded_drift(drift: PastDrift, certain: bool | None = None) -> answers.RecordedDrift:
    """Drift out of the history; `certain` tells, of a time that is asked about, whether it was found by then."""
    fields = drift.row["fields"]
    cut = {side: drift.row[side] for side in ("before", "after")}
    if cut["before"] is not None and cut["after"] is not None:
        cut = {side: {field: values[field] for field in fields if field in values} for side, values in cut.items()}
    return answers.RecordedDrift(
        **{**drift.row, **cut, "fields": tuple(fields)},
        commit=drift.commit,
        right_at=canonical.timestamp(drift.right_at) if drift.right_at else None,
        found_at=canonical.timestamp(drift.found),
        ended_at=canonical.timestamp(drift.ended) if drift.ended else None,
        ended=cast('Literal["healed", "gone", "changed"]', str(drift.end)) if drift.end else None,
        certain=UNSET if certain is None else certain,
    )


def drift_record_text(drift: answers.RecordedDrift) -> str:
    """When drift was found, what became of it, and when the row was right before."""
    ended = drift.ended_at or ""
    end = f" {strip_fraction(ended)}" if ended != drift.found_at else ""
    became = {
        None: "not put right",
        DriftEnd.HEALED: f"put right{end}",
        DriftEnd.GONE: f"right again by{end}",
        DriftEnd.CHANGED: f"changed again by{end}",
    }[DriftEnd(drift.ended) if drift.ended else None]
    before = f"last seen right {strip_fraction(drift.right_at)}" if drift.right_at else "since when is not known"
    return f"found {strip_fraction(drift.found_at)}, {became}; {before}"


def drift_summary(drift: answers.Drift, done: str = "") -> str:
    """`3 differences put right: 2 User, 1 Account`, where ` put right` is `done`."""
    total = sum(drift.summary.values())
    counts = ", ".join(f"{count:,} {kind}" for kind, count in drift.summary.items())
    return f"{plural(total, 'difference')}{done}: {counts}" if total else NO_DRIFT


def _drift_heading(row: answers.DriftedRow) -> str:
    if row.id is None:
        state = "missing" if row.before is None else "altered"
        return escape_line(f"{row.kind}: the table {row.name} is {state}")
    name = f"{row.kind} {row.name}" if row.name is not None else f"{row.kind} {row.id}, unknown to git"
    return escape_line(f"{name} is missing" if row.what == DriftType.MISSING else name)


def _field_lines(row: answers.DriftedRow) -> Iterator[str]:
    before, after = row.before, row.after
    if before is None or after is None:
        return
    for field in row.fields:
        live, git = (escape_line(canonical.text(side.get(field))) for side in (before, after))
        who = "the halt" if field in (row.halted or ()) else "git"
        yield f"    {escape_line(field)}: live {live}, {who} says {git}"
