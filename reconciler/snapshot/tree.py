"""What the files of one tree declare, with the indexes that find what is wrong between files.

Two trees with the same files are equal in all they say, whichever way they were reached: this knows no history. Trees
are persistent maps over a look-up: every commit has one, and they share all they have in common, so a commit costs what
it changed.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from msgspec import Struct
from rpds import HashTrieMap, HashTrieSet

from reconciler.model.change import FileEntry, Key, Resource, RowId
from reconciler.model.problem import NOT_LOCATED, Problem
from reconciler.slices import in_order, slices
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.ports import Base


MISSING: Final[Any] = object()

K = TypeVar("K")
V = TypeVar("V")


class Overlay(Generic[K, V]):
    """An immutable map. `below` answers for every key that was never set, and must always answer the same."""

    __slots__ = ("_below", "_changes")

    def __init__(self, below: Callable[[K], V], changes: HashTrieMap[K, V] | None = None) -> None:
        self._below = below
        self._changes: HashTrieMap[K, V] = HashTrieMap() if changes is None else changes

    def __getitem__(self, key: K) -> V:
        value = self._changes.get(key, MISSING)  # no try: most keys of a first commit are not there
        return self._below(key) if value is MISSING else value

    def changes(self) -> Iterator[tuple[K, V]]:
        """All keys ever set, in no particular order."""
        return iter(self._changes.items())

    def draft(self) -> Draft[K, V]:
        """A copy to write to; this map does not change."""
        return Draft(self)

    def with_changes(self, changes: dict[K, V]) -> Overlay[K, V]:
        """The map with these keys changed."""
        merged = self._changes
        for chunk in slices(changes.items()):
            merged = merged.update(dict(chunk))
        return Overlay(self._below, merged) if changes else self


class Draft(Generic[K, V]):
    """Changes to an overlay, not yet part of it."""

    __slots__ = ("_over", "_written")

    def __init__(self, over: Overlay[K, V]) -> None:
        self._over = over
        self._written: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        return self._written[key] if key in self._written else self._over[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._written[key] = value

    def apply(self) -> Overlay[K, V]:
        """The overlay with all changes."""
        return self._over.with_changes(self._written)


T = TypeVar("T")

NO_ENTRY = FileEntry()


class Location(NamedTuple):
    """Where a document is."""

    path: str
    line: int


Referrers: TypeAlias = "HashTrieMap[Location, Resource]"


class Candidates(Struct, frozen=True):
    """What may be wrong, kept as keys: the problems themselves are made on demand."""

    files: HashTrieSet[str]
    unreadable: HashTrieSet[str]
    names: HashTrieSet[Key]
    ids: HashTrieSet[RowId]
    missing: HashTrieSet[Key]


NO_CANDIDATES = Candidates(HashTrieSet(), HashTrieSet(), HashTrieSet(), HashTrieSet(), HashTrieSet())


class Tree(Struct, frozen=True):
    """The declarations of a tree: by file, by name, by id, and by what they refer to."""

    kinds: Kinds
    files: Overlay[str, FileEntry]
    names: Overlay[Key, tuple[Location, ...]]
    ids: Overlay[RowId, tuple[Resource, ...]]
    referrers: Overlay[Key, Referrers]
    candidates: Candidates = NO_CANDIDATES

    def targets(self, resource: Resource) -> Iterator[Key]:
        """The keys a resource refers to."""
        kind = self.kinds.by_name.get(resource.kind)
        for reference in kind.references if kind else ():
            for name in resource.refs.get(reference.role, ()):
                yield Key(reference.kind, name)


def load_base_tree(base: Base, kinds: Kinds) -> Tree:
    """The tree of a valid state that a base holds."""

    def locations_of(key: Key) -> tuple[Location, ...]:
        return tuple(Location(resource.path, resource.line) for resource in base.by_name(key))

    def resources_of(row_id: RowId) -> tuple[Resource, ...]:
        row = base.row(row_id)
        return (row.resource,) if row is not None and row.removed is None else ()

    def referrers_of(key: Key) -> Referrers:
        return HashTrieMap({Location(resource.path, resource.line): resource for resource in base.referrers_of(key)})

    return Tree(
        kinds=kinds,
        files=Overlay(lambda path: FileEntry(resources=base.declared_in(path))),
        names=Overlay(locations_of),
        ids=Overlay(resources_of),
        referrers=Overlay(referrers_of),
    )


class TreeUpdate(Struct, frozen=True):
    """A tree after some files changed, and the ids that were or are declared in those files."""

    tree: Tree
    touched: frozenset[RowId]


def update_tree(tree: Tree, kinds: Kinds, entries: Mapping[str, FileEntry]) -> TreeUpdate:
    """The tree with other contents in some files; `NO_ENTRY` for a file that is gone.

    When `kinds` differs from the tree's, `entries` has to hold every file that declares one of the changed kinds.
    """
    old = {path: tree.files[path] for path in entries}
    updated = replace(tree, kinds=kinds)
    names, ids, referrers = tree.names.draft(), tree.ids.draft(), tree.referrers.draft()
    targets = set[Key]()
    old_names, new_names = _group_names(old), _group_names(entries)
    old_ids, new_ids = _group_resources(old), _group_resources(entries)
    for key in {*old_names, *new_names}:
        gone = set(old_names.get(key, ()))
        kept = [location for location in names[key] if location not in gone]
        names[key] = tuple(in_order((*kept, *new_names.get(key, ()))))
    for row_id in {*old_ids, *new_ids}:
        gone = {_location_of(resource) for resource in old_ids.get(row_id, ())}
        same = [resource for resource in ids[row_id] if _location_of(resource) not in gone]
        ids[row_id] = tuple(in_order((*same, *new_ids.get(row_id, ())), key=_location_of))
    for resource in (resource for entry in old.values() for resource in entry.resources):
        for target in tree.targets(resource):
            targets.add(target)
            referrers[target] = referrers[target].discard(_location_of(resource))
    for resource in (resource for entry in entries.values() for resource in entry.resources):
        for target in updated.targets(resource):
            targets.add(target)
            referrers[target] = referrers[target].insert(_location_of(resource), resource)
    keys, touched = {*old_names, *new_names}, {*old_ids, *new_ids}
    updated = replace(
        updated,
        files=tree.files.with_changes(dict(entries)),
        names=names.apply(),
        ids=ids.apply(),
        referrers=referrers.apply(),
    )
    return TreeUpdate(
        replace(updated, candidates=_update_candidates(updated, entries, keys, touched, keys | targets)),
        frozenset(touched),
    )


def _location_of(resource: Resource) -> Location:
    return Location(resource.path, resource.line)


def _group_names(entries: Mapping[str, FileEntry]) -> Mapping[Key, list[Location]]:
    """Where the files declare each name."""
    names: defaultdict[Key, list[Location]] = defaultdict(list)
    for path, entry in entries.items():
        for resource in entry.resources:
            names[resource.key].append(_location_of(resource))
        for document in entry.identified:
            names[document.key].append(Location(path, document.line))
    return names


def _group_resources(entries: Mapping[str, FileEntry]) -> Mapping[RowId, list[Resource]]:
    """What the files declare with each id."""
    ids: defaultdict[RowId, list[Resource]] = defaultdict(list)
    for entry in entries.values():
        for resource in entry.resources:
            ids[resource.row_id].append(resource)
    return ids


def _update_candidates(
    tree: Tree,
    entries: Mapping[str, FileEntry],
    keys: Iterable[Key],
    ids: Iterable[RowId],
    targets: Iterable[Key],
) -> Candidates:
    old = tree.candidates
    return Candidates(
        files=_update_members(old.files, {path: bool(entry.problems) for path, entry in entries.items()}),
        unreadable=_update_members(old.unreadable, {path: entry.unreadable for path, entry in entries.items()}),
        names=_update_members(old.names, {key: len(tree.names[key]) > 1 for key in keys}),
        ids=_update_members(old.ids, {row_id: len(tree.ids[row_id]) > 1 for row_id in ids}),
        missing=_update_members(
            old.missing, {key: not tree.names[key] and len(tree.referrers[key]) > 0 for key in targets}
        ),
    )


def _update_members(members: HashTrieSet[T], now: Mapping[T, bool]) -> HashTrieSet[T]:
    added = [member for member, is_member in now.items() if is_member and member not in members]
    for member in [member for member, is_member in now.items() if not is_member and member in members]:
        members = members.discard(member)
    return members.update(added) if added else members


MAX_NAMED = 3
"""Locations that a message names."""


def find_tree_problems(tree: Tree) -> tuple[Problem, ...]:
    """All problems of a tree in order of path, line and column.

    A problem between files has the line of its document, and `NOT_LOCATED` for a column. Dangling references are
    withheld while some file cannot be read: what they refer to may be in there.
    """
    problems = [problem for path in sorted(tree.candidates.files) for problem in tree.files[path].problems]
    for key in tree.candidates.names:
        problems.extend(_find_duplicate_name(tree, key))
    for row_id in tree.candidates.ids:
        problems.extend(_find_duplicate_id(tree, row_id))
    if not tree.candidates.unreadable:
        for key in tree.candidates.missing:
            problems.extend(_find_dangling(tree, key))
    return tuple(sorted(problems))


def _find_duplicate_name(tree: Tree, key: Key) -> Iterator[Problem]:
    locations = tree.names[key]
    for location in locations:
        yield Problem(
            path=location.path,
            line=location.line,
            column=NOT_LOCATED,
            code="duplicate-name",
            pointer="/metadata/name",
            message=f"{key.kind} {key.name} is declared more than once: also in {_list_others(locations, location)}",
            hint="give one of them another name, or delete one",
        )


def _find_duplicate_id(tree: Tree, row_id: RowId) -> Iterator[Problem]:
    field = tree.kinds.by_name[row_id.kind].key
    resources = {Location(resource.path, resource.line): resource for resource in tree.ids[row_id]}
    for location, resource in resources.items():
        yield Problem(
            path=resource.path,
            line=resource.line,
            column=NOT_LOCATED,
            code="duplicate-id",
            pointer=f"/spec/{field}",
            message=f"{field} {row_id.id} is declared more than once: also in {_list_others(resources, location)}",
            hint=f"leave {field} out to get one made from the name, or write a fresh UUID",
        )


def _list_others(locations: Collection[Location], location: Location) -> str:
    """A few of the other locations: of a hundred thousand not all are looked at for each."""
    others = (other for other in locations if other != location)
    named = [f"{other.path}:{other.line}" for other in islice(others, MAX_NAMED)]
    left = len(locations) - 1 - len(named)
    return ", ".join(named) + (f" and {left:,} more" if left else "")


def _find_dangling(tree: Tree, key: Key) -> Iterator[Problem]:
    for resource in tree.referrers[key].values():
        for reference in tree.kinds.by_name[resource.kind].references:
            names = resource.refs.get(reference.role, ())
            if reference.kind != key.kind or key.name not in names:
                continue
            index = f"/{names.index(key.name)}" if reference.many else ""
            yield Problem(
                path=resource.path,
                line=resource.line,
                column=NOT_LOCATED,
                code="dangling-reference",
                pointer=f"/metadata/refs/{reference.role}{index}",
                message=f"{resource.kind} {resource.name} refers to {key.kind} {key.name}, which does not exist",
                hint=_dangling_hint(tree, key),
            )


def _dangling_hint(tree: Tree, key: Key) -> str:
    if key.kind not in tree.kinds.by_name:
        return f"there is no kind {key.kind}: add its schema to the schemas folder"
    return f"declare {key.kind} {key.name}, or name one that exists"
