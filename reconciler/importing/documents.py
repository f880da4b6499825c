"""What rows say to the documents that will say the same."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.importing.columns import METADATA
from reconciler.importing.incoming import references
from reconciler.importing.naming import derived_names
from reconciler.model.resource import RowId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.importing.incoming import Incoming
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.resource import Resource

    Document = dict[str, Value]

API_VERSION = "reconciler/v1"


def documents(rows: Sequence[Incoming], kinds: Kinds, declared: Mapping[RowId, Resource]) -> Iterator[Document]:
    """The document of each row, in order. `declared` is what the repository holds already.

    What a row does not say of itself is taken from the resource that the repository has under its id; where there is
    none, the name is made from the id, and references are found by the ids in columns named like another kind's key.
    A row that has neither name nor id becomes a document without a name.
    """
    names = _names(rows, declared)
    for row in rows:
        row_id = RowId(row.kind.name, row.id or "")
        if row_id in declared:
            before = _declared_metadata(row.kind, declared[row_id])
        else:
            before = {"name": names.get(row_id), "refs": _found(row, kinds, names)}
        metadata = {**before, **row.metadata}
        written = {key: metadata[key] for key in METADATA if metadata.get(key)}
        yield {"apiVersion": API_VERSION, "kind": row.kind.name, "metadata": written, "spec": dict(row.spec)}


def _names(rows: Sequence[Incoming], declared: Mapping[RowId, Resource]) -> dict[RowId, str]:
    """The name of every id that is known: declared already, given by its row, or made now."""
    names = {row_id: one.name for row_id, one in declared.items()}
    nameless: dict[str, list[Incoming]] = defaultdict(list)
    for row in rows:
        if row.id is not None and row.name is not None:
            names[RowId(row.kind.name, row.id)] = row.name
        elif row.id is not None and RowId(row.kind.name, row.id) not in names:
            nameless[row.kind.name].append(row)
    for members in nameless.values():
        kind = members[0].kind
        taken = {name for row_id, name in names.items() if row_id.kind == kind.name}
        taken |= {row.name for row in rows if row.kind == kind and row.name is not None}
        made = derived_names(kind, (row.id for row in members if row.id is not None), taken)
        names |= {RowId(kind.name, one): name for one, name in made.items()}
    return names


def _declared_metadata(kind: Kind, known: Resource) -> dict[str, Value]:
    """The metadata of a resource, as its document has it."""
    refs = references(kind, {role: list(names) for role, names in known.refs.items()})
    return {"name": known.name, "labels": dict(known.labels), "annotations": dict(known.annotations), "refs": refs}


def _found(row: Incoming, kinds: Kinds, names: Mapping[RowId, str]) -> Value:
    """References by id. A kind that several roles point at says nothing: the column does not tell which is meant."""
    pointed = [reference.kind for reference in row.kind.references]
    refs: dict[str, Value] = {}
    for reference in row.kind.references:
        target = kinds.by_name.get(reference.kind)
        if target is None or target.key == row.kind.key or pointed.count(reference.kind) > 1:
            continue
        value = row.spec.get(target.key)
        name = names.get(RowId(target.name, value)) if isinstance(value, str) else None
        if name is not None:
            refs[reference.role] = [name] if reference.many else name
    return refs
