"""What became of each commit on a host: values in, values out."""

from __future__ import annotations

import math
from bisect import bisect_left
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.model.commit import Status
from reconciler.model.rollback import ROLLED_BACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.refusal import Refusal
    from reconciler.model.rollback import Rollback
    from reconciler.model.rows import VersionRow


class Fate(StrEnum):
    """What became of a commit on a host.

    It is live; it was live; a newer one was applied in the same step, or a rollback skipped it; a guard or a policy
    refused it; it is invalid; it waits while reconciling is suspended, or the host rolled back; it waits.
    """

    LIVE = "live"
    WAS_LIVE = "was-live"
    SKIPPED = "skipped"
    REFUSED = "refused"
    INVALID = "invalid"
    HELD = "held"
    PENDING = "pending"


WENT_LIVE = frozenset({Fate.LIVE, Fate.WAS_LIVE})
NEVER_LIVE = frozenset({Fate.REFUSED, Fate.INVALID, Fate.HELD, Fate.PENDING})
"""A commit of these must not look as if its changes had gone live; of a skipped one they went live with a later one."""


class HostRecord(Struct, frozen=True):
    """What a host did with the commits of one branch.

    `intervals`, `refusals` and events about `drift` are those of the commits that are asked about, by commit. `height`
    is how far up the mainline the host is; 0 while nothing of it is live. `follows` says that the host follows this
    branch; `held` that it is suspended. `rollback` is the one that it is under, and `skipped` the height of what that
    skips. `merges` are those above `height`, by the commits of side branches that each brought; they are asked about,
    too.
    """

    host: str
    intervals: Mapping[str, Sequence[LiveInterval]] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    height: int = 0
    follows: bool = True
    held: bool = False
    rollback: Rollback | None = None
    skipped: int = 0
    drift: Mapping[str, Sequence[HostEvent]] = field(default_factory=dict)
    merges: Mapping[str, VersionRow] = field(default_factory=dict)


class CommitFate(Struct, frozen=True):
    """The fate of a commit on a host, the intervals in which it was live, and why it was refused if it ever was.

    `drift` are the events about drift while it was live.
    """

    fate: Fate
    host: str
    intervals: Sequence[LiveInterval] = ()
    refusal: Refusal | None = None
    drift: Sequence[HostEvent] = ()

    @property
    def refused_by(self) -> tuple[str, ...]:
        """The rules that refused it; none for a commit that went live all the same."""
        return self.refusal.rules if self.refusal and self.fate is Fate.REFUSED else ()


def judge_fate(version: VersionRow, record: HostRecord) -> CommitFate:
    """What became of a version on a host. What a side branch changed waits, or is refused, with the merge of it."""
    sha = version.commit.sha
    merge = record.merges.get(sha)
    if merge is not None and sha not in record.intervals and version.status != Status.INVALID:
        merged = judge_fate(merge, record)
        if merged.fate in NEVER_LIVE:
            return merged
    intervals, refusal = tuple(record.intervals.get(sha, ())), record.refusals.get(sha)
    drift = tuple(record.drift.get(sha, ()))
    return CommitFate(_fate(version, record, intervals, refusal), record.host, intervals, refusal, drift)


def _fate(version: VersionRow, record: HostRecord, intervals: Sequence[LiveInterval], refusal: Refusal | None) -> Fate:
    back = record.rollback
    is_left = back is not None and record.height < version.height <= record.skipped and version.mainline
    if is_left and not version.orphaned and record.follows and version.status != Status.INVALID:
        return Fate.SKIPPED
    if intervals:
        return Fate.LIVE if any(one.is_open for one in intervals) else Fate.WAS_LIVE
    if version.status == Status.INVALID:
        return Fate.INVALID
    if refusal is not None and refusal.rules != (ROLLED_BACK,):
        return Fate.REFUSED
    is_ahead = version.mainline and not version.orphaned and version.height > record.height
    if not is_ahead or not record.follows:
        return Fate.SKIPPED
    return Fate.HELD if record.held or back is not None else Fate.PENDING


def live_height(height: int, live_heights: Iterable[int]) -> int | None:
    """The highest commit up to a height that went live; None when none did."""
    return max((one for one in live_heights if one <= height), default=None)


def reached_live(heights: Sequence[int], live_heights: Iterable[int]) -> list[bool]:
    """For each of some ascending heights whether what it left went live before the next of them, the last one included.

    `live_heights` are those of commits that went live.
    """
    live = sorted(live_heights)
    ends = [*heights, math.inf][1:]
    nearest = [bisect_left(live, height) for height in heights]
    return [at < len(live) and live[at] < end for at, end in zip(nearest, ends, strict=True)]
