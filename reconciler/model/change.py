"""Resources as files declare them, rows with the commits that made them, and the changes between two states."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.model.problem import Mark, Problem


class Key(NamedTuple):
    """A resource as people name it."""

    kind: str
    name: str


class RowId(NamedTuple):
    """A resource as tables name it: its kind and the value of its key column (a UUID in lower case)."""

    kind: str
    id: str


class Document(Struct, frozen=True):
    """One YAML document as written: plain values, and where each of them stands.

    `marks` maps a JSON Pointer to the place of the value there; a pointer followed by `#` is the place of the key
    itself. `ambiguous` maps the pointer of a scalar that YAML 1.1 and 1.2 read differently to its text; the value
    in its place is that text, or the number where JSON has it too (`1e3`). It has at most `size` values, and as many
    characters; None where that is not known.
    """

    value: Value
    marks: Mapping[str, Mark]
    ambiguous: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None


class Decoded(Struct, frozen=True):
    """A file after decoding: its documents, and the problems that kept others from becoming documents."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()


class Resource(Struct, frozen=True):
    """One declared thing, in canonical form.

    `values` maps each of the kind's columns (key column included, time stamps not) to its canonical value: floats
    for DOUBLE, ints for INTEGER, lower-case UUIDs, None where a field was left out. `refs` maps a role to the names
    it points at. `digest` covers kind, name, labels, annotations, refs and the values that are there, and not where
    it is written.
    """

    kind: str
    name: str
    id: str
    values: Mapping[str, Value]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    refs: Mapping[str, tuple[str, ...]]
    path: str
    line: int
    digest: str

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)

    @property
    def row_id(self) -> RowId:
        return RowId(self.kind, self.id)

    @property
    def size(self) -> int:
        """Characters of its text, roughly."""
        return canonical.text_size(self.values) + canonical.text_size(self.annotations)


def content_digest(
    key: Key,
    values: Mapping[str, Value],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    refs: Mapping[str, Collection[str]],
) -> str:
    """The digest of a resource in canonical form, without fields that were left out: a new field changes no digest."""
    covered = {
        "kind": key.kind,
        "name": key.name,
        "labels": labels,
        "annotations": annotations,
        "refs": {role: list(names) for role, names in refs.items()},
        "values": {field: found for field, found in values.items() if found is not None},
    }
    return canonical.digest(covered)


class Identified(Struct, frozen=True):
    """A document with errors that has a kind and a name: it counts as declared."""

    key: Key
    line: int


class FileEntry(Struct, frozen=True):
    """What one file of a tree declares.

    `unreadable` says that some document in it could not even be identified, so what it declares is unknown.
    """

    resources: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    identified: tuple[Identified, ...] = ()
    unreadable: bool = False
    documents: int = 0


class Prune(StrEnum):
    """What becomes of the row of a resource that leaves git, the mildest first.

    OFF leaves it as it is, DEACTIVATE sets its status to INACTIVE (and deletes it where its kind has none), DELETE
    deletes it.
    """

    OFF = "off"
    DEACTIVATE = "deactivate"
    DELETE = "delete"

    def milder(self, other: Prune) -> Prune:
        """The milder of two modes."""
        order = list(Prune)
        return min(self, other, key=order.index)


class Op(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


ORDER = (Op.DELETE, Op.CREATE, Op.UPDATE)
"""The order in which changes are shown: what is lost comes first."""


class FieldChange(Struct, frozen=True):
    """One field's old and new value; metadata is named `labels.host`, `refs.broker`, `annotations.x` or `name`."""

    field: str
    old: Value
    new: Value


class Change(Struct, frozen=True):
    """The create, update or delete of one resource. `old` is None for a create, `new` for a delete.

    `prune` says what becomes of the row; it is None unless this is a delete. `halted` has what a halt of the host sets
    in the row in place of what git says.
    """

    op: Op
    old: Resource | None
    new: Resource | None
    prune: Prune | None = None
    halted: Mapping[str, Value] | None = None

    @property
    def resource(self) -> Resource:
        """The new resource, or the old one of a delete."""
        resource = self.new or self.old
        assert resource is not None
        return resource

    @property
    def destructive(self) -> bool:
        """Whether a row is deactivated or deleted."""
        return self.prune is not None and self.prune is not Prune.OFF

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields that differ: metadata first, then columns in their order."""
        old = declared_fields(self.old) if self.old else {}
        new = declared_fields(self.new) if self.new else {}
        changes = (FieldChange(field, old.get(field), new.get(field)) for field in dict.fromkeys((*old, *new)))
        # As text: to Python, 1 is True
        return tuple(change for change in changes if canonical.dumps(change.old) != canonical.dumps(change.new))


def declared_fields(resource: Resource) -> dict[str, Value]:
    """The values by the names that a `FieldChange` has: metadata first, then columns in their order."""
    declared: dict[str, Value] = {"name": resource.name}
    declared.update({f"labels.{key}": value for key, value in sorted(resource.labels.items())})
    declared.update({f"annotations.{key}": value for key, value in sorted(resource.annotations.items())})
    declared.update({f"refs.{role}": _reference(names) for role, names in sorted(resource.refs.items())})
    declared.update(resource.values)
    return declared


def _reference(names: tuple[str, ...]) -> Value:
    return names[0] if len(names) == 1 else list(names)


class Stamp(Struct, frozen=True):
    """A mainline commit as the origin of a row: its sha and its committer time (UTC)."""

    commit: str
    time: datetime


class Removal(Stamp, frozen=True):
    """The mainline commit that removed a resource, and what became of its row then."""

    prune: Prune = Prune.DEACTIVATE


class Row(Struct, frozen=True):
    """A resource with its provenance; `removed` is set on a tombstone: what left git, as it last was.

    `halted` has what stands in the tables in place of git's values while a halt covers the row.
    """

    resource: Resource
    created: Stamp
    updated: Stamp
    removed: Removal | None = None
    halted: Mapping[str, Value] | None = None

    @property
    def row_id(self) -> RowId:
        return self.resource.row_id


class Between(Struct, frozen=True):
    """Two states, each identified by a text, and the rows that differ between them.

    `rows` are those of the new state, including tombstones of what left it; None when any row may differ. States with
    the same text have the same rows.
    """

    old: str
    new: str
    rows: Collection[Row] | None
