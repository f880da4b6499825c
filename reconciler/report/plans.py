"""Plans as text and JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.model.change import Change, FieldChange, Op

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.registry import Kinds
    from reconciler.plan.plan import Plan

SIGNS = {Op.CREATE: "+", Op.UPDATE: "~", Op.DELETE: "-"}
"""Terraform's signs."""


def lines(plan: Plan, kinds: Kinds) -> Iterator[str]:
    """Every change of a plan."""
    for change in plan.changes:
        yield from change_lines(change, kinds)


def digest_lines(plan: Plan) -> Iterator[str]:
    """The changes of a plan, counted by what happens and kind."""
    counts = Counter((change.op, change.resource.kind) for change in plan.changes)
    for (op, kind), number in counts.items():
        yield f"{SIGNS[op]} {number:,} {kind}"


def change_lines(change: Change, kinds: Kinds) -> Iterator[str]:
    """A resource on one line, and one for each field of an update: old → new and its unit."""
    resource = change.resource
    yield f"{SIGNS[change.op]} {resource.kind} {resource.name}  {resource.path}:{resource.line}"
    if change.op is Op.UPDATE:
        width = max(len(field.field) for field in change.fields)
        for field in change.fields:
            yield f"    {field.field:<{width}}  {_values(change, field, kinds)}"


def summary(plan: Plan) -> str:
    """`3 to create, 1 to update, 0 to delete.`"""
    return canonical.counted({f"to {op}": plan.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE)}) + "."


def done(plan: Plan) -> str:
    """`3 created, 1 updated, 0 deleted`"""
    return canonical.counted({f"{op}d": plan.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE)})


def change_json(change: Change) -> dict[str, Any]:
    """One change as the contract's JSON object."""
    resource = change.resource
    return {
        "op": str(change.op),
        "kind": resource.kind,
        "name": resource.name,
        "id": resource.id,
        "path": resource.path,
        "line": resource.line,
        "fields": [{"field": field.field, "old": field.old, "new": field.new} for field in change.fields],
        "destructive": change.op is Op.DELETE,
    }


def _values(change: Change, field: FieldChange, kinds: Kinds) -> str:
    kind = kinds.by_name.get(change.resource.kind)
    column = kind.column(field.field) if kind else None
    unit = f" {column.unit}" if column and column.unit else ""
    return f"{canonical.text(field.old)} → {canonical.text(field.new)}{unit}"
