"""A walk along a history: every commit, parents first, becomes a version and the position after it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.change import Op
from reconciler.model.commit import Status, Version
from reconciler.pipeline.reaching import Origin, reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.commit import Commit
    from reconciler.pipeline.stepping import Position, Stepper
    from reconciler.ports import Source
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
