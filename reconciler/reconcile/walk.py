"""Walking a history: every commit, parents first, becomes a version and the state of the tree after it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.model.change import Op, Stamp
from reconciler.model.commit import Status, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.commit import Commit
    from reconciler.ports import Source
    from reconciler.reconcile.processor import CommitProcessor, TreeState
    from reconciler.snapshot.snapshot import Outcome

    Parents = Mapping[str, tuple[str, ...]]
    """The parents of commits, by sha."""
    Progress = Callable[[int, int], None]
    """Called with the number of commits done and of all."""

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
