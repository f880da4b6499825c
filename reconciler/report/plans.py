"""Plans as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.change import Change, Op
from reconciler.report import problems
from reconciler.report.fields import fate, fields
from reconciler.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.plan.plan import Plan

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


def change_json(change: Change) -> dict[str, Any]:
    """One change as the contract's JSON object; 30.0 is written 30."""
    resource = change.resource
    return {
        "op": str(change.op),
        "kind": resource.kind,
        "name": resource.name,
        "id": resource.id,
        "path": resource.path,
        "line": resource.line,
        "fields": [
            {"field": field.field, "old": canonical.normal(field.old), "new": canonical.normal(field.new)}
            for field in change.fields
        ],
        "destructive": change.destructive,
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """The contract's object for `plan --format json`."""
    return {
        "base": plan.base,
        "head": plan.head,
        "changes": [change_json(change) for change in plan.changes],
        "summary": {
            **{str(op): plan.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE)},
            "unchanged": plan.unchanged,
        },
        "problems": [problems.as_json(problem) for problem in plan.problems],
    }
