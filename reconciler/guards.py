"""Guards: limits on what one commit may change, so that nothing of that size happens by accident."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.model.change import Change, Resource
    from reconciler.model.spec import PruneRule

PRUNE_LIMIT = "guard/prune-limit"
MAX_NAMED = 5
"""Resources that a message names."""


def find_prune_problems(
    rule: PruneRule, changes: Iterable[Change], before: Callable[[str], int]
) -> tuple[Problem, ...]:
    """A problem for each kind of which more resources leave git at once than a rule allows.

    `before` says how many of a kind were declared. A change whose row stays as it is takes nothing away.
    """
    leaving: defaultdict[str, list[Resource]] = defaultdict(list)
    for change in changes:
        if change.destructive:
            leaving[change.resource.kind].append(change.resource)
    return tuple(sorted(_find_exceeded(rule, leaving, before)))


def _find_exceeded(
    rule: PruneRule, leaving: dict[str, list[Resource]], before: Callable[[str], int]
) -> Iterator[Problem]:
    for kind, resources in leaving.items():
        leaving_count, total = len(resources), before(kind)
        limits = []
        if leaving_count * 100 > rule.max_percent * total:
            limits.append(f"{canonical.text(rule.max_percent)} %")
        if leaving_count > rule.max_count:
            limits.append(f"{rule.max_count:,}")
        if limits:
            yield _exceeded_problem(kind, sorted(resources, key=lambda one: one.name), total, " and ".join(limits))


def _exceeded_problem(kind: str, resources: list[Resource], total: int, limit: str) -> Problem:
    first = min(resources, key=lambda resource: (resource.path, resource.line))
    names = ", ".join(resource.name for resource in resources[:MAX_NAMED])
    more = f" and {len(resources) - MAX_NAMED:,} more" if len(resources) > MAX_NAMED else ""
    return Problem(
        path=first.path,
        line=first.line,
        column=1,
        code=PRUNE_LIMIT,
        pointer="",
        message=f"{len(resources):,} of {total:,} {kind} leave git at once, more than {limit}: {names}{more}",
        hint="bring them back, or, if it is meant, approve this commit: `reconciler sync --approve SHA`, "
        "or a line `Reconciler-Approve: prune` at the end of its message",
    )
