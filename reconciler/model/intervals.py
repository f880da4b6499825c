"""Which commit was live on a host, from when to when: what git cannot know."""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from reconciler.model.host import HostEvent


class IntervalEnd(StrEnum):
    """Why a commit is not live any more."""

    REPLACED = "replaced"
    ROLLED_BACK = "rolled-back"
    BRANCH_SWITCHED = "branch-switched"
    HALT_CHANGED = "halt-changed"


class LiveInterval(Struct, frozen=True):
    """A commit was live from `since` on and until `until`, excluded; `until` and `ended` are None while it is live.

    Times are aware, in UTC. `store` is the id of the store that wrote it down, `seq` counts there from 1. `change` is
    greater whenever the interval was written later: first when it began, then when it ended.
    """

    seq: int
    commit: str
    branch: str
    digest: str
    since: datetime
    until: datetime | None = None
    ended: IntervalEnd | None = None
    change: int = 0
    store: str = ""

    @classmethod
    def of_record(cls, record: Sequence[Any]) -> LiveInterval:
        """From the fields as a store has them: in this order, times perhaps naive, `ended` perhaps an empty text."""
        seq, commit, branch, digest, since, until, ended, change, store = record
        return cls(
            seq=seq,
            commit=commit,
            branch=branch,
            digest=digest,
            since=canonical.utc(since),
            until=canonical.utc(until) if until else None,
            ended=IntervalEnd(ended) if ended else None,
            change=change,
            store=str(store),
        )

    @property
    def is_open(self) -> bool:
        """Whether the commit is live still."""
        return self.until is None

    def end(self, at: datetime, why: IntervalEnd) -> LiveInterval:
        """The interval ended, never before it began."""
        return replace(self, until=max(at, self.since), ended=why)


WENT_LIVE = ("applied", "restored")
"""The host events after which another commit is live."""


def rebuild_intervals(events: Iterable[HostEvent], branch: str) -> list[LiveInterval]:
    """The intervals that host events tell of, the oldest first, the last one open.

    For a host from before intervals were kept. `branch` is the one that the host follows; an earlier one is known from
    the event that bound the host.
    """
    events = sorted(events, key=lambda event: event.seq)
    rebound = [event for event in events if event.event == "bound"]
    at = str(rebound[0].detail.get("before") or rebound[0].detail.get("branch") or branch) if rebound else branch
    intervals: list[LiveInterval] = []
    for event in events:
        if event.event == "bound":
            at = str(event.detail.get("branch") or at)
        elif event.event in WENT_LIVE and event.commit:
            open_one = intervals[-1] if intervals else None
            if open_one is not None and (open_one.commit, open_one.branch) == (event.commit, at):
                continue
            since = max(event.at, open_one.since) if open_one else event.at
            if open_one is not None:
                intervals[-1] = open_one.end(since, why_replaced(open_one.branch, at))
            intervals.append(LiveInterval(len(intervals) + 1, event.commit, at, event.digest or "", since))
    return intervals


def why_replaced(old_branch: str, new_branch: str) -> IntervalEnd:
    """Why an interval ends when a commit of a branch goes live."""
    return IntervalEnd.REPLACED if old_branch == new_branch else IntervalEnd.BRANCH_SWITCHED


def complete_intervals(recorded: Iterable[LiveInterval], told: Iterable[LiveInterval] = ()) -> list[LiveInterval]:
    """All that is known of a host, the oldest first, no two at once.

    `told` is what its host events say; that counts before the first recorded interval. An interval whose store was
    lost before it ended ends where the next one begins.
    """
    known = list(recorded)
    first = min((one.since for one in known), default=None)
    known += [one for one in told if first is None or one.since < first]
    known.sort(key=lambda one: (one.since, one.change, one.seq))
    for number, (one, following) in enumerate(itertools.pairwise(known)):
        if one.until is None or one.until > following.since:
            why = one.ended or why_replaced(one.branch, following.branch)
            known[number] = replace(one, until=following.since, ended=why)
    return known
