"""A plan: what would change in the live rows, ordered and counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.model.change import ORDER, Change, Op
from reconciler.model.review import Review
from reconciler.model.rollback import is_hold
from reconciler.slices import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.problem import Problem


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
