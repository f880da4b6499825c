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
from reconciler.slices import SLICE, in_order, slices
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.ports import Base


MISSING: Final[Any] = object()

K = TypeVar("K")
V = TypeVar("V")


class Overlay(Generic[K, V]):
    """An immutable map. `below` answers for every key that was never set, and must always answer the same.

    What a first commit sets, which may be everything, stays in the dictionary it was written to: a persistent map of it
    takes seconds and three times the memory. Later commits have one above it.
    """

    __slots__ = ("_below", "_changes", "_first")

    def __init__(
        self, below: Callable[[K], V], changes: HashTrieMap[K, V] | None = None, first: Mapping[K, V] | None = None
    ) -> None:
        self._below = below
        self._changes: HashTrieMap[K, V] = HashTrieMap() if changes is None else changes
        self._first: Mapping[K, V] = {} if first is None else first

    def __getitem__(self, key: K) -> V:
        value = self._changes.get(key, MISSING) if self._changes else MISSING
        if value is MISSING:
            value = self._first.get(key, MISSING)
        return self._below(key) if value is MISSING else value

    def changes(self) -> Iterator[tuple[K, V]]:
        """All keys ever set, in no particular order."""
        yield from self._changes.items()
        for key, value in self._first.items():
            if key not in self._changes:
                yield key, value

    def draft(self) -> Draft[K, V]:
        """A copy to write to; this map does not change."""
        return Draft(self)

    def with_changes(self, changes: Mapping[K, V]) -> Overlay[K, V]:
        """The map with these keys changed. `changes` is not to change any more."""
        if len(changes) > SLICE and not self._changes and not self._first:
            return Overlay(self._below, None, changes)
        merged = self._changes
        for chunk in slices(changes.items()):
            merged = merged.update(dict(chunk))
        return Overlay(self._below, merged, self._first) if changes else self


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

    def entry_of(path: str) -> FileEntry:
        resources = base.declared_in(path)
        return FileEntry(resources=resources) if resources else NO_ENTRY

    return Tree(
        kinds=kinds,
        files=Overlay(entry_of),
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
    old = {path: entry for path in entries if (entry := tree.files[path]) is not NO_ENTRY}
    updated = replace(tree, kinds=kinds)
    referrers, targets = tree.referrers.draft(), set[Key]()
    old_names, new_names = _group_names(old), _group_names(entries)
    old_ids, new_ids = _group_resources(old), _group_resources(entries)
    names, ids = dict[Key, tuple[Location, ...]](), dict[RowId, tuple[Resource, ...]]()
    for key in old_names | new_names:
        locations = _without(tree.names[key], old_names.get(key))
        names[key] = _in_order(_join(locations, new_names.get(key, ())))
    for row_id in old_ids | new_ids:
        resources = _without(tree.ids[row_id], old_ids.get(row_id), _location_of)
        ids[row_id] = _in_order(_join(resources, new_ids.get(row_id, ())), _location_of)
    for resource in (resource for entry in old.values() for resource in entry.resources):
        for target in tree.targets(resource):
            targets.add(target)
            referrers[target] = referrers[target].discard(_location_of(resource))
    for resource in (resource for entry in entries.values() for resource in entry.resources):
        for target in updated.targets(resource):
            targets.add(target)
            referrers[target] = referrers[target].insert(_location_of(resource), resource)
    updated = replace(
        updated,
        files=tree.files.with_changes(entries),
        names=tree.names.with_changes(names),
        ids=tree.ids.with_changes(ids),
        referrers=referrers.apply(),
    )
    candidates = _update_candidates(updated, entries, names, ids, targets)
    return TreeUpdate(replace(updated, candidates=candidates), frozenset(ids))


def _in_order(values: tuple[T, ...], key: Callable[[T], Any] | None = None) -> tuple[T, ...]:
    """In a valid tree there is one."""
    return values if len(values) <= 1 else tuple(in_order(values, key))


def _join(values: tuple[T, ...], more: tuple[T, ...]) -> tuple[T, ...]:
    """Both, without a copy where either is all there is: so it is for nearly every key of a large commit."""
    return (*values, *more) if values and more else values or more


def _without(
    values: tuple[T, ...], gone: Collection[T] | None, key: Callable[[T], Any] = lambda value: value
) -> tuple[T, ...]:
    """The values but for those that are gone, by a key."""
    if not gone:
        return values
    keys = {key(value) for value in gone}
    return tuple(value for value in values if key(value) not in keys)


def _location_of(resource: Resource) -> Location:
    return Location(resource.path, resource.line)


def _group_names(entries: Mapping[str, FileEntry]) -> dict[Key, tuple[Location, ...]]:
    """Where the files declare each name."""
    return _group(_declared_names(entries))


def _declared_names(entries: Mapping[str, FileEntry]) -> Iterator[tuple[Key, tuple[Location]]]:
    for path, entry in entries.items():
        for resource in entry.resources:
            yield resource.key, (_location_of(resource),)
        for document in entry.identified:
            yield document.key, (Location(path, document.line),)


def _group_resources(entries: Mapping[str, FileEntry]) -> dict[RowId, tuple[Resource, ...]]:
    """What the files declare with each id."""
    return _group(_declared_ids(entries))


def _declared_ids(entries: Mapping[str, FileEntry]) -> Iterator[tuple[RowId, tuple[Resource]]]:
    for entry in entries.values():
        if len(entry.resources) == 1:  # nearly always, and then no other tuple of it is kept
            yield entry.resources[0].row_id, entry.resources
        else:
            yield from ((resource.row_id, (resource,)) for resource in entry.resources)


def _group(pairs: Iterable[tuple[K, tuple[T]]]) -> dict[K, tuple[T, ...]]:
    """All values of each key. Hardly any key has two, so that no list is made for each."""
    groups: dict[K, tuple[T, ...]] = {}
    more: defaultdict[K, list[T]] = defaultdict(list)
    for key, alone in pairs:
        if groups.setdefault(key, alone) is not alone:
            more[key].extend(alone)
    for key, values in more.items():
        groups[key] = (*groups[key], *values)
    return groups


def _update_candidates(
    tree: Tree,
    entries: Mapping[str, FileEntry],
    names: Mapping[Key, tuple[Location, ...]],
    ids: Mapping[RowId, tuple[Resource, ...]],
    targets: Collection[Key],
) -> Candidates:
    """`names` and `ids` are those that the entries touched, as they are now, `targets` what the entries refer to."""
    old = tree.candidates
    files = {path for path, entry in entries.items() if entry.problems}
    unreadable = {path for path, entry in entries.items() if entry.unreadable}
    missing = {key for key, locations in names.items() if not locations and len(tree.referrers[key])}
    missing |= {key for key in targets if not tree.names[key] and len(tree.referrers[key])}
    return Candidates(
        files=_update_members(old.files, entries.keys(), files),
        unreadable=_update_members(old.unreadable, entries.keys(), unreadable),
        names=_update_members(old.names, names.keys(), {key for key, places in names.items() if len(places) > 1}),
        ids=_update_members(old.ids, ids.keys(), {row_id for row_id, resources in ids.items() if len(resources) > 1}),
        missing=_update_members(old.missing, names.keys() | targets, missing),
    )


def _update_members(members: HashTrieSet[T], checked: Collection[T], found: Collection[T]) -> HashTrieSet[T]:
    """The members, after some values were checked and those found are members."""
    if members:
        for member in [member for member in checked if member in members and member not in found]:
            members = members.discard(member)
    return members.update(found) if found else members


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
