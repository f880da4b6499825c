"""What a change does to the rules themselves, as answers and as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from reconciler import reviews
from reconciler.model.change import Op
from reconciler.model.review import RuleSort
from reconciler.policy import problem_code
from reconciler.report.escape import escape_line
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from reconciler.model.review import RuleChange
    from reconciler.plan import Plan

DONE = {Op.DELETE: "removed", Op.UPDATE: "changed", Op.CREATE: "added"}
"""What weighs most comes first."""
NOTHING = "-"


def build_rule_changes(plan: Plan) -> tuple[reviews.RuleChange, ...]:
    return tuple(
        reviews.RuleChange(
            op=cast("Literal['create', 'update', 'delete']", str(change.op)),
            sort=change.sort.value,
            name=change.name,
            path=change.path,
            weighs=change.weighs,
            found=count_found(plan, change),
            edits=tuple(reviews.RuleEdit(field=edit.field, old=edit.old, new=edit.new) for edit in change.edits),
            more=change.more,
        )
        for change in plan.review.rule_changes
    )


def count_found(plan: Plan, change: RuleChange) -> int:
    """The problems that a rule finds in the change; of a removed one, as it was."""
    if change.sort is not RuleSort.RULE:
        return 0
    codes = {problem_code(policy) for policy in plan.review.policies if policy.name == change.name}
    return sum(problem.code in codes for problem in plan.problems)


def sort_rule_changes(plan: Plan) -> list[RuleChange]:
    """What is removed first, then what is changed."""
    ops = list(DONE)
    return sorted(plan.review.rule_changes, key=lambda one: (not one.weighs, ops.index(one.op), one.sort, one.name))


def count_rule_changes(plan: Plan) -> Iterator[str]:
    """`1 rule removed`, `2 schemas changed`"""
    counts = Counter((change.op, change.sort) for change in plan.review.rule_changes)
    for op, done in DONE.items():
        yield from (f"{plural(counts[op, sort], sort)} {done}" for sort in RuleSort if counts[op, sort])


def rule_change_lines(plan: Plan) -> Iterator[str]:
    """`rule removed: leverage-cap  policies/leverage-cap.sql`, with the first differences below it."""
    for change in sort_rule_changes(plan):
        where = f"  {escape_line(change.path)}" if change.path and change.path != change.name else ""
        yield f"{change.sort} {DONE[change.op]}: {escape_line(change.name)}{where}"
        for edit in change.edits:
            field = f"{escape_line(edit.field)}  " if edit.field else ""
            yield f"    {field}{_side(edit.old)} → {_side(edit.new)}"
        if change.more:
            yield f"    and {plural(change.more, 'more difference')}"


def _side(text: str | None) -> str:
    return NOTHING if text is None else escape_line(text.strip()) or "''"
