"""Walking a history: every commit, parents first, becomes a version and the state of the tree after it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.change import Op, Stamp
from reconciler.model.commit import Status, Version
from reconciler.reconcile.read import FileReader, locate_problems
from reconciler.reconcile.rules import RuleReader, Rules, migration_problems
from reconciler.snapshot import snapshot as snapshots
from reconciler.snapshot.snapshot import EmptyBase

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import FileEntry, Row, RowId
    from reconciler.model.commit import Commit, FileChange
    from reconciler.model.problem import Problem
    from reconciler.ports import Base, Source
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.snapshot.snapshot import Outcome, Snapshot

    Parents = Mapping[str, tuple[str, ...]]
    """The parents of commits, by sha."""
    Progress = Callable[[int, int], None]
    """Called with the number of commits done and of all."""


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


NO_TIME = datetime.fromtimestamp(0, UTC)
"""The commit time in states that are computed for comparison only."""


@dataclass(frozen=True, slots=True)
class WalkStart:
    """Where a walk starts: a valid commit of the mainline and the state at it. Commit None is the empty state."""

    commit: str | None
    state: TreeState


@dataclass(frozen=True, slots=True)
class ProcessedCommit:
    """A commit of a walk: its version, and the state of the tree after it."""

    version: Version
    state: TreeState


@dataclass(frozen=True, slots=True)
class StateAt:
    """The state at a commit. Its rows are those of `valid_commit`, the last valid one up to there, if there is one."""

    state: TreeState
    valid_commit: str | None


def walk_history(
    source: Source, processor: CommitProcessor, start: WalkStart, head: str, parents: Parents
) -> Iterator[ProcessedCommit]:
    """Process every commit reachable from `head` and not from the start, which has to be on the head's mainline.

    `parents` holds these commits.
    """
    mainline = frozenset(first_parents(parents, head))
    states = _ParentStates(source, processor, start, parents)
    for delta in source.history(head, known=start.commit):
        commit = delta.commit
        state, outcome = processor.process(states.state_before(commit), commit.stamp, delta.changes)
        states.keep(commit.sha, state)
        yield ProcessedCommit(_version(commit, state.height, outcome, commit.sha in mainline), state)


def first_parents(parents: Parents, head: str) -> Iterator[str]:
    """The first-parent chain of a head, newest first, as far as `parents` goes."""
    commit = head
    while commit in parents:
        yield commit
        if not parents[commit]:
            return
        commit = parents[commit][0]


def mainline_contains(parents: Parents, head: str, known: str) -> bool:
    """Whether `known` is on the mainline of a head. `parents` holds the commits that are not reachable from `known`."""
    return head == known or any(parents[commit][:1] == (known,) for commit in first_parents(parents, head))


def state_at(source: Source, processor: CommitProcessor, start: WalkStart, sha: str) -> StateAt:
    """The state at a commit that no walk passes through, computed from the difference of two trees.

    Its rows are those of the last valid commit on the first-parent chain; what is pending counts from there.
    """
    invalid: list[str] = []
    state, previous = start.state, start.commit
    while True:
        height = source.height(sha)
        state, outcome = processor.switch(state, Stamp(sha, NO_TIME), source.changes(previous, sha), height)
        if outcome.valid:
            break
        invalid.append(sha)
        if height == 1:
            state, sha = processor.empty_state(), ""
            break
        previous, sha = sha, source.resolve(f"{sha}~1") or ""
    valid_commit = sha or None
    for child in reversed(invalid):
        state, _ = processor.process(state, Stamp(child, NO_TIME), source.changes(sha or None, child))
        sha = child
    return StateAt(state, valid_commit)


def _version(commit: Commit, height: int, outcome: Outcome, is_mainline: bool) -> Version:
    ops = Counter(row.change.op for row in outcome.rows)
    return Version(
        commit=commit,
        height=height,
        mainline=is_mainline,
        status=Status.VALID if outcome.valid else Status.INVALID,
        problems=outcome.problems,
        creates=ops[Op.CREATE],
        updates=ops[Op.UPDATE],
        deletes=ops[Op.DELETE],
        digest=outcome.snapshot.lineage.digest,
        rows=outcome.rows if is_mainline else (),
    )


class _ParentStates:
    """The states that later commits start from. Each is kept until its last first-parent child is processed."""

    def __init__(self, source: Source, processor: CommitProcessor, start: WalkStart, parents: Parents) -> None:
        self._source = source
        self._processor = processor
        self._start = start
        self._children = Counter(commits[0] for commits in parents.values() if commits)
        self._states: dict[str, TreeState] = {}
        if start.commit is not None:
            self._states[start.commit] = start.state

    def state_before(self, commit: Commit) -> TreeState:
        """The state at the first parent of a commit."""
        if not commit.parents:
            return self._processor.empty_state()
        parent = commit.parents[0]
        state = self._states.pop(parent) if parent in self._states else self._fork_state(parent)
        self._children[parent] -= 1
        self.keep(parent, state)
        return state

    def keep(self, sha: str, state: TreeState) -> None:
        """Keep a state for as long as children need it."""
        if self._children[sha] > 0:
            self._states[sha] = state

    def _fork_state(self, sha: str) -> TreeState:
        """The state where a side branch forked off, before the start."""
        return state_at(self._source, self._processor, self._start, sha).state
