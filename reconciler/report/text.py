"""Checks and plans as text: lines with a style that the command line may colour."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from reconciler.report.commits import short_sha
from reconciler.report.plans import full_change_lines, plan_summary
from reconciler.report.problems import checked_counts, problem_counts, problem_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.reconcile.check import CheckResult


UNTIL_FIXED = "no row changes until that is mended"


class LineStyle(Enum):
    CHANGE = auto()
    PROBLEM = auto()
    NOTE = auto()


def checked_lines(checked: CheckResult) -> Iterator[tuple[LineStyle, str]]:
    """A line for each problem, then the counts."""
    yield from ((LineStyle.PROBLEM, problem_line(problem)) for problem in checked.problems)
    yield LineStyle.NOTE, f"{checked_counts(checked)}: {problem_counts(checked.problems)}"


def plan_lines(plan: Plan, kinds: Kinds) -> Iterator[tuple[LineStyle, str]]:
    """The changes, the problems and the outcome; the last line is `3 to create, 1 to update, 0 to delete.`"""
    for style, lines in (
        (LineStyle.CHANGE, (line for change in plan.changes for line in full_change_lines(change, kinds))),
        (LineStyle.PROBLEM, map(problem_line, plan.problems)),
    ):
        section = [(style, line) for line in lines]
        yield from section
        if section:
            yield LineStyle.NOTE, ""
    yield from ((LineStyle.NOTE, line) for line in outcome_lines(plan))


def render_checked(checked: CheckResult) -> str:
    """`validate --format text`"""
    return _join(checked_lines(checked))


def render_plan(plan: Plan, kinds: Kinds) -> str:
    """`plan --format text`"""
    return _join(plan_lines(plan, kinds))


def base_note(plan: Plan) -> str:
    """Which commit the changes start from when the base is invalid; empty otherwise."""
    if plan.base is None or plan.state == plan.base:
        return ""
    valid = f"{short_sha(plan.state)}, the last valid commit before it" if plan.state else "nothing"
    return f"{short_sha(plan.base)} is invalid: the changes are those since {valid}"


def outcome_lines(plan: Plan) -> Iterator[str]:
    """Base, refusal, unchanged resources, and last the summary."""
    if note := base_note(plan):
        yield note
    if plan.refused:
        yield f"refused: {short_sha(plan.head)} has {problem_counts(plan.problems)}; {UNTIL_FIXED}"
    if plan.changes:
        yield f"{plan.unchanged:,} unchanged"
    elif not plan.refused:  # a refused plan without changes is not "no changes"
        yield f"no changes, {plan.unchanged:,} unchanged"
    yield plan_summary(plan)


def _join(lines: Iterator[tuple[LineStyle, str]]) -> str:
    return "\n".join(line for _, line in lines)
