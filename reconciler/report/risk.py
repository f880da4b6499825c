"""What changes do to the risk that may be taken, in JSON and in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from msgspec import UNSET

from reconciler import answers, canonical, reviews
from reconciler.kinds.risk import Direction, FieldRisk, combine, judge_change, judge_field
from reconciler.model.change import Op
from reconciler.report.problems import plural

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.plan import Plan


def build_change_risk(change: Change, kinds: Kinds) -> answers.ChangeRisk:
    """Of a resource that comes or goes, the direction is that of the whole, and no field has one."""
    kind = kinds.by_name.get(change.resource.kind)
    fields = change.fields if change.op is Op.UPDATE else ()
    return answers.ChangeRisk(
        direction=_word(judge_change(change, kinds)),
        fields={field.field: _build_field_risk(judge_field(change, field, kind)) for field in fields},
    )


def _build_field_risk(risk: FieldRisk) -> answers.FieldRisk:
    factor = UNSET if risk.factor is None else cast("float", canonical.normalize(risk.factor))
    return answers.FieldRisk(direction=_word(risk.direction), factor=factor)


def build_plan_risk(plan: Plan, kinds: Kinds) -> reviews.PlanRisk:
    """What a plan does as a whole, and how many of its changes loosen and tighten."""
    directions = _count_directions(plan, kinds)
    return reviews.PlanRisk(
        direction=_word(combine(directions)),
        loosen=directions[Direction.LOOSEN],
        tighten=directions[Direction.TIGHTEN],
    )


def describe_plan_risk(plan: Plan, kinds: Kinds) -> str:
    """`2 changes loosen, 1 tightens`; empty where none does either."""
    directions = _count_directions(plan, kinds)
    told = [
        (number, f"{direction}s" if number == 1 else str(direction))
        for direction in (Direction.LOOSEN, Direction.TIGHTEN)
        if (number := directions[direction])
    ]
    if not told:
        return ""
    (first, verb), *others = told
    return ", ".join([f"{plural(first, 'change')} {verb}", *(f"{number:,} {verb}" for number, verb in others)])


def describe_field_risk(risk: FieldRisk) -> str:
    """`loosens, 80 x`, the factor to three digits; empty for what is neutral."""
    if risk.direction is Direction.NEUTRAL:
        return ""
    factor = "" if risk.factor is None else f", {canonical.text(float(f'{risk.factor:.3g}'))} x"
    return f"{risk.direction}s{factor}"


def _count_directions(plan: Plan, kinds: Kinds) -> Counter[Direction]:
    return Counter(judge_change(change, kinds) for change in plan.changes)


def _word(direction: Direction) -> answers.DirectionWord:
    return cast("answers.DirectionWord", str(direction))
