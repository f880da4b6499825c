"""The snapshot at a commit: what its tree declares, and what its first-parent history made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.snapshot import crosscheck, lineage, tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Prune, Stamp
    from reconciler.model.commit import RowChange
    from reconciler.model.problem import Problem
    from reconciler.model.resource import FileEntry, RowId
    from reconciler.ports import Base


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All there is to know at one commit.

    `tree` is the commit's own, valid or not. `lineage` is that of the last valid commit up to it; `pending` are the ids
    that were touched since then. `kinds` are those of the last valid commit, `prune` is the mode it left in force.
    """

    tree: tree.Tree
    lineage: lineage.Lineage
    kinds: Kinds
    prune: Prune
    pending: frozenset[RowId] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A snapshot after one more commit: its problems, and what it did to rows (nothing, unless it is valid)."""

    snapshot: Snapshot
    problems: tuple[Problem, ...]
    rows: tuple[RowChange, ...]

    @property
    def valid(self) -> bool:
        """Whether the whole tree is."""
        return not any(problem.is_error for problem in self.problems)


def start(base: Base, kinds: Kinds, digest: str, prune: Prune) -> Snapshot:
    """The snapshot of a valid state that a base holds; `prune` is the mode in force there."""
    return Snapshot(tree.plant(base, kinds), lineage.begin(base, digest), kinds, prune)


def advance(
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
    growth = tree.advance(snapshot.tree, kinds, entries)
    pending = snapshot.pending | growth.touched
    found = tuple(sorted((*problems, *crosscheck.problems(growth.tree))))
    waiting = replace(snapshot, tree=growth.tree, pending=pending)
    if any(problem.is_error for problem in found):
        return Outcome(waiting, found, ())
    grown, rows = lineage.evolve(snapshot.lineage, growth.tree, pending, stamp, snapshot.prune.milder(prune))
    return Outcome(Snapshot(growth.tree, grown, kinds, prune), found, rows)
