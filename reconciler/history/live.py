"""What one host did: its live intervals and refusals, from its store where that is at hand, and from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.history.fate import CommitFate, HostRecord, judge_fate
from reconciler.history.points import merges_above, point_of
from reconciler.model.halt import Halts
from reconciler.model.intervals import WENT_LIVE, why_replaced
from reconciler.model.rows import DriftFilter
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.refusal import Refusal
    from reconciler.model.rows import VersionRow
    from reconciler.ports import LedgerReader, StoreReader

MAX_EVENTS = 100_000
"""Host events of the store that are looked at after a clock was put back."""
MAX_INTERVALS = 10_000
"""Intervals that are looked at to tell which commits went live: those before them are taken as git has them."""


class LiveHistory(Struct, frozen=True):
    """What was live on a host and when, and why what was not.

    `store` is that of this host; None for another one, and before the first sync. `follows` is the branch that this
    host follows, where that is known; `now` the present time.
    """

    host: str
    ledger: LedgerReader
    store: StoreReader | None
    follows: str | None
    now: datetime

    def at(self, moment: datetime) -> LiveInterval | None:
        """What was live at a time; None when the host does not know.

        Intervals never overlap, so those since a clock was put back begin when it was ahead. What is live now is told
        by their order all the same, and what was since then by that of the host events.
        """
        if moment >= self.now and (present := self._present()):
            return present
        found = (self.store.live_at(moment) if self.store else None) or self.ledger.live_at(self.host, moment)
        if found is None or found.until is None or found.until <= self.now:
            return found
        return self._at_by_events(moment) or found

    def _present(self) -> LiveInterval | None:
        newest = self.store.newest_intervals(1) if self.store else ()
        newest = newest or self.ledger.newest_intervals(self.host, 1)
        return next((one for one in newest if one.is_open), None)

    def _at_by_events(self, moment: datetime) -> LiveInterval | None:
        """What the host event with the greatest number until a time says went live then."""
        for event in reversed(self.store.events_after(0, MAX_EVENTS) if self.store else ()):
            if event.event in WENT_LIVE and event.commit and event.at <= moment:
                return next(reversed(self.of_commits([event.commit])), None)
        return None

    def of_commits(self, commits: Collection[str]) -> tuple[LiveInterval, ...]:
        """The intervals of some commits, the oldest first."""
        own = self.store.intervals_of(commits) if self.store else ()
        return self._merge(own, self.ledger.intervals_of(self.host, commits))

    def newest(self, limit: int, *, off: str | None = None) -> tuple[LiveInterval, ...]:
        """The newest intervals, the oldest of them first; with `off`, only those of other branches than this one."""
        own = self.store.newest_intervals(limit, off=off) if self.store else ()
        return self._merge(own, self.ledger.newest_intervals(self.host, limit, off=off))[-limit:]

    def refusals(self, commits: Collection[str]) -> Mapping[str, Refusal]:
        """Why some commits were refused: the newest refusal of each."""
        own = self.store.refusals_of(commits) if self.store else ()
        known = sorted((*self.ledger.refusals_of(self.host, commits), *own), key=lambda refusal: refusal.at)
        return {refusal.commit: refusal for refusal in known}

    def refused_since(self, moment: datetime) -> Collection[str]:
        """The commits that were refused since a time and never went live."""
        own = self.store.refused_since(moment) if self.store else ()
        refused = {*self.ledger.refused_since(self.host, moment), *own}
        return refused - {one.commit for one in self.of_commits(refused)}

    def drift_events(self, only: DriftFilter) -> Sequence[HostEvent]:
        """What is recorded of drift, the oldest first."""
        own = self.store.drift_events(only) if self.store else ()
        known = {(one.store, one.seq): one for one in (*self.ledger.drift_events(self.host, only), *own)}
        return sorted(known.values(), key=lambda event: (event.at, event.seq))

    def halts_at(self, moment: datetime) -> Halts:
        """The halts that stood at a time; that of the present by what the store obeys."""
        if moment >= self.now and self.store is not None:
            return self.store.halts()
        own = self.store.halts_at(moment) if self.store else None
        event = own or self.ledger.halts_at(self.host, moment)
        return (Halts.of_event(event) if event else None) or Halts()

    def fates(self, ledger: LedgerReader, branch: str, versions: Iterable[VersionRow]) -> dict[str, CommitFate]:
        """The fate of each of some versions of a branch, whose ledger it is, by commit."""
        rows = {version.commit.sha: version for version in versions}
        height = self.height(ledger)
        beside = any(not row.mainline and not row.orphaned for row in rows.values())
        merges = {sha: row for sha, row in merges_above(ledger, height).items() if sha in rows} if beside else {}
        record = self._record(ledger, branch, {*rows, *(merge.commit.sha for merge in merges.values())})
        record = replace(record, height=height, merges=merges)
        return {sha: judge_fate(version, record) for sha, version in rows.items()}

    def live_heights(self, ledger: LedgerReader) -> Collection[int]:
        """The heights of the commits of a ledger's mainline that went live."""
        return ledger.mainline_heights({one.commit for one in self.newest(MAX_INTERVALS)}).values()

    def height(self, ledger: LedgerReader) -> int:
        """How far up the mainline of a ledger the host is; 0 while nothing of it is live."""
        present = self.at(self.now)
        return _height(ledger, present) if present else 0

    def _record(self, ledger: LedgerReader, branch: str, commits: Collection[str]) -> HostRecord:
        intervals: dict[str, list[LiveInterval]] = {}
        for one in self.of_commits(commits):
            intervals.setdefault(one.commit, []).append(one)
        present = self.at(self.now)
        suspension = self.store.suspension() if self.store else None
        rollback = self.store.rollback() if self.store else None
        return HostRecord(
            host=self.host,
            intervals=intervals,
            refusals=self.refusals(commits),
            drift=self._drift_by_commit(intervals),
            follows=present is None or branch in {present.branch, self.follows},
            held=suspension is not None and suspension.holds(self.now),
            rollback=rollback,
            skipped=ledger.mainline_heights([rollback.skipped]).get(rollback.skipped, 0) if rollback else 0,
        )

    def _drift_by_commit(self, commits: Collection[str]) -> Mapping[str, Sequence[HostEvent]]:
        found: dict[str, list[HostEvent]] = {}
        if commits:
            for event in self.drift_events(DriftFilter(self.now, commits=commits)):
                found.setdefault(event.commit or "", []).append(event)
        return found

    def _merge(self, own: Iterable[LiveInterval], told: Iterable[LiveInterval]) -> tuple[LiveInterval, ...]:
        """The store knows best what it knows; what only the ledger knows ended before the store began."""
        merged = {(one.commit, one.since): one for one in told}
        ours = {(one.commit, one.since): one for one in own}
        first = next(iter(self.store.intervals_after(0, 1)), None) if self.store else None
        for key, one in merged.items():
            if one.is_open and key not in ours and first is not None and one.since < first.since:
                merged[key] = replace(one, until=first.since, ended=why_replaced(one.branch, first.branch))
        merged |= ours
        return tuple(sorted(merged.values(), key=lambda one: (one.since, one.change)))


def _height(ledger: LedgerReader, present: LiveInterval) -> int:
    """How far up a mainline a host is: where it left it, when the live commit was dropped from the branch."""
    heights = ledger.mainline_heights([present.commit])
    if heights:
        return heights[present.commit]
    dropped = next(iter(ledger.find_by_sha([present.commit])), None)
    return point_of(dropped, ledger.side_versions()).height if dropped is not None else 0
