"""Which commits a host can go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import UsageError
from reconciler.model.intervals import IntervalEnd
from reconciler.reconcile.walk import mainline_contains

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from reconciler.gitports import Source
    from reconciler.model.commit import Applied
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.rollback import Rollback
    from reconciler.ports import LedgerReader, StoreReader

    MoreIntervals = Callable[[Collection[str] | None], Sequence[LiveInterval]]
    """The intervals of some commits of this host in the ledger; without any, the newest ones. For what the store does
    not know."""

MAX_INTERVALS = 10_000
"""Intervals that are looked at to find the commit before."""


class Lookup(Struct, frozen=True):
    """What is asked of git, or of the history in its place.

    `resolve` gives the sha of a revision, None for a branch without commits, and raises `UsageError` for one that is
    not known. `is_later` tells whether the first of two commits goes on from the second.
    """

    resolve: Callable[[str], str | None]
    is_later: Callable[[str, str], bool]

    @classmethod
    def in_git(cls, source: Source) -> Lookup:
        """Git is asked."""

        def is_later(sha: str, live: str) -> bool:
            try:
                return mainline_contains(source.parents(sha, known=live), sha, live)
            except UsageError:  # git no longer has one of them
                return False

        return cls(source.resolve, is_later)


class Targets(Struct, frozen=True):
    """Which commits a host can go back to: those that were live on it, and are not later than what is live now."""

    lookup: Lookup
    store: StoreReader
    applied: Applied
    rollback: Rollback | None
    more: MoreIntervals

    def find(self, revision: str | None) -> str:
        """The commit that somebody names, or the one applied before what is live.

        Raises `UsageError` for one to which there is no going back.
        """
        return self._find_before() if revision is None else self._find_named(revision)

    def _find_named(self, revision: str) -> str:
        sha, live = self.lookup.resolve(revision), self.applied.stamp.commit
        if sha is None:
            raise UsageError(f"{revision} has no commits", hint="name a commit that was live here")
        if sha == live:
            raise UsageError(f"{sha[:8]} is live already: no row was changed", hint="`reconciler status` tells more")
        if self.lookup.is_later(sha, live):
            raise UsageError(
                f"{sha[:8]} is later than {live[:8]}, which is live: that is no way back",
                hint="`reconciler rollback --end --reason …` lets the head through again"
                if self.rollback
                else "`reconciler sync` goes to the head",
            )
        if not (self.store.intervals_of([sha]) or self.more([sha])):
            raise UsageError(
                f"{sha[:8]} was never live on this host, so there is no going back to it",
                hint="`reconciler log` tells which commits were; revert in git to go anywhere else",
            )
        return sha

    def _find_before(self) -> str:
        """One that was left by a rollback is none to go back to."""
        found = self._newest(reversed(self.store.newest_intervals(MAX_INTERVALS))) or self._newest(self.more(None))
        if found is None:
            raise UsageError(
                f"nothing was live here before {self.applied.stamp.commit[:8]}: there is nothing to go back to",
                hint="halt what must not trade: `reconciler halt --all --reason …`",
            )
        return found

    def _newest(self, intervals: Iterable[LiveInterval]) -> str | None:
        """The newest fitting commit of some intervals, the oldest of which come first."""
        live = self.applied.stamp.commit
        last = {one.commit: one for one in intervals}
        fitting = (
            one.commit
            for one in sorted(last.values(), key=lambda one: (one.since, one.change), reverse=True)
            if one.ended is not IntervalEnd.ROLLED_BACK
            and one.commit not in (live, self.rollback and self.rollback.skipped)
        )
        return next((sha for sha in fitting if not self.lookup.is_later(sha, live)), None)


def recorded_intervals(
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None, host: str, commits: Collection[str] | None
) -> Sequence[LiveInterval]:
    """The intervals of some commits on a host in a ledger, or the newest ones, the oldest of them first."""
    if open_ledger is None:
        return ()
    with open_ledger() as ledger:
        if commits is None:
            return ledger.newest_intervals(host, MAX_INTERVALS)[::-1]
        return ledger.intervals_of(host, commits)
