"""A walk along a history: every commit, parents first, becomes a version and the position after it.

The position at a commit that no walk passes through comes from the difference of two trees.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.model.change import Op, Stamp
from reconciler.model.commit import Status, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.commit import Commit
    from reconciler.ports import Source
    from reconciler.reconcile.processor import Position, Stepper
    from reconciler.snapshot.snapshot import Outcome


@dataclass(frozen=True, slots=True)
class Step:
    """One commit of a replay."""

    version: Version
    position: Position


def replay(
    source: Source, stepper: Stepper, origin: Origin, head: str, parents: Mapping[str, tuple[str, ...]]
) -> Iterator[Step]:
    """Every commit reachable from `head` and not from the origin, which has to be on the head's mainline.

    `parents` are those commits with their parents.
    """
    mainline = frozenset(chain(parents, head))
    positions = _Positions(source, stepper, origin, parents)
    for delta in source.history(head, known=origin.commit):
        position, outcome = stepper.step(positions.before(delta.commit), delta.commit.stamp, delta.changes)
        positions.keep(delta.commit.sha, position)
        yield Step(_version(delta.commit, position.height, outcome, delta.commit.sha in mainline), position)


def chain(parents: Mapping[str, tuple[str, ...]], head: str) -> Iterator[str]:
    """The first-parent chain from a head, newest first, as far as the given commits go."""
    at = head
    while at in parents:
        yield at
        if not parents[at]:
            return
        at = parents[at][0]


def joins(parents: Mapping[str, tuple[str, ...]], head: str, known: str) -> bool:
    """Whether the mainline of a head goes through `known`; `parents` holds what `known` does not reach."""
    return head == known or any(parents[commit][:1] == (known,) for commit in chain(parents, head))


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


class _Positions:
    """The positions that later commits start from: each is kept until its last first-parent child had it."""

    def __init__(
        self, source: Source, stepper: Stepper, origin: Origin, parents: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._source = source
        self._stepper = stepper
        self._origin = origin
        self._children = Counter(line[0] for line in parents.values() if line)
        self._kept: dict[str, Position] = {}
        if origin.commit is not None:
            self._kept[origin.commit] = origin.position

    def before(self, commit: Commit) -> Position:
        """The position that a commit starts from: that of its first parent."""
        if not commit.parents:
            return self._stepper.nothing()
        parent = commit.parents[0]
        position = self._kept.pop(parent) if parent in self._kept else self._fork(parent)
        self._children[parent] -= 1
        self.keep(parent, position)
        return position

    def keep(self, sha: str, position: Position) -> None:
        """Remember a position for as long as somebody will ask for it."""
        if self._children[sha] > 0:
            self._kept[sha] = position

    def _fork(self, sha: str) -> Position:
        """The position where a side branch left, before the origin."""
        return reach(self._source, self._stepper, self._origin, sha).position


NO_TIME = datetime.fromtimestamp(0, UTC)
"""For positions off the mainline: nothing of theirs is kept but counts."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a walk begins: a valid commit of the mainline and the position at it; no commit stands for nothing."""

    commit: str | None
    position: Position


@dataclass(frozen=True, slots=True)
class Reached:
    """The position at a commit, and the commit whose state it has: the last valid one so far, if there was one."""

    position: Position
    state: str | None


def reach(source: Source, stepper: Stepper, origin: Origin, sha: str) -> Reached:
    """The position at a commit, with the state of the last valid one on its first-parent chain.

    Its tree is the origin's and their difference. What is pending there counts from that last valid commit.
    """
    invalid: list[str] = []
    position, before = origin.position, origin.commit
    while True:
        height = source.height(sha)
        position, outcome = stepper.jump(position, Stamp(sha, NO_TIME), source.changes(before, sha), height)
        if outcome.valid:
            break
        invalid.append(sha)
        if height == 1:
            position, sha = stepper.nothing(), ""
            break
        before, sha = sha, source.resolve(f"{sha}~1") or ""
    state = sha or None
    for child in reversed(invalid):
        position, _ = stepper.step(position, Stamp(child, NO_TIME), source.changes(sha or None, child))
        sha = child
    return Reached(position, state)
