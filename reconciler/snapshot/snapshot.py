"""The snapshot at a commit: what its tree declares, and what its first-parent history made of it.

The lineage is a function of the first-parent history alone. Rows, their time stamps and the tombstones of what left git
come out the same whether a host saw each commit as it came, slept for a week, or starts from nothing. The state below
the first snapshot is empty, or what a store holds, loaded into memory.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from reconciler import canonical
from reconciler.model.change import Change, Key, Op, Removal, Row
from reconciler.model.commit import RowChange
from reconciler.slices import in_order
from reconciler.snapshot import tree
from reconciler.snapshot.tree import Overlay, find_tree_problems
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import FileEntry, Prune, Resource, RowId, Stamp
    from reconciler.model.problem import Problem
    from reconciler.ports import Base
    from reconciler.snapshot.tree import Tree

T = TypeVar("T")


class EmptyBase:
    """The state before the first commit. Implements the port `Base`."""

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        return ()

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        return ()

    def row(self, row_id: RowId) -> Row | None:
        return None

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        return ()

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        return ()

    def count(self, kind: str) -> int:
        return 0

    def rows(self) -> Iterator[Row]:
        return iter(())


class LoadedBase:
    """A valid state in memory, for when so much changes that looking it up piece by piece takes longer."""

    def __init__(self, rows: Iterable[Row], kinds: Kinds) -> None:
        self.kinds = kinds
        self._rows = {row.row_id: row for row in rows}
        self._files: defaultdict[str, list[Resource]] = defaultdict(list)
        self._names: dict[Key, Resource] = {}
        self._referring: defaultdict[Key, list[Resource]] = defaultdict(list)
        for resource in _declared(self._rows.values()):
            self._add(resource)

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: Collection[Row]) -> None:
        """Become the next state, by the rows that differ."""
        for resource in _declared(self._rows[row.row_id] for row in rows if row.row_id in self._rows):
            self._remove(resource)
        self._rows.update((row.row_id, row) for row in rows)
        for resource in _declared(rows):
            self._add(resource)

    def _add(self, resource: Resource) -> None:
        self._files[resource.path].append(resource)
        self._names[resource.key] = resource
        for key in self._references(resource):
            self._referring[key].append(resource)

    def _remove(self, resource: Resource) -> None:
        _drop(self._files, resource.path, resource)
        del self._names[resource.key]
        for key in self._references(resource):
            _drop(self._referring, key, resource)

    def _references(self, resource: Resource) -> Iterator[Key]:
        kind = self.kinds.by_name.get(resource.kind)
        for reference in kind.references if kind else ():
            for name in resource.refs.get(reference.role, ()):
                yield Key(reference.kind, name)

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        return tuple(sorted(self._files.get(path, ()), key=lambda resource: (resource.line, resource.key)))

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        return (self._names[key],) if key in self._names else ()

    def row(self, row_id: RowId) -> Row | None:
        return self._rows.get(row_id)

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        return tuple(sorted(self._referring.get(key, ()), key=lambda resource: resource.key))

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        return tuple(
            sorted(
                path for path, resources in self._files.items() if any(resource.kind in kinds for resource in resources)
            )
        )

    def count(self, kind: str) -> int:
        return sum(key.kind == kind for key in self._names)

    def rows(self) -> Iterator[Row]:
        return iter(self._rows.values())


def _declared(rows: Iterable[Row]) -> Iterator[Resource]:
    return (row.resource for row in rows if row.removed is None)


def _drop(lists: dict[T, list[Resource]], key: T, resource: Resource) -> None:
    left = [one for one in lists.pop(key, ()) if one.row_id != resource.row_id]
    if left:
        lists[key] = left


def change_between(old: Row | None, new: Row) -> Change | None:
    """What happened to the resource of a row; None when its content is the same.

    A tombstone that comes back is a create: what counts is what git declared before.
    """
    old_resource = None if old is None or old.removed is not None else old.resource
    new_resource = None if new.removed is not None else new.resource
    if old_resource is None and new_resource is not None:
        return Change(Op.CREATE, None, new_resource)
    if old_resource is not None and new_resource is None:
        assert new.removed is not None
        return Change(Op.DELETE, old_resource, None, new.removed.prune)
    if old_resource is not None and new_resource is not None and old_resource.digest != new_resource.digest:
        return Change(Op.UPDATE, old_resource, new_resource)
    return None


class Lineage(Struct, frozen=True):
    """Rows by id, tombstones included, and the digest of all that is declared (tombstones not included)."""

    rows: Overlay[RowId, Row | None]
    digest: str = canonical.EMPTY_SET


def begin_lineage(base: Base, digest: str) -> Lineage:
    """The lineage of a valid state that a base holds."""
    return Lineage(Overlay(base.row), digest)


def advance_lineage(
    lineage: Lineage, tree: Tree, touched: Collection[RowId], stamp: Stamp, prune: Prune
) -> tuple[Lineage, tuple[RowChange, ...]]:
    """The lineage after a valid commit whose tree is given, and what the commit did to the rows it touched.

    `prune` is what becomes of the rows of what it removes.
    """
    rows = lineage.rows.draft()
    changes: list[RowChange] = []
    for row_id in in_order(touched):
        old = lineage.rows[row_id]
        declared = tree.ids[row_id]
        new = _next_row(old, declared[0] if declared else None, stamp, prune)
        if new is None or new == old:
            continue
        rows[row_id] = new
        change = change_between(old, new)
        if change is not None:
            changes.append(RowChange(change, new))
    return Lineage(rows.apply(), _digest(lineage.digest, changes)), tuple(changes)


def _next_row(old: Row | None, declared: Resource | None, stamp: Stamp, prune: Prune) -> Row | None:
    if declared is None:
        gone = old is None or old.removed is not None
        if gone or old is None:
            return old
        return Row(old.resource, old.created, old.updated, Removal(stamp.commit, stamp.time, prune))
    if old is None:
        return Row(declared, created=stamp, updated=stamp)
    same = old.removed is None and old.resource.digest == declared.digest
    return Row(declared, old.created, updated=old.updated if same else stamp)


def _digest(start: str, row_changes: list[RowChange]) -> str:
    changes = [step.change for step in row_changes]
    return canonical.add_digests(
        start,
        added=[change.new.digest for change in changes if change.new is not None and change.op is not Op.DELETE],
        removed=[change.old.digest for change in changes if change.old is not None],
    )


class Snapshot(Struct, frozen=True):
    """All there is to know at one commit.

    `tree` is the commit's own, valid or not. `lineage` is that of the last valid commit up to it; `pending` are the ids
    that were touched since then. `kinds` are those of the last valid commit, `prune` is the mode it left in force.
    """

    tree: tree.Tree
    lineage: Lineage
    kinds: Kinds
    prune: Prune
    pending: frozenset[RowId] = frozenset()


class Outcome(Struct, frozen=True):
    """A snapshot after one more commit: its problems, and what it did to rows (nothing, unless it is valid)."""

    snapshot: Snapshot
    problems: tuple[Problem, ...]
    rows: tuple[RowChange, ...]

    @property
    def valid(self) -> bool:
        """Whether the whole tree is valid."""
        return not any(problem.is_error for problem in self.problems)


def start_snapshot(base: Base, kinds: Kinds, digest: str, prune: Prune) -> Snapshot:
    """The snapshot of a valid state that a base holds; `prune` is the mode in force there."""
    return Snapshot(tree.load_base_tree(base, kinds), begin_lineage(base, digest), kinds, prune)


def state_of_rows(rows: Iterable[Row], kinds: Kinds, digest: str, prune: Prune) -> Snapshot:
    """The snapshot of a valid state whose rows are told, over nothing. Its tree is empty: it serves for no walk."""
    empty = start_snapshot(EmptyBase(), kinds, digest, prune)
    overlay = empty.lineage.rows.draft()
    for row in rows:
        overlay[row.row_id] = row
    return replace(empty, lineage=Lineage(overlay.apply(), digest))


def advance_snapshot(
    snapshot: Snapshot,
    stamp: Stamp,
    kinds: Kinds,
    entries: Mapping[str, FileEntry],
    prune: Prune,
    problems: tuple[Problem, ...] = (),
) -> Outcome:
    """The snapshot one commit further; `stamp` is that commit. `problems` are those of kinds and settings.

    An invalid commit changes no row: what it touched waits for the next valid one. A commit cannot both choose a harder
    prune mode and use it: what it removes meets the milder of its own and that before it.
    """
    update = tree.update_tree(snapshot.tree, kinds, entries)
    pending = snapshot.pending | update.touched if snapshot.pending else update.touched
    found = find_tree_problems(update.tree)
    all_problems = tuple(sorted((*problems, *found))) if problems else found  # already in order: there may be thousands
    waiting = replace(snapshot, tree=update.tree, pending=pending)
    if any(problem.is_error for problem in all_problems):
        return Outcome(waiting, all_problems, ())
    new_lineage, rows = advance_lineage(snapshot.lineage, update.tree, pending, stamp, snapshot.prune.milder(prune))
    return Outcome(Snapshot(update.tree, new_lineage, kinds, prune), all_problems, rows)
