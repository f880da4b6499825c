"""One step along a history: from the position at one commit to the position at another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.reconcile.read import Reader, locate
from reconciler.reconcile.rules import RuleReader, Rules, migration_problems
from reconciler.snapshot import snapshot as snapshots
from reconciler.snapshot.base import EmptyBase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row, Stamp
    from reconciler.model.commit import FileChange
    from reconciler.model.problem import Problem
    from reconciler.model.resource import FileEntry, RowId
    from reconciler.ports import Base, Source
    from reconciler.reconcile.rules import Shipped
    from reconciler.snapshot.snapshot import Outcome, Snapshot


@dataclass(frozen=True, slots=True)
class Position:
    """Where a walk along a history is.

    `base` is the state that the walk began with, `height` the number of commits on the first-parent chain so far,
    `rules` are those of the tree.
    """

    snapshot: Snapshot
    base: Base
    height: int
    rules: Rules

    def changed(self) -> dict[RowId, Row]:
        """The rows that differ from those of the base."""
        return {row_id: row for row_id, row in self.snapshot.lineage.rows.changes() if row is not None}

    def rows(self) -> Iterator[Row]:
        """All rows of the last valid commit so far, tombstones too, in no particular order."""
        changed = self.changed()
        for row in self.base.rows():
            yield changed.pop(row.row_id, row)
        yield from changed.values()


class Stepper:
    """Takes steps in one repository, from `folder` on, remembering what it read lately."""

    def __init__(self, source: Source, folder: str, shipped: Shipped) -> None:
        self.rules = RuleReader(source, folder, shipped)
        self._source = source
        self._shipped = shipped
        self._reader = Reader(shipped.kinds)

    def nothing(self) -> Position:
        """The position before any commit."""
        base, rules = EmptyBase(), self.rules.none()
        start = snapshots.start(base, self._shipped.kinds, canonical.EMPTY_SET, rules.spec.prune.mode)
        return Position(start, base, 0, rules)

    def at(self, commit: str, base: Base, digest: str, height: int) -> Position:
        """The position at a valid commit, whose state the base holds."""
        rules = self.rules.at(commit)
        kinds, _ = self.rules.kinds(rules)
        return Position(snapshots.start(base, kinds, digest, rules.spec.prune.mode), base, height, rules)

    def step(self, at: Position, stamp: Stamp, changes: Collection[FileChange]) -> tuple[Position, Outcome]:
        """From a commit to one whose first parent it is."""
        rules = self.rules.after(at.rules, stamp.commit, changes)
        kinds, problems = self._successors(at, rules)
        if kinds.changed_from(at.snapshot.kinds):
            problems = (*problems, *migration_problems(at.snapshot.kinds, kinds))
        return self._move(at, stamp, changes, replace(at, rules=rules, height=at.height + 1), kinds, problems)

    def jump(
        self, at: Position, stamp: Stamp, changes: Collection[FileChange], height: int
    ) -> tuple[Position, Outcome]:
        """From a commit to any other. Rows are attributed to that other commit: good for counting, not for keeping."""
        rules = self.rules.after(at.rules, stamp.commit, changes)
        return self._move(at, stamp, changes, replace(at, rules=rules, height=height), *self._successors(at, rules))

    def read(self, kinds: Kinds, files: Iterable[FileChange]) -> dict[str, FileEntry]:
        """What files declare, judged by some kinds."""
        if kinds.digest != self._reader.kinds.digest:
            self._reader = Reader(kinds)
        return self._reader.entries(files, self._source.blobs)

    def _successors(self, at: Position, rules: Rules) -> tuple[Kinds, tuple[Problem, ...]]:
        kinds, problems = self.rules.kinds(rules)
        # While a schema cannot be read, documents are judged by the one before.
        return (at.snapshot.tree.kinds, (*rules.problems, *problems)) if problems else (kinds, rules.problems)

    def _move(
        self,
        at: Position,
        stamp: Stamp,
        changes: Iterable[FileChange],
        target: Position,
        kinds: Kinds,
        problems: tuple[Problem, ...],
    ) -> tuple[Position, Outcome]:
        files = self.rules.counting(at.rules, target.rules, stamp.commit, changes)
        if kinds.changed_from(at.snapshot.tree.kinds):
            files = {one.path: one for one in self._to_reread(at, stamp.commit, kinds) if one.path not in files} | files
        entries = self.read(kinds, files.values())
        mode = target.rules.spec.prune.mode
        outcome = snapshots.advance(at.snapshot, stamp, kinds, entries, mode, problems)
        located = locate(outcome.problems, lambda paths: self.rules.contents(stamp.commit, paths))
        return replace(target, snapshot=outcome.snapshot), replace(outcome, problems=located)

    def _to_reread(self, at: Position, commit: str, kinds: Kinds) -> tuple[FileChange, ...]:
        """The files to judge again: those that declare a kind whose schema changed, and those with problems."""
        tree = at.snapshot.tree
        names = kinds.changed_from(tree.kinds)
        paths = set(at.base.paths(names))
        for path, entry in tree.files.changes():
            if entry.problems or any(one.kind in names for one in entry.resources):
                paths.add(path)
        return self._source.files(commit, paths)
