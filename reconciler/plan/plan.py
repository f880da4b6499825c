"""A plan: what would change in the live rows, ordered and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.change import ORDER, Change, Op
from reconciler.slices import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.problem import Problem


@dataclass(frozen=True, slots=True)
class Plan:
    """The way from one commit's state to another's. `base` is None when there was nothing before.

    `unchanged` counts the resources that both declare alike. `state` is the commit whose state `changes` start from:
    the base, or the last valid commit before it when the base is invalid.
    """

    base: str | None
    head: str
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()
    unchanged: int = 0
    state: str | None = None

    @property
    def refused(self) -> bool:
        """Whether something keeps it from going live."""
        return any(problem.is_error for problem in self.problems)

    def count(self, op: Op) -> int:
        """How many resources have this happen to them."""
        return Counter(change.op for change in self.changes)[op]


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes in the order they are shown: deletions, creations, updates, each by kind and name."""
    return tuple(in_order(changes, key=_rank))


def _rank(change: Change) -> tuple[int, str, str]:
    return ORDER.index(change.op), change.resource.kind, change.resource.name
