"""Processing one commit: from the state of the tree at one commit to the state at another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.reconcile.read import FileReader, locate_problems
from reconciler.reconcile.rules import RuleReader, Rules, migration_problems
from reconciler.snapshot import snapshot as snapshots
from reconciler.snapshot.base import EmptyBase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import FileEntry, Row, RowId, Stamp
    from reconciler.model.commit import FileChange
    from reconciler.model.problem import Problem
    from reconciler.ports import Base, Source
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.snapshot.snapshot import Outcome, Snapshot


@dataclass(frozen=True, slots=True)
class TreeState:
    """The state of a repository's tree at a commit.

    `base` is the state that the walk began with, `height` the number of commits on the first-parent chain so far,
    `rules` are those of the tree.
    """

    snapshot: Snapshot
    base: Base
    height: int
    rules: Rules

    def changed_rows(self) -> dict[RowId, Row]:
        """The rows that differ from those of the base."""
        return {row_id: row for row_id, row in self.snapshot.lineage.rows.changes() if row is not None}

    def rows(self) -> Iterator[Row]:
        """All rows of the last valid commit so far, tombstones included, in no particular order."""
        changed = self.changed_rows()
        for row in self.base.rows():
            yield changed.pop(row.row_id, row)
        yield from changed.values()


class CommitProcessor:
    """Processes the commits of one repository, from `folder` on. Caches what it read recently."""

    def __init__(self, source: Source, folder: str, bundled: BundledSchemas) -> None:
        self.rules = RuleReader(source, folder, bundled)
        self._source = source
        self._bundled = bundled
        self._reader = FileReader(bundled.kinds)

    def empty_state(self) -> TreeState:
        """The state before any commit."""
        base, rules = EmptyBase(), self.rules.default_rules()
        snapshot = snapshots.start_snapshot(base, self._bundled.kinds, canonical.EMPTY_SET, rules.spec.prune.mode)
        return TreeState(snapshot, base, 0, rules)

    def load_state(self, commit: str, base: Base, digest: str, height: int) -> TreeState:
        """The state at a valid commit whose rows the base holds."""
        rules = self.rules.read_rules(commit)
        kinds, _ = self.rules.kinds_of(rules)
        return TreeState(snapshots.start_snapshot(base, kinds, digest, rules.spec.prune.mode), base, height, rules)

    def process(self, state: TreeState, stamp: Stamp, changes: Collection[FileChange]) -> tuple[TreeState, Outcome]:
        """Go from the state at a commit to the state at one of its first-parent children."""
        rules = self.rules.update_rules(state.rules, stamp.commit, changes)
        kinds, problems = self._effective_kinds(state, rules)
        if kinds.changed_from(state.snapshot.kinds):
            problems = (*problems, *migration_problems(state.snapshot.kinds, kinds))
        target = replace(state, rules=rules, height=state.height + 1)
        return self._move(state, stamp, changes, target, kinds, problems)

    def switch(
        self, state: TreeState, stamp: Stamp, changes: Collection[FileChange], height: int
    ) -> tuple[TreeState, Outcome]:
        """Go to any other commit. The rows are attributed to that commit, so the result serves for comparing only."""
        rules = self.rules.update_rules(state.rules, stamp.commit, changes)
        target = replace(state, rules=rules, height=height)
        return self._move(state, stamp, changes, target, *self._effective_kinds(state, rules))

    def read_entries(self, kinds: Kinds, files: Iterable[FileChange]) -> dict[str, FileEntry]:
        """What each file declares under some kinds, by path."""
        if kinds.digest != self._reader.kinds.digest:
            self._reader = FileReader(kinds)
        return self._reader.read_changes(files, self._source.blobs)

    def _effective_kinds(self, state: TreeState, rules: Rules) -> tuple[Kinds, tuple[Problem, ...]]:
        kinds, problems = self.rules.kinds_of(rules)
        # While a schema cannot be read, documents are validated against the previous one.
        return (state.snapshot.tree.kinds, (*rules.problems, *problems)) if problems else (kinds, rules.problems)

    def _move(
        self,
        state: TreeState,
        stamp: Stamp,
        changes: Iterable[FileChange],
        target: TreeState,
        kinds: Kinds,
        problems: tuple[Problem, ...],
    ) -> tuple[TreeState, Outcome]:
        files = self.rules.resource_changes(state.rules, target.rules, stamp.commit, changes)
        if kinds.changed_from(state.snapshot.tree.kinds):
            affected = self._files_to_revalidate(state, stamp.commit, kinds)
            files = {file.path: file for file in affected if file.path not in files} | files
        entries = self.read_entries(kinds, files.values())
        mode = target.rules.spec.prune.mode
        outcome = snapshots.advance_snapshot(state.snapshot, stamp, kinds, entries, mode, problems)
        located = locate_problems(outcome.problems, lambda paths: self.rules.read_files(stamp.commit, paths))
        return replace(target, snapshot=outcome.snapshot), replace(outcome, problems=located)

    def _files_to_revalidate(self, state: TreeState, commit: str, kinds: Kinds) -> tuple[FileChange, ...]:
        """The files that declare a kind whose schema changed, and those with problems."""
        tree = state.snapshot.tree
        names = kinds.changed_from(tree.kinds)
        paths = set(state.base.paths(names))
        for path, entry in tree.files.changes():
            if entry.problems or any(resource.kind in names for resource in entry.resources):
                paths.add(path)
        return self._source.files(commit, paths)
