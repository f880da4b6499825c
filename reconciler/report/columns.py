"""In which order people see the columns of a kind: its state first, then what it belongs to and its values, ids last.

What a column `ROLE_id` holds is the id of what the role names: people see the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.kinds.kind import STATUS_FIELD, SqlType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind

LAST = (SqlType.JSON, SqlType.UUID)
"""Columns of these types come after all others, in this order."""


class ShownColumn(Struct, frozen=True):
    """A column, a role of the references, or both. `kind` is that of the resources that the role names."""

    name: str
    field: str | None
    role: str | None = None
    kind: str | None = None
    unit: str = ""
    description: str = ""


def arrange_columns(kind: Kind) -> tuple[ShownColumn, ...]:
    """The columns and roles of a kind but its key, the most important first."""
    shown = {column.name: column for column in _list_columns(kind)}
    role_of = {field: role for role, field in kind.id_columns.items()}  # a hint may name either
    first = (role_of.get(name, name) for name in (STATUS_FIELD, *kind.importance))
    return tuple(shown[name] for name in dict.fromkeys((*first, *shown)) if name in shown)


def _list_columns(kind: Kind) -> Iterator[ShownColumn]:
    ids = kind.id_columns
    for reference in kind.references:
        field = ids.get(reference.role)
        column = kind.column(field) if field else None
        description = column.description if column else ""
        name = f"refs.{reference.role}" if kind.column(reference.role) else reference.role
        yield ShownColumn(name, field, reference.role, reference.kind, description=description)
    own = [column for column in kind.columns if column.name not in {kind.key, *ids.values()}]
    for column in sorted(own, key=lambda column: LAST.index(column.type) + 1 if column.type in LAST else 0):
        yield ShownColumn(column.name, column.name, unit=column.unit, description=column.description)
