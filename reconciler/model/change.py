"""Differences between two states, as people and stores read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler import canonical

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.model.resource import Resource, RowId


class Prune(StrEnum):
    """What becomes of the row of a resource that leaves git, the mildest first.

    OFF leaves it as it is, DEACTIVATE sets its status to INACTIVE (and deletes it where its kind has none), DELETE
    deletes it.
    """

    OFF = "off"
    DEACTIVATE = "deactivate"
    DELETE = "delete"

    def milder(self, other: Prune) -> Prune:
        """The one of the two that takes less away."""
        order = list(Prune)
        return min(self, other, key=order.index)


class Op(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


ORDER = (Op.DELETE, Op.CREATE, Op.UPDATE)
"""What is lost comes first in every rendering."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field's old and new value; metadata is named `labels.host`, `refs.broker`, `annotations.x` or `name`."""

    field: str
    old: Value
    new: Value


@dataclass(frozen=True, slots=True)
class Change:
    """The create, update or delete of one resource. `old` is None for a create, `new` for a delete.

    `prune` says what becomes of the row; it is None unless this is a delete.
    """

    op: Op
    old: Resource | None
    new: Resource | None
    prune: Prune | None = None

    @property
    def resource(self) -> Resource:
        """The resource as it will be, or as it was when it goes."""
        resource = self.new or self.old
        assert resource is not None
        return resource

    @property
    def destructive(self) -> bool:
        """Whether a row is switched off or lost."""
        return self.prune is not None and self.prune is not Prune.OFF

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields that differ: metadata first, then columns in their order. Worked out when asked for."""
        old = _declared(self.old) if self.old else {}
        new = _declared(self.new) if self.new else {}
        changes = (FieldChange(field, old.get(field), new.get(field)) for field in dict.fromkeys((*old, *new)))
        # As text: to Python, 1 is True
        return tuple(change for change in changes if canonical.dumps(change.old) != canonical.dumps(change.new))


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
class Removal(Stamp):
    """The mainline commit that removed a resource, and what became of its row then."""

    prune: Prune = Prune.DEACTIVATE


@dataclass(frozen=True, slots=True)
class Row:
    """A resource with its provenance; `removed` is set on a tombstone: what left git, as it last was."""

    resource: Resource
    created: Stamp
    updated: Stamp
    removed: Removal | None = None

    @property
    def row_id(self) -> RowId:
        """Kind and id."""
        return self.resource.row_id
