"""A plan: what would change in the live rows, ordered and counted, and what no plan may do by accident."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.model.change import ORDER, Change, Op
from reconciler.model.problem import Problem
from reconciler.model.review import Review
from reconciler.model.rollback import is_hold
from reconciler.slices import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.model.change import Resource
    from reconciler.model.spec import PruneRule


class Plan(Struct, frozen=True):
    """The way from one commit's state to another's. `base` is None when there was nothing before.

    `unchanged` counts the resources that both declare alike; of a partial plan, those that readable files of the head
    declare as before. `state` is the commit whose state `changes` start from:
    the base, or the last valid commit before it when the base is invalid. `partial` are the files of the head, of
    `files` in all, that cannot be read: the plan tells nothing of what they declare, and it is refused. `review` is
    what a reviewer wants to know beside that.
    """

    base: str | None
    head: str
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()
    unchanged: int = 0
    state: str | None = None
    partial: tuple[str, ...] = ()
    files: int = 0
    review: Review = Review()

    @property
    def refused(self) -> bool:
        return any(problem.is_error for problem in self.problems)

    @property
    def is_held(self) -> bool:
        """Whether nothing but a rollback of the host keeps it from going live."""
        return is_hold(self.problems)

    def count(self, op: Op) -> int:
        return Counter(change.op for change in self.changes)[op]


def digest_plan(base: str | None, head: str, changes: Iterable[Change]) -> str:
    """What identifies a plan on every machine: the trees it leads from and to (git's ids), and what it changes."""
    told = [
        [
            str(change.op),
            change.resource.kind,
            change.resource.name,
            change.resource.id,
            change.old.digest if change.old else None,
            change.new.digest if change.new else None,
            str(change.prune) if change.prune else None,
        ]
        for change in changes
    ]
    return canonical.digest({"base": base, "head": head, "changes": told})


def sort_changes(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes in the order they are shown: deletions, creations, updates, each by kind and name."""
    return tuple(in_order(changes, key=_rank))


def _rank(change: Change) -> tuple[int, str, str]:
    return ORDER.index(change.op), change.resource.kind, change.resource.name


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
