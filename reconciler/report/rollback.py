"""A rollback as answers and text."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta, UnsetType

from reconciler import answers, canonical
from reconciler.answers import Answer
from reconciler.model.rollback import Rollback
from reconciler.report.commits import build_applied, short_sha
from reconciler.report.escape import EXACT, Moments, escape_line
from reconciler.report.plans import applied_counts, change_lines, fit_changes
from reconciler.report.problems import MAX_OUTPUT, build_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import Attempt
    from reconciler.model.host import HostCondition
    from reconciler.reconcile.sync import SyncResult

MAX_SKIPS, MAX_HELD, MAX_LISTED = 100, 20, 20
"""Skipped values and held ones in an answer, and changes in the text."""


class WentBack(Answer, frozen=True):
    """What a rollback did."""

    rolled_back: answers.RolledBack
    applied: answers.Applied | None
    changes: tuple[answers.DescribedChange, ...]
    summary: str
    warnings: Annotated[tuple[str, ...] | UnsetType, Meta(description="what is to be looked at all the same")] = UNSET


class RollbackEnded(Answer, frozen=True):
    ended: answers.RolledBack | None


def build_rolled_back(rollback: Rollback, held: Attempt | None = None) -> answers.RolledBack:
    """Where a host went back to, why, and what it skips. `held` is the head, where the rollback keeps it."""
    errors = [problem for problem in held.problems if problem.is_error] if held else []
    return answers.RolledBack(
        target=rollback.target,
        skipped=rollback.skipped,
        reason=rollback.reason,
        actor=rollback.actor,
        since=canonical.timestamp(rollback.since),
        skips=tuple(islice(rollback.changes.names(), MAX_SKIPS)),
        held=tuple(map(build_problem, errors[:MAX_HELD])),
    )


def parse_rolled_back(answer: answers.RolledBack) -> Rollback:
    """A rollback as a daemon tells it: without what it skips, which git knows."""
    since = datetime.fromisoformat(answer.since)
    return Rollback(answer.target, answer.skipped, answer.reason, answer.actor, since)


def build_went_back(
    rollback: Rollback, result: SyncResult, kinds: Kinds, warnings: Iterable[HostCondition] = ()
) -> WentBack:
    changes, _ = fit_changes(result.plan.changes, kinds, change_lines, MAX_OUTPUT // 2)
    return WentBack(
        rolled_back=build_rolled_back(rollback),
        applied=build_applied(result.applied),
        changes=changes,
        summary=applied_counts(result.plan) if result.plan.changes else "no rows changed",
        warnings=tuple(f"{one.reason}: {one.message}" for one in warnings) or UNSET,
    )


def rollback_lines(found: answers.RolledBack, moments: Moments = EXACT) -> Iterator[tuple[str, str]]:
    """As labels and texts, for `status`."""
    by = f"by {escape_line(found.actor)} since {moments.full(found.since)}: {escape_line(found.reason)}"
    yield "rolled back", f"from {short_sha(found.skipped)} to {short_sha(found.target)} {by}"
    for problem in found.held:
        yield "", escape_line(problem.message)
    if found.held:
        yield "", "so the head is held; `reconciler rollback --end --reason …` lets it through"


def went_back_lines(found: WentBack) -> Iterator[str]:
    """What was done, for the terminal."""
    if len(found.changes) <= MAX_LISTED:
        for change in found.changes:
            yield from change.text.splitlines()
    back = found.rolled_back
    yield f"live: {short_sha(back.target)}, {found.summary}; {short_sha(back.skipped)} is skipped"
