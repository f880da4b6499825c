"""What the files of one tree declare, with the indexes that find what is wrong between files.

Two trees with the same files are equal in all they say, whichever way they were reached: this knows no history. Trees
are persistent maps over a look-up: every commit has one, and they share all they have in common, so a commit costs what
it changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from rpds import HashTrieMap, HashTrieSet

from reconciler.model.problem import NOT_LOCATED, Problem
from reconciler.model.resource import FileEntry, Key, Resource, RowId
from reconciler.slices import slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

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
        found = self._changes.get(key, MISSING)  # no try: most keys of a first commit are not there
        return self._below(key) if found is MISSING else found

    def changes(self) -> Iterator[tuple[K, V]]:
        """All that was ever set, in no particular order."""
        return iter(self._changes.items())

    def draft(self) -> Draft[K, V]:
        """A copy to write in; this map stays as it is."""
        return Draft(self)

    def updated(self, changes: dict[K, V]) -> Overlay[K, V]:
        """The map with other values for some keys."""
        now = self._changes
        for some in slices(changes.items()):
            now = now.update(dict(some))
        return Overlay(self._below, now) if changes else self


class Draft(Generic[K, V]):
    """Changes to an overlay that are not settled yet."""

    __slots__ = ("_over", "_written")

    def __init__(self, over: Overlay[K, V]) -> None:
        self._over = over
        self._written: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        return self._written[key] if key in self._written else self._over[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._written[key] = value

    def settle(self) -> Overlay[K, V]:
        """The overlay with all that was written here."""
        return self._over.updated(self._written)


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
        return tuple(Place(found.path, found.line) for found in base.by_name(key))

    def identified(row_id: RowId) -> tuple[Resource, ...]:
        row = base.row(row_id)
        return (row.resource,) if row is not None and row.removed is None else ()

    def referring(key: Key) -> Referrers:
        return HashTrieMap({Place(found.path, found.line): found for found in base.referrers_of(key)})

    return Tree(
        kinds=kinds,
        files=Overlay(lambda path: FileEntry(resources=base.declared_in(path))),
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


NAMED = 3
"""Places that a message names."""


def tree_problems(tree: Tree) -> tuple[Problem, ...]:
    """All problems of a tree in order of path, line and column.

    What stands between files carries the line of its document, and `NOT_LOCATED` for a column. References into
    nothing are withheld while some file cannot be read: what they refer to may well be in there.
    """
    found = [problem for path in tree.suspects.files for problem in tree.files[path].problems]
    for key in tree.suspects.names:
        found.extend(_duplicate_name(tree, key))
    for row_id in tree.suspects.ids:
        found.extend(_duplicate_id(tree, row_id))
    if not tree.suspects.unreadable:
        for key in tree.suspects.missing:
            found.extend(_dangling(tree, key))
    return tuple(sorted(found))


def _duplicate_name(tree: Tree, key: Key) -> Iterator[Problem]:
    places = tree.names[key]
    for place in places:
        yield Problem(
            path=place.path,
            line=place.line,
            column=NOT_LOCATED,
            code="duplicate-name",
            pointer="/metadata/name",
            message=f"{key.kind} {key.name} is declared more than once: also in {_others(places, place)}",
            hint="give one of them another name, or delete one",
        )


def _duplicate_id(tree: Tree, row_id: RowId) -> Iterator[Problem]:
    field = tree.kinds.by_name[row_id.kind].key
    resources = {Place(one.path, one.line): one for one in tree.ids[row_id]}
    for place, one in resources.items():
        yield Problem(
            path=one.path,
            line=one.line,
            column=NOT_LOCATED,
            code="duplicate-id",
            pointer=f"/spec/{field}",
            message=f"{field} {row_id.id} is declared more than once: also in {_others(resources, place)}",
            hint=f"leave {field} out to get one made from the name, or write a fresh UUID",
        )


def _others(places: Iterable[Place], place: Place) -> str:
    others = [f"{other.path}:{other.line}" for other in places if other != place]
    more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
    return ", ".join(others[:NAMED]) + more


def _dangling(tree: Tree, key: Key) -> Iterator[Problem]:
    for one in tree.referrers[key].values():
        for reference in tree.kinds.by_name[one.kind].references:
            names = one.refs.get(reference.role, ())
            if reference.kind != key.kind or key.name not in names:
                continue
            at = f"/{names.index(key.name)}" if reference.many else ""
            yield Problem(
                path=one.path,
                line=one.line,
                column=NOT_LOCATED,
                code="dangling-reference",
                pointer=f"/metadata/refs/{reference.role}{at}",
                message=f"{one.kind} {one.name} refers to {key.kind} {key.name}, which does not exist",
                hint=_dangling_hint(tree, key),
            )


def _dangling_hint(tree: Tree, key: Key) -> str:
    if key.kind not in tree.kinds.by_name:
        return f"there is no kind {key.kind}: add its schema to the schemas folder"
    return f"declare {key.kind} {key.name}, or name one that exists"
