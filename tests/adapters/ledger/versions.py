"""Versions made by hand for ledger tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.change import Change, Op
from reconciler.model.commit import RowChange, Status, Version
from reconciler.tables.rows import declaration_columns, desired_values
from reconciler.values import replace
from tests.support import kinds

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Resource, Row


def sha(number: int) -> str:
    """The sha of the commit with this number."""
    return kinds.commit(number).sha


def version(number: int, *changes: RowChange, **others: Any) -> Version:
    """The version of the commit with this number on a mainline; `others` are fields that differ."""
    ops = [change.change.op for change in changes]
    plain = Version(
        commit=kinds.commit(number),
        height=number,
        mainline=True,
        status=Status.VALID,
        problems=(),
        creates=ops.count(Op.CREATE),
        updates=ops.count(Op.UPDATE),
        deletes=ops.count(Op.DELETE),
        digest=f"{number:064x}",
        rows=changes,
    )
    return replace(plain, **others)


def aside(number: int, height: int, *parents: int) -> Version:
    """A version off the mainline."""
    return version(number, commit=with_parents(number, *parents).commit, height=height, mainline=False)


def with_parents(number: int, *parents: int) -> Version:
    """A mainline version whose parents are these."""
    commit = replace(kinds.commit(number), parents=tuple(sha(parent) for parent in parents))
    return version(number, commit=commit)


def created(one: Resource, number: int) -> RowChange:
    """A commit made a resource."""
    return RowChange(Change(Op.CREATE, None, one), kinds.row(one, number))


def updated(one: Resource, first: int, number: int) -> RowChange:
    """A commit changed a resource that another one made."""
    return RowChange(Change(Op.UPDATE, one, one), kinds.row(one, first, number))


def deleted(one: Resource, first: int, number: int) -> RowChange:
    """A commit removed a resource that another one made."""
    return RowChange(Change(Op.DELETE, one, None), kinds.tombstone(one, first, number))


def state(kind: Kind, op: str, row: Row) -> dict[str, Any]:
    """What a ledger has to say of a row."""
    names = [column.name for column in kind.columns]
    names += [*TIMESTAMPS, *(name for name, _ in declaration_columns(kind))]
    return {"op": op, **dict(zip(names, desired_values(kind, row), strict=True))}
