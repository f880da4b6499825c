"""What files declare: documents as written, resources as understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.canonical import Value
    from reconciler.model.problem import Mark, Problem


class Key(NamedTuple):
    """How people name a resource."""

    kind: str
    name: str


class RowId(NamedTuple):
    """How tables name a resource: its kind and the value of its key column (a UUID in lower case)."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document as written: plain values, and where each of them stands.

    `marks` maps a JSON Pointer to the place of the value there; a pointer followed by `#` is the place of the key
    itself. `ambiguous` maps the pointer of a scalar that YAML 1.1 and 1.2 read differently to its text; the value
    in its place is that text.
    """

    value: Value
    marks: Mapping[str, Mark]
    ambiguous: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file after decoding: its documents, and the problems that kept others from becoming documents."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
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
        """Kind and name."""
        return Key(self.kind, self.name)

    @property
    def row_id(self) -> RowId:
        """Kind and id."""
        return RowId(self.kind, self.id)


def content_digest(
    key: Key,
    values: Mapping[str, Value],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    refs: Mapping[str, Collection[str]],
) -> str:
    """The digest of a resource in canonical form. What was left out is no content: a new field changes no resource."""
    covered = {
        "kind": key.kind,
        "name": key.name,
        "labels": labels,
        "annotations": annotations,
        "refs": {role: list(names) for role, names in refs.items()},
        "values": {field: found for field, found in values.items() if found is not None},
    }
    return canonical.digest(covered)


@dataclass(frozen=True, slots=True)
class Identified:
    """A document that names its kind and itself but has errors: enough to know that it is still declared."""

    key: Key
    line: int


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What one file of a tree declares.

    `unreadable` says that some document in it could not even be identified, so what it declares is unknown.
    """

    resources: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    identified: tuple[Identified, ...] = ()
    unreadable: bool = False
    documents: int = 0
