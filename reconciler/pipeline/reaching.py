"""The position at a commit that no walk passes through: by the difference of two trees, wherever they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.model.change import Stamp

if TYPE_CHECKING:
    from reconciler.pipeline.stepping import Position, Stepper
    from reconciler.ports import Source

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
