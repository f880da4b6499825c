"""Plans and their changes as text and JSON."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from msgspec import structs

from reconciler import answers, canonical
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD
from reconciler.model.change import Change, Op, Prune
from reconciler.report import problems
from reconciler.report.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change
    from reconciler.plan import Plan

SIGNS = {Op.CREATE: "+", Op.UPDATE: "~", Op.DELETE: "-"}
"""Terraform's signs."""


def lines(plan: Plan, kinds: Kinds) -> Iterator[str]:
    """Every change of a plan; the fields of updates only."""
    for change in plan.changes:
        yield from change_lines(change, kinds)


def change_lines(change: Change, kinds: Kinds) -> Iterator[str]:
    """A change; its fields if it is an update."""
    yield headline(change, kinds)
    if change.op is Op.UPDATE:
        yield from field_lines(change, kinds)


def full_lines(change: Change, kinds: Kinds) -> Iterator[str]:
    """A change with all that a reviewer has to see: the values of a create too."""
    yield headline(change, kinds)
    if change.op is not Op.DELETE:
        yield from field_lines(change, kinds)


def headline(change: Change, kinds: Kinds) -> str:
    """A resource on one line: `- Account op-demo  accounts/op-demo.yaml:3  (row becomes INACTIVE)`."""
    resource = change.resource
    where = f"  {visible(resource.path)}:{resource.line}" if resource.path else ""
    told = f"{SIGNS[change.op]} {titled(change)}{where}"
    return f"{told}  ({fate(change, kinds)})" if change.prune else told


def field_lines(change: Change, kinds: Kinds) -> Iterator[str]:
    """A line for each field: old → new and its unit; the value alone where there was nothing before."""
    told = list(fields(change, kinds))
    width = max((len(field.name) for field in told), default=0)
    for field in told:
        yield f"    {field.name:<{width}}  {field.after if change.op is Op.CREATE else field.step}"


def titled(change: Change) -> str:
    """Kind and name."""
    return visible(f"{change.resource.kind} {change.resource.name}")


def summary(plan: Plan) -> str:
    """`3 to create, 1 to update, 0 to delete.`"""
    return canonical.counted({f"to {op}": plan.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE)}) + "."


def done(plan: Plan) -> str:
    """`3 created, 1 updated, 0 deleted`"""
    return canonical.counted({f"{op}d": plan.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE)})


def build_change(change: Change) -> answers.Change:
    """One change as the contract has it; 30.0 is written 30."""
    resource = change.resource
    return answers.Change(
        op=cast("answers.Operation", str(change.op)),
        kind=resource.kind,
        name=resource.name,
        id=resource.id,
        path=resource.path,
        line=resource.line,
        fields=tuple(
            answers.FieldChange(field=field.field, old=canonical.normal(field.old), new=canonical.normal(field.new))
            for field in change.fields
        ),
        destructive=change.destructive,
    )


def describe_change(change: answers.Change, lines: Iterable[str]) -> answers.DescribedChange:
    """A change with its text."""
    return answers.DescribedChange(**structs.asdict(change), text="\n".join(lines))


def build_plan(plan: Plan) -> answers.Plan:
    """The contract's object for `plan --format json`."""
    return answers.Plan(
        base=plan.base,
        head=plan.head,
        changes=tuple(map(build_change, plan.changes)),
        summary=build_summary(plan),
        problems=tuple(map(problems.build_problem, plan.problems)),
    )


def build_summary(plan: Plan) -> answers.PlanSummary:
    """How many resources are created, updated, deleted and unchanged."""
    return answers.PlanSummary(
        create=plan.count(Op.CREATE),
        update=plan.count(Op.UPDATE),
        delete=plan.count(Op.DELETE),
        unchanged=plan.unchanged,
    )


NAME = "name"
NOTHING = "-"
"""What stands for a value that is not there."""


class Missing(Enum):
    """A member that one of two JSON values does not have; null is a value."""

    MISSING = "missing"


Member: TypeAlias = "Value | Missing"


class Field(NamedTuple):
    """A field or a member of one, such as `leverage_cap.gold`; a side that is not there is None."""

    name: str
    old: str | None
    new: str | None
    unit: str

    @property
    def before(self) -> str:
        """The old value with its unit, `-` for nothing."""
        return _with_unit(self.old, self.unit)

    @property
    def after(self) -> str:
        """The new value with its unit, `-` for nothing."""
        return _with_unit(self.new, self.unit)

    @property
    def step(self) -> str:
        """`0.75 → 0.5 percent`: the unit once."""
        return f"{self.old or NOTHING} → {self.after}" if self.new else f"{self.before} → {NOTHING}"


def fields(change: Change, kinds: Kinds) -> Iterator[Field]:
    """The fields that differ, JSON by the members that do. The name is among them only where it changed."""
    kind = kinds.by_name.get(change.resource.kind)
    for one in change.fields:
        if one.field == NAME and change.op is not Op.UPDATE:
            continue
        column = kind.column(one.field) if kind else None
        for name, old, new in _members(one.field, _or_missing(one.old), _or_missing(one.new)):
            yield Field(visible(name), _text(old), _text(new), column.unit if column else "")


def fate(change: Change, kinds: Kinds) -> str:
    """What becomes of the row of what leaves git, as rows are projected: `row becomes INACTIVE`; empty otherwise."""
    if change.prune is None:
        return ""
    if change.prune is Prune.OFF:
        return "row stays as it is"
    kind = kinds.by_name.get(change.resource.kind)
    if change.prune is Prune.DELETE or kind is None or not kind.can_deactivate:
        return "row is deleted"
    return f"row {'stays' if change.resource.values.get(STATUS_FIELD) == INACTIVE else 'becomes'} {INACTIVE}"


def _members(name: str, old: Member, new: Member) -> Iterator[tuple[str, Member, Member]]:
    there = [side for side in (old, new) if side is not Missing.MISSING]
    if all(isinstance(side, dict) and side for side in there):
        before, after = (side if isinstance(side, dict) else {} for side in (old, new))
        for key in sorted({*before, *after}):
            yield from _members(f"{name}.{key}", before.get(key, Missing.MISSING), after.get(key, Missing.MISSING))
    elif _text(old) != _text(new):
        yield name, old, new


def _or_missing(value: Value) -> Member:
    return Missing.MISSING if value is None else value


def _text(value: Member) -> str | None:
    """A value as text: what could be taken for something else stands in single quotes, as in YAML."""
    if value is Missing.MISSING:
        return None
    if value is None:
        return "null"
    if isinstance(value, str) and (value in ("", NOTHING, "null") or value != value.strip()):
        return "'" + visible(value).replace("'", "''") + "'"
    return visible(canonical.text(value))


def _with_unit(text: str | None, unit: str) -> str:
    if text is None:
        return NOTHING
    return f"{text} {unit}" if unit else text
