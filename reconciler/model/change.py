"""Differences between two states, as people and stores read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.model.resource import Resource, RowId


class Op(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field's old and new value; metadata is named `labels.host`, `refs.broker`, `annotations.x` or `name`."""

    field: str
    old: Value
    new: Value


@dataclass(frozen=True, slots=True)
class Change:
    """The create, update or delete of one resource. `old` is None for a create, `new` for a delete."""

    op: Op
    old: Resource | None
    new: Resource | None

    @property
    def resource(self) -> Resource:
        """The resource as it will be, or as it was when it goes."""
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields that differ: metadata first, then columns in their order. Worked out when asked for."""
        old = _declared(self.old) if self.old else {}
        new = _declared(self.new) if self.new else {}
        changes = (FieldChange(field, old.get(field), new.get(field)) for field in dict.fromkeys((*old, *new)))
        return tuple(change for change in changes if change.old != change.new)


def _declared(resource: Resource) -> dict[str, Value]:
    declared: dict[str, Value] = {"name": resource.name}
    declared.update({f"labels.{key}": value for key, value in sorted(resource.labels.items())})
    declared.update({f"annotations.{key}": value for key, value in sorted(resource.annotations.items())})
    declared.update({f"refs.{role}": _reference(names) for role, names in sorted(resource.refs.items())})
    declared.update(resource.values)
    return declared


def _reference(names: tuple[str, ...]) -> Value:
    return names[0] if len(names) == 1 else list(names)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A mainline commit as the origin of a row: its sha and its committer time (UTC)."""

    commit: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """A resource with its provenance; `removed` is set on a tombstone: what left git, as it last was."""

    resource: Resource
    created: Stamp
    updated: Stamp
    removed: Stamp | None = None

    @property
    def row_id(self) -> RowId:
        """Kind and id."""
        return self.resource.row_id
