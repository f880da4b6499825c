"""Walking a history: every commit, parents first, becomes a version and the state of the tree after it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import BrokenTree, RetryLater, TooLarge
from reconciler.kinds.kind import Kinds
from reconciler.model.change import Op, Stamp
from reconciler.model.commit import Commit, CommitDelta, Signature, Status, Version
from reconciler.model.problem import Problem, Severity
from reconciler.reconcile.faults import (
    ACCEPTED,
    Answer,
    broken_tree_problems,
    cannot_judge,
    describe_fault,
    is_commit_fault,
    raise_host_fault,
)
from reconciler.reconcile.keptbase import KeptBase
from reconciler.reconcile.narrowing import find_replaced_kinds
from reconciler.reconcile.read import FileReader, locate_problems
from reconciler.reconcile.rules import RuleReader, Rules
from reconciler.snapshot import snapshot as snapshots
from reconciler.snapshot.snapshot import EmptyBase, Outcome
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.gitports import Source
    from reconciler.model.change import FileEntry, Row, RowId
    from reconciler.model.commit import FileChange
    from reconciler.ports import Base
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.snapshot.snapshot import Snapshot

    Parents = Mapping[str, tuple[str, ...]]
    """The parents of commits, by sha."""
    Progress = Callable[[int, int], None]
    """Called with the number of commits done and of all, or of files of one commit."""

MAX_FAULTS = 1_000
"""Commits of which it is remembered that they cannot be judged."""


class TreeState(Struct, frozen=True):
    """The state of a repository's tree at a commit.

    `base` is the state that the walk began with, `height` the number of commits on the first-parent chain so far,
    `rules` are those of the tree. `tree` is the commit whose tree it is, None for the empty tree: after a commit that
    cannot be judged, that of the last one before it that could.
    """

    snapshot: Snapshot
    base: Base
    height: int
    rules: Rules
    tree: str | None

    def changed_rows(self) -> dict[RowId, Row]:
        """The rows that differ from those of the base."""
        return {row_id: row for row_id, row in self.snapshot.lineage.rows.changes() if row is not None}

    def declares(self, kind: str) -> bool:
        """Whether the last valid commit so far declares any resource of a kind."""
        changed = {row_id: row for row_id, row in self.changed_rows().items() if row_id.kind == kind}
        if any(row.removed is None for row in changed.values()):
            return True
        before = (self.base.row(row_id) for row_id in changed)
        gone = sum(row is not None and row.removed is None for row in before)
        return self.base.count(kind) > gone

    def rows(self) -> Iterator[Row]:
        """All rows of the last valid commit so far, tombstones included, in no particular order."""
        changed = self.changed_rows()
        for row in self.base.rows():
            yield changed.pop(row.row_id, row)
        yield from changed.values()


class CommitProcessor:
    """Processes the commits of one repository, from `folder` on. Caches what it read recently.

    A commit over which the program fails is tried once more in a fresh process. If that fails as well, the commit is
    invalid, and the next one is judged by what differs from the last tree that could be read. The machine's fault is
    no verdict: then `ReconcilerError` is raised. `reading` is told how far it is with the files of a large commit.
    """

    def __init__(
        self,
        source: Source,
        folder: str,
        bundled: BundledSchemas,
        faults: FaultFinder,
        reading: Progress = lambda done, total: None,
    ) -> None:
        self.rules = RuleReader(source, folder, bundled, faults)
        self._source = source
        self.bundled = bundled
        self.faults = faults
        self._reading = reading
        self._reader = FileReader(bundled.kinds, faults, reading)
        self._known_faults: dict[str, tuple[Problem, ...]] = {}
        self.kept_base = KeptBase()

    def forget_faults(self) -> None:
        """Judge again what could not be judged."""
        self.faults.known.forget()
        self._known_faults.clear()
        self._reader = FileReader(self._reader.kinds, self.faults, self._reading)
        self.rules.forget_faults()

    def known_fault(self, subject: str) -> Problem | None:
        """The problem of a commit that is known to be at fault."""
        fault = self.faults.known.by_subject.get(subject)
        return None if fault is None else cannot_judge(self.rules.folder or ".", fault)

    def note_fault(self, subject: str, commit: str, answer: Answer, error: BaseException) -> Problem:
        """The problem of a commit that is at fault from now on."""
        self.faults.log_fault(commit, answer, error)
        self.faults.known.learn({subject: answer.fault})
        return cannot_judge(self.rules.folder or ".", answer.fault)

    def name_step(self, base: str | None, commit: ProcessedCommit) -> str:
        """What the fault of the step from the applied commit (None: from nothing) to another one is known by."""
        return self._name_subject("step", base, commit.version.commit.sha)

    def _name_subject(self, what: str, before: str | None, commit: str) -> str:
        """What the fault of a commit is known by, or of a step to it: both depend on where it starts."""
        return f"{what} {before or 'nothing'}..{commit} in {self.rules.folder or '.'}"

    def empty_state(self) -> TreeState:
        """The state before any commit."""
        base, rules = EmptyBase(), self.rules.default_rules()
        snapshot = snapshots.start_snapshot(base, self.bundled.kinds, canonical.EMPTY_SET, rules.spec.prune.mode)
        return TreeState(snapshot, base, 0, rules, None)

    def load_state(self, commit: str, base: Base, digest: str, height: int) -> TreeState:
        """The state at a valid commit whose rows the base holds."""
        rules = self.rules.read_rules(commit)
        kinds, _ = self.rules.kinds_of(rules)
        snapshot = snapshots.start_snapshot(base, kinds, digest, rules.spec.prune.mode)
        return TreeState(snapshot, base, height, rules, commit)

    def process(
        self, state: TreeState, stamp: Stamp, changes: Collection[FileChange] | None = None
    ) -> tuple[TreeState, Outcome]:
        """Go from the state at a commit to the state at one of its first-parent children.

        `changes` are those from the tree of the state; None: they are still to be read.
        """
        return self._judge(state, stamp, state.height + 1, lambda: self.advance(state, stamp, changes))

    def switch(self, state: TreeState, stamp: Stamp, height: int) -> tuple[TreeState, Outcome]:
        """Go to any other commit. The rows are attributed to that commit, so the result serves for comparing only."""
        return self._judge(state, stamp, height, lambda: self._switch(state, stamp, height))

    def advance(
        self, state: TreeState, stamp: Stamp, changes: Collection[FileChange] | None = None
    ) -> tuple[TreeState, Outcome]:
        """The same, but whatever goes wrong is raised."""
        changes = self._source.changes(state.tree, stamp.commit) if changes is None else changes
        rules = self.rules.update_rules(state.rules, stamp.commit, changes)
        kinds, problems = self._effective_kinds(state, rules)
        if kinds.changed_from(state.snapshot.kinds):
            problems = (*problems, *find_replaced_kinds(state.snapshot.kinds, kinds, state.declares))
        target = replace(state, rules=rules, height=state.height + 1, tree=stamp.commit)
        return self._move(state, stamp, changes, target, kinds, problems)

    def _switch(self, state: TreeState, stamp: Stamp, height: int) -> tuple[TreeState, Outcome]:
        changes = self._source.changes(state.tree, stamp.commit)
        rules = self.rules.update_rules(state.rules, stamp.commit, changes)
        target = replace(state, rules=rules, height=height, tree=stamp.commit)
        return self._move(state, stamp, changes, target, *self._effective_kinds(state, rules))

    def _judge(
        self, state: TreeState, stamp: Stamp, height: int, move: Callable[[], tuple[TreeState, Outcome]]
    ) -> tuple[TreeState, Outcome]:
        """Make a move; a commit at fault leaves the state as it is, and its only problems are those."""
        subject = self._name_subject("commit", state.tree, stamp.commit)
        known = self.known_fault(subject)
        problems = self._known_faults.get(stamp.commit) or ((known,) if known else ())
        if not problems:
            try:
                return move()
            except BrokenTree as error:
                problems = broken_tree_problems(error)
            except TooLarge as error:
                problems = (cannot_judge(self.rules.folder or ".", str(error), error.hint),)
            except BaseException as error:  # noqa: BLE001  raised again unless the commit is at fault
                if not is_commit_fault(error):
                    raise_host_fault(stamp.commit, error)
                problems = (self._find_fault(subject, state, stamp, error),)
            if len(self._known_faults) >= MAX_FAULTS:
                self._known_faults.clear()
            self._known_faults[stamp.commit] = problems
        return replace(state, height=height), Outcome(state.snapshot, problems, ())

    def _find_fault(self, subject: str, state: TreeState, stamp: Stamp, error: BaseException) -> Problem:
        """Why a commit that failed here fails in a fresh process. Raises `RetryLater` when it does not."""
        commit = stamp.commit
        answer = self.faults.try_again(_advance_alone, self._source, self.rules.folder, self.bundled, state.tree, stamp)
        if not answer.fault:
            raise RetryLater(
                f"{commit[:8]} could not be judged: {describe_fault(error)}, but a fresh process can judge it",
                hint="it is tried again; restart the daemon if it stays so",
            ) from error
        return self.note_fault(subject, commit, answer, error)

    def find_problems(self, kinds: Kinds, path: str, data: bytes) -> tuple[Problem, ...]:
        """What would be wrong with a file of these contents under some kinds."""
        if kinds.digest != self._reader.kinds.digest:
            self._reader = FileReader(kinds, self.faults, self._reading)
        return self._reader.read_file(path, data).problems

    def read_entries(self, kinds: Kinds, files: Iterable[FileChange]) -> dict[str, FileEntry]:
        """What each file declares under some kinds, by path."""
        if kinds.digest != self._reader.kinds.digest:
            self._reader = FileReader(kinds, self.faults, self._reading)
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


DATE_HINT = "see to the clock of whoever committed; created_at and updated_at of the rows that it changed are so, too"
NO_TIME = datetime.fromtimestamp(0, UTC)
"""The commit time in states that are computed for comparison only."""


class WalkStart(Struct, frozen=True):
    """Where a walk starts: a valid commit of the mainline and the state at it. Commit None is the empty state."""

    commit: str | None
    state: TreeState


class ProcessedCommit(Struct, frozen=True):
    """A commit of a walk: its version, the state of the tree after it, and the kinds of its version's rows.

    To the kinds of the state, these add what went with the commit: it removed their resources as well.
    """

    version: Version
    state: TreeState
    kinds: Kinds


class StateAt(Struct, frozen=True):
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
    for delta in _read_deltas(source, start, head, parents, processor.faults):
        commit = delta.commit
        before = states.state_before(commit)
        known = delta.changes if before.tree == next(iter(commit.parents), None) else None
        state, outcome = processor.process(before, commit.stamp, known)
        states.keep(commit.sha, state)
        yield build_version(commit, before, state, outcome, is_mainline=commit.sha in mainline)


def _read_deltas(
    source: Source, start: WalkStart, head: str, parents: Parents, faults: FaultFinder
) -> Iterator[CommitDelta]:
    """The commits of a walk in order; once one cannot be read in the stream, each of the rest by itself."""
    left = dict.fromkeys(parents)
    try:
        for delta in source.history(head, known=start.commit):
            left.pop(delta.commit.sha, None)
            yield delta
    except BaseException as error:
        if not is_commit_fault(error):
            raise
        faults.log_fault("the history in one stream", Answer(fault=describe_fault(error)), error)
    for sha in left:
        yield CommitDelta(_read_commit(source, sha, parents[sha]), None)


def _read_commit(source: Source, sha: str, parents: tuple[str, ...]) -> Commit:
    """A commit; when it cannot be parsed, one that has nothing but its place in the history."""
    try:
        return source.commit(sha)
    except BaseException as error:
        if not is_commit_fault(error):
            raise
        nobody = Signature("", "", NO_TIME)
        return Commit(sha, parents, nobody, nobody, "")


def _kinds_of_rows(before: Kinds, after: Kinds, outcome: Outcome) -> Kinds:
    gone = {row.change.resource.kind for row in outcome.rows} - after.by_name.keys()
    if not gone:
        return after
    members = (*after, *(kind for kind in before if kind.name in gone))
    return Kinds(tuple(sorted(members, key=lambda kind: kind.name)))


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
    state = start.state
    height = source.height(sha) + 1
    while True:
        height -= 1  # counting anew for each would take as long as the chain
        state, outcome = processor.switch(state, Stamp(sha, NO_TIME), height)
        if outcome.valid:
            break
        invalid.append(sha)
        if height == 1:
            state, sha = processor.empty_state(), ""
            break
        sha = source.resolve(f"{sha}~1") or ""
    valid_commit = sha or None
    for child in reversed(invalid):
        state, _ = processor.process(state, Stamp(child, NO_TIME))
    return StateAt(state, valid_commit)


def _advance_alone(source: Source, folder: str, bundled: BundledSchemas, tree: str | None, stamp: Stamp) -> None:
    """Go from one commit's tree to another commit, from nothing but git. Whatever goes wrong is raised.

    For a fresh process.
    """
    processor = CommitProcessor(source, folder, bundled, ACCEPTED)
    state = processor.empty_state()
    if tree is not None:
        state = state_at(source, processor, WalkStart(None, state), tree).state
    processor.advance(state, stamp)


def build_version(
    commit: Commit, before: TreeState, state: TreeState, outcome: Outcome, *, is_mainline: bool = True
) -> ProcessedCommit:
    """A commit with its version, and the state after it."""
    ops = Counter(row.change.op for row in outcome.rows)
    dates = check_dates(commit)
    version = Version(
        commit=commit,
        height=state.height,
        mainline=is_mainline,
        status=Status.VALID if outcome.valid else Status.INVALID,
        problems=tuple(sorted((*outcome.problems, *dates))) if dates else outcome.problems,
        creates=ops[Op.CREATE],
        updates=ops[Op.UPDATE],
        deletes=ops[Op.DELETE],
        digest=outcome.snapshot.lineage.digest,
        rows=outcome.rows if is_mainline else (),
    )
    return ProcessedCommit(version, state, _kinds_of_rows(before.snapshot.kinds, state.snapshot.kinds, outcome))


def check_dates(commit: Commit) -> tuple[Problem, ...]:
    """A warning where a date of the commit is one that no store holds."""
    dates = [("committed", commit.committer), ("authored", commit.author)]
    outside = [f"{word} {one.outside}, held as {canonical.timestamp(one.time)}" for word, one in dates if one.outside]
    if not outside:
        return ()
    message = f"the commit's dates are outside 1970 to 2261: {'; '.join(outside)}"
    return (Problem(".", 1, 1, "date-out-of-range", "", message, DATE_HINT, Severity.WARNING),)


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
