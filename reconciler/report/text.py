"""Checks and plans for people at a terminal or in a log: lines, each of a sort that the command line may colour."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from reconciler.report import commits, plans, problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import Checked


UNTIL_MENDED = "no row changes until that is mended"


class Sort(Enum):
    """What a line is."""

    CHANGE = auto()
    PROBLEM = auto()
    NOTE = auto()


def checked_lines(checked: Checked) -> Iterator[tuple[Sort, str]]:
    """All problems of a tree and a line that counts."""
    yield from ((Sort.PROBLEM, problems.line(problem)) for problem in checked.problems)
    yield Sort.NOTE, f"{problems.scope(checked)}: {problems.counts(checked.problems)}"


def plan_lines(plan: Plan, kinds: Kinds) -> Iterator[tuple[Sort, str]]:
    """The changes, the problems, and what it comes to; the last line is `3 to create, 1 to update, 0 to delete.`"""
    for sort, lines in (
        (Sort.CHANGE, (line for change in plan.changes for line in plans.full_lines(change, kinds))),
        (Sort.PROBLEM, map(problems.line, plan.problems)),
    ):
        section = [(sort, line) for line in lines]
        yield from section
        if section:
            yield Sort.NOTE, ""
    yield from ((Sort.NOTE, line) for line in outcome(plan))


def checked(found: Checked) -> str:
    """`validate --format text`."""
    return _joined(checked_lines(found))


def plan(found: Plan, kinds: Kinds) -> str:
    """`plan --format text`."""
    return _joined(plan_lines(found, kinds))


def since(plan: Plan) -> str:
    """Where the changes start from when that is not the base itself, because it was not valid; else empty."""
    if plan.base is None or plan.state == plan.base:
        return ""
    valid = f"{commits.short(plan.state)}, the last valid commit before it" if plan.state else "nothing"
    return f"{commits.short(plan.base)} is invalid: the changes are those since {valid}"


def outcome(plan: Plan) -> Iterator[str]:
    """What a plan comes to, in a few lines; the last is the summary."""
    if told := since(plan):
        yield told
    if plan.refused:
        yield f"refused: {commits.short(plan.head)} has {problems.counts(plan.problems)}; {UNTIL_MENDED}"
    if plan.changes:
        yield f"{plan.unchanged:,} unchanged"
    elif not plan.refused:  # what is not valid has no changes either, and that is no news to calm anyone
        yield f"no changes, {plan.unchanged:,} unchanged"
    yield plans.summary(plan)


def _joined(lines: Iterator[tuple[Sort, str]]) -> str:
    return "\n".join(line for _, line in lines)
