"""The documents of imported rows: their names, references and files."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.importing.tables import METADATA, normalize_references
from reconciler.model.change import RowId
from reconciler.scaffold.files import API_VERSION, join_path, resource_file, usual_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reconciler.canonical import Value
    from reconciler.importing.tables import IncomingRow
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import FileEntry, Resource

    Document = dict[str, Value]

MIN_DIGITS, MAX_DIGITS = 8, 32
"""Hexadecimal digits of an id in a name: as many as make it unique."""

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""Names that no file on Windows can have, with any extension."""


def derive_names(kind: Kind, ids: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """A name for each id: the kind and the beginning of the id, as long as it takes to be unique.

    It does not depend on the order of the ids. What is no UUID gets no name.
    """
    names: dict[str, str] = {}
    remaining = {id_ for id_ in ids if UUID.fullmatch(id_)}
    for length in range(MIN_DIGITS, MAX_DIGITS + 1):
        groups: dict[str, list[str]] = defaultdict(list)
        for id_ in remaining:
            groups[f"{kind.name.lower()}-{id_.replace('-', '')[:length]}"].append(id_)
        settled = {
            members[0]: name
            for name, members in groups.items()
            if (len(members) == 1 and name not in taken) or length == MAX_DIGITS
        }
        names |= settled
        remaining -= settled.keys()
    return names


class Folders:
    """Where new files go: each kind's beside its other ones below `top`, and to no path that is taken.

    `top` is a folder's path from the root, empty for the root itself.
    """

    def __init__(self, top: str, entries: Mapping[str, FileEntry], taken: Iterable[str]) -> None:
        self._top = top
        self._entries = {path: entry for path, entry in entries.items() if path.startswith(join_path(top, ""))}
        self._taken = {path.lower() for path in taken}  # some file systems know no capitals
        self._homes: dict[str, str] = {}

    def take_path(self, kind: Kind, name: str) -> str:
        """The path for a new resource's file; it counts as taken from now on."""
        stem = resource_file(name).removesuffix(".yaml").strip(".")
        if not stem or DEVICES.fullmatch(stem):
            stem = f"{kind.name.lower()}-{stem}"
        home, path, number = self._home(kind), f"{stem}.yaml", 1
        while join_path(home, path).lower() in self._taken:
            number += 1
            path = f"{stem}-{number}.yaml"
        self._taken.add(join_path(home, path).lower())
        return join_path(home, path)

    def _home(self, kind: Kind) -> str:
        if kind.name not in self._homes:
            self._homes[kind.name] = usual_folder(kind, self._entries, self._top)
        return self._homes[kind.name]


def build_documents(
    rows: Sequence[IncomingRow], kinds: Kinds, declared: Mapping[RowId, Resource]
) -> Iterator[Document]:
    """The document of each row, in order. `declared` is what the repository holds already.

    What a row does not say of itself is taken from the resource that the repository has under its id; where there is
    none, the name is made from the id, and references are found by the ids in columns named like another kind's key.
    A row that has neither name nor id becomes a document without a name.
    """
    names = _name_rows(rows, declared)
    for row in rows:
        row_id = RowId(row.kind.name, row.id or "")
        if row_id in declared:
            before = _declared_metadata(row.kind, declared[row_id])
        else:
            before = {"name": names.get(row_id), "refs": _references_by_id(row, kinds, names)}
        metadata = {**before, **row.metadata}
        written = {key: metadata[key] for key in METADATA if metadata.get(key)}
        yield {"apiVersion": API_VERSION, "kind": row.kind.name, "metadata": written, "spec": dict(row.spec)}


def _name_rows(rows: Sequence[IncomingRow], declared: Mapping[RowId, Resource]) -> dict[RowId, str]:
    """The name of every id that is known: declared already, given by its row, or made now."""
    names = {row_id: resource.name for row_id, resource in declared.items()}
    nameless: dict[str, list[IncomingRow]] = defaultdict(list)
    for row in rows:
        if row.id is not None and row.name is not None:
            names[RowId(row.kind.name, row.id)] = row.name
        elif row.id is not None and RowId(row.kind.name, row.id) not in names:
            nameless[row.kind.name].append(row)
    for members in nameless.values():
        kind = members[0].kind
        taken = {name for row_id, name in names.items() if row_id.kind == kind.name}
        taken |= {row.name for row in rows if row.kind == kind and row.name is not None}
        derived = derive_names(kind, (row.id for row in members if row.id is not None), taken)
        names |= {RowId(kind.name, id_): name for id_, name in derived.items()}
    return names


def _declared_metadata(kind: Kind, known: Resource) -> dict[str, Value]:
    refs = normalize_references(kind, {role: list(names) for role, names in known.refs.items()})
    return {"name": known.name, "labels": dict(known.labels), "annotations": dict(known.annotations), "refs": refs}


def _references_by_id(row: IncomingRow, kinds: Kinds, names: Mapping[RowId, str]) -> Value:
    """References by id, except to kinds of several roles: the column does not tell which role is meant."""
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
