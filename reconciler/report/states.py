"""What is live and what a reconcile did, as text and JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.report import commits, plans, problems, suspensions
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind
    from reconciler.kinds.registry import Kinds
    from reconciler.pipeline.syncing import SyncResult
    from reconciler.ports import LiveRow
    from reconciler.service import Status


def status_json(status: Status) -> dict[str, Any]:
    """The state of a host."""
    return {
        "repository": status.repository,
        "branch": status.branch,
        "head": status.head,
        "sync": str(status.sync),
        "health": str(status.health),
        "applied": commits.applied_json(status.applied),
        "refused": commits.attempt_json(status.refused),
        "suspended": suspensions.as_json(status.suspension),
        "resources": dict(status.resources),
        "conditions": [
            {"type": one.type, "status": str(one.holds), "reason": one.reason, "message": one.message}
            for one in status.conditions
        ],
    }


def status_lines(status: Status) -> Iterator[tuple[str, str]]:
    """The state of a host as labels and texts."""
    yield "repository", visible(f"{status.repository} ({status.branch})")
    yield "sync", str(status.sync)
    yield "health", str(status.health)
    yield "head", commits.short(status.head) if status.head else "the branch has no commits yet"
    if status.applied is None:
        yield "applied", "nothing yet: run `reconciler sync`"
    else:
        at = canonical.timestamp(status.applied.at.replace(microsecond=0))
        yield (
            "applied",
            f"{commits.short(status.applied.stamp.commit)}, commit {status.applied.height}, live since {at}",
        )
    if status.refused is not None:
        errors = problems.plural(sum(one.is_error for one in status.refused.problems), "error")
        yield "refused", f"{commits.short(status.refused.stamp.commit)}, {errors}"
    if status.suspension is not None:
        yield "suspended", suspensions.line(status.suspension)
    yield "live rows", ", ".join(f"{count:,} {kind}" for kind, count in status.resources.items() if count) or "none"


def row_json(row: LiveRow) -> dict[str, Any]:
    """A live row: its name, then its columns."""
    return {"name": row.name, **{field: plain(value) for field, value in row.values.items()}}


def row_cells(row: LiveRow, kind: Kind) -> list[str]:
    """The cells of a row in a table: name, then columns but the key."""
    return [visible(row.name), *(cell(row.values[column.name]) for column in kind.columns if column.name != kind.key)]


def row_lines(row: LiveRow, kind: Kind) -> Iterator[tuple[str, str]]:
    """A row as labels and texts, with units, and where git declares it."""
    yield "name", visible(row.name)
    for field, value in row.values.items():
        column = kind.column(field)
        unit = f" {column.unit}" if column and column.unit and value is not None else ""
        yield field, cell(value) + unit
    yield "declared in", visible(f"{row.path}:{row.line}") if row.path else "left git: kept as a tombstone"


def cell(value: Any) -> str:
    """A value as text."""
    return canonical.timestamp(value) if isinstance(value, datetime) else visible(canonical.text(value))


def plain(value: Any) -> Any:
    """A value as JSON has it; 30.0 is written 30."""
    return canonical.timestamp(value) if isinstance(value, datetime) else canonical.normal(value)


def sync_json(result: SyncResult) -> dict[str, Any]:
    """What a reconcile did."""
    refused = result.attempt if result.attempt and result.attempt.refused else None
    return {
        "head": result.head,
        "applied": commits.applied_json(result.applied),
        "refused": commits.attempt_json(refused if refused and refused.stamp.commit == result.head else None),
        "changes": [plans.change_json(change) for change in result.plan.changes],
        "problems": [problems.as_json(problem) for problem in result.plan.problems],
        "history": None if result.history is None else {"recorded": result.history.versions},
    }


def sync_lines(result: SyncResult, kinds: Kinds) -> Iterator[str]:
    """What a reconcile did, in a few lines: changes, then where the rows and the history are."""
    yield from plans.lines(result.plan, kinds) if len(result.plan.changes) <= SHOWN else plans.digest_lines(result.plan)
    if result.applied is None:
        yield "live: nothing yet"
    else:
        done = plans.done(result.plan) if result.plan.changes else "no rows changed"
        yield f"live: {commits.short(result.applied.stamp.commit)}, {done}"
    if result.history is not None and result.history.error is None:
        yield f"history: {problems.plural(result.history.versions, 'version')} recorded"


SHOWN = 20
"""Changes that are told one by one; more of them are counted by kind."""
