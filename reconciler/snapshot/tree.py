"""What the files of one tree declare, with the indexes that find what is wrong between files.

Two trees with the same files are equal in all they say, whichever way they were reached: this knows no history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from rpds import HashTrieMap, HashTrieSet

from reconciler.model.resource import FileEntry, Key, Resource, RowId
from reconciler.snapshot.overlay import Overlay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.ports import Base

T = TypeVar("T")

NOTHING = FileEntry()


class Place(NamedTuple):
    """Where a document stands."""

    path: str
    line: int


Referrers: TypeAlias = "HashTrieMap[Place, Resource]"


@dataclass(frozen=True, slots=True)
class Suspects:
    """What may be wrong, kept as keys: the problems themselves are told only when somebody asks."""

    files: HashTrieSet[str]
    unreadable: HashTrieSet[str]
    names: HashTrieSet[Key]
    ids: HashTrieSet[RowId]
    missing: HashTrieSet[Key]


NO_SUSPECTS = Suspects(HashTrieSet(), HashTrieSet(), HashTrieSet(), HashTrieSet(), HashTrieSet())


@dataclass(frozen=True, slots=True)
class Tree:
    """The declarations of a tree: by file, by name, by id, and by what they refer to."""

    kinds: Kinds
    files: Overlay[str, FileEntry]
    names: Overlay[Key, tuple[Place, ...]]
    ids: Overlay[RowId, tuple[Resource, ...]]
    referrers: Overlay[Key, Referrers]
    suspects: Suspects = NO_SUSPECTS

    def targets(self, resource: Resource) -> Iterator[Key]:
        """The keys a resource refers to."""
        kind = self.kinds.by_name.get(resource.kind)
        for reference in kind.references if kind else ():
            for name in resource.refs.get(reference.role, ()):
                yield Key(reference.kind, name)


def plant(base: Base, kinds: Kinds) -> Tree:
    """The tree of a valid state that a base holds."""

    def named(key: Key) -> tuple[Place, ...]:
        return tuple(Place(found.path, found.line) for found in base.named(key))

    def identified(row_id: RowId) -> tuple[Resource, ...]:
        row = base.row(row_id)
        return (row.resource,) if row is not None and row.removed is None else ()

    def referring(key: Key) -> Referrers:
        return HashTrieMap({Place(found.path, found.line): found for found in base.referring(key)})

    return Tree(
        kinds=kinds,
        files=Overlay(lambda path: FileEntry(resources=base.in_file(path))),
        names=Overlay(named),
        ids=Overlay(identified),
        referrers=Overlay(referring),
    )


@dataclass(frozen=True, slots=True)
class Growth:
    """A tree after some files changed, and the ids that were or are declared in those files."""

    tree: Tree
    touched: frozenset[RowId]


def advance(tree: Tree, kinds: Kinds, entries: Mapping[str, FileEntry]) -> Growth:
    """The tree with other contents in some files; `NOTHING` for a file that is gone.

    When `kinds` differs from the tree's, `entries` has to hold every file that declares one of the changed kinds.
    """
    old = {path: tree.files[path] for path in entries}
    grown = replace(tree, kinds=kinds)
    names, ids, referrers = tree.names.draft(), tree.ids.draft(), tree.referrers.draft()
    touched, keys, targets = set[RowId](), set[Key](), set[Key]()
    for path, entry in old.items():
        for key, place in _places(path, entry):
            keys.add(key)
            names[key] = tuple(other for other in names[key] if other != place)
        for one in entry.resources:
            touched.add(one.row_id)
            ids[one.row_id] = tuple(other for other in ids[one.row_id] if _place(other) != _place(one))
            for target in tree.targets(one):
                targets.add(target)
                referrers[target] = referrers[target].discard(_place(one))
    for path, entry in entries.items():
        for key, place in _places(path, entry):
            keys.add(key)
            names[key] = tuple(sorted((*names[key], place)))
        for one in entry.resources:
            touched.add(one.row_id)
            ids[one.row_id] = tuple(sorted((*ids[one.row_id], one), key=_place))
            for target in grown.targets(one):
                targets.add(target)
                referrers[target] = referrers[target].insert(_place(one), one)
    grown = replace(
        grown,
        files=tree.files.updated(dict(entries)),
        names=names.settle(),
        ids=ids.settle(),
        referrers=referrers.settle(),
    )
    return Growth(replace(grown, suspects=_suspects(grown, entries, keys, touched, keys | targets)), frozenset(touched))


def _place(resource: Resource) -> Place:
    return Place(resource.path, resource.line)


def _places(path: str, entry: FileEntry) -> Iterator[tuple[Key, Place]]:
    for one in entry.resources:
        yield one.key, _place(one)
    for known in entry.identified:
        yield known.key, Place(path, known.line)


def _suspects(
    tree: Tree,
    entries: Mapping[str, FileEntry],
    keys: Iterable[Key],
    ids: Iterable[RowId],
    targets: Iterable[Key],
) -> Suspects:
    was = tree.suspects
    return Suspects(
        files=_members(was.files, {path: bool(entry.problems) for path, entry in entries.items()}),
        unreadable=_members(was.unreadable, {path: entry.unreadable for path, entry in entries.items()}),
        names=_members(was.names, {key: len(tree.names[key]) > 1 for key in keys}),
        ids=_members(was.ids, {one: len(tree.ids[one]) > 1 for one in ids}),
        missing=_members(was.missing, {key: not tree.names[key] and len(tree.referrers[key]) > 0 for key in targets}),
    )


def _members(members: HashTrieSet[T], now: Mapping[T, bool]) -> HashTrieSet[T]:
    came = [one for one, is_member in now.items() if is_member and one not in members]
    for one in [one for one, is_member in now.items() if not is_member and one in members]:
        members = members.discard(one)
    return members.update(came) if came else members
