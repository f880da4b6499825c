"""The port `Ledger` in dictionaries: for tests, and as the shortest statement of what a ledger does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.errors import BugError, UsageError
from reconciler.history.points import group_by_merge, order_newest_first, sha_prefix, to_version_row
from reconciler.model.problem import verdict_of
from reconciler.model.rows import RecordedEvent
from reconciler.values import replace
from tests.support.memory.past import Entry, PastQueries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.commit import Version
    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.rows import VersionRow
    from reconciler.ports import Clock


class MemoryLedger(PastQueries):
    """The history of one repository and branch, as long as the process lives.

    `others` are the ledgers of the repository's branches, this one among them.
    """

    def __init__(self, clock: Clock, branch: str = "main", others: dict[str, MemoryLedger] | None = None) -> None:
        self._branch, self._others = branch, {} if others is None else others
        self._intervals = next((one._intervals for one in self._others.values()), {})
        self._others[branch] = self
        self._clock = clock
        self._kinds: dict[str, Kind] = {}
        self._entries: dict[str, Entry] = {}
        self._events: dict[tuple[str, str, int], RecordedEvent] = {}

    def prepare(self, kinds: Kinds) -> None:
        """Remember the kinds."""
        self._kinds |= kinds.by_name

    def recorded_commits(self, among: Collection[str] | None = None) -> Mapping[str, bool]:
        """The recorded commits that are not orphaned (of some, or all), and whether each is on the mainline."""
        found = {
            row.commit.sha: row.mainline
            for row in self._reachable()
            if not any(
                problem.code == "cannot-judge" and not problem.message.startswith(verdict_of(__version__))
                for problem in row.problems
            )
        }
        return found if among is None else {sha: found[sha] for sha in among if sha in found}

    def record(self, versions: Sequence[Version]) -> None:
        """Record versions, or record them again."""
        unknown = {change.row.resource.kind for version in versions for change in version.rows} - self._kinds.keys()
        if unknown:
            raise BugError(f"the ledger was not prepared for kind {min(unknown)}")
        now = self._clock.now()
        self._entries |= {version.commit.sha: Entry(to_version_row(version, now), version.rows) for version in versions}

    def orphan(self, shas: Collection[str]) -> None:
        """Mark commits that the branch no longer reaches."""
        for sha in self._entries.keys() & shas:
            entry = self._entries[sha]
            self._entries[sha] = entry._replace(row=replace(entry.row, orphaned=True))

    def record_events(self, host: str, events: Sequence[HostEvent]) -> None:
        """Record what happened on a host."""
        self._events |= {(host, one.store, one.seq): RecordedEvent(host, one) for one in events}

    def record_intervals(self, host: str, intervals: Sequence[LiveInterval]) -> None:
        """Record what was live on a host."""
        for one in intervals:
            key = (host, one.store, one.seq)
            if key not in self._intervals or self._intervals[key].change <= one.change:
                self._intervals[key] = one

    def on_branch(self, branch: str) -> MemoryLedger:
        """The ledger of another branch of the repository."""
        return self._others.get(branch) or MemoryLedger(self._clock, branch, self._others)

    def branches(self, sha: str = "") -> tuple[str, ...]:
        """The recorded branches, or those with a commit; the one recorded last comes first."""
        newest = {
            branch: max(row.recorded_at for row, _ in one._entries.values() if row.commit.sha.startswith(sha.lower()))
            for branch, one in self._others.items()
            if any(known.startswith(sha.lower()) for known in one._entries)
        }
        return tuple(sorted(sorted(newest), key=lambda branch: newest[branch], reverse=True))

    def events(self, *, limit: int, host: str | None = None) -> tuple[RecordedEvent, ...]:
        """The newest host events first, of one host or of all."""
        found = (one for one in self._events.values() if host in (None, one.host))
        in_store = sorted(found, key=lambda one: (one.host, one.event.store, -one.event.seq))
        return tuple(sorted(in_store, key=lambda one: one.event.at, reverse=True)[:limit])

    def find_by_sha(self, shas: Collection[str]) -> tuple[VersionRow, ...]:
        """The versions of some commits, orphaned ones too."""
        return tuple(self._entries[sha].row for sha in shas if sha in self._entries)

    def row_counts(self, kinds: Kinds, shas: Collection[str]) -> Mapping[str, int]:
        """How many changes of rows of these kinds are there for each of some commits."""
        entries = {sha: self._entries[sha].changes if sha in self._entries else () for sha in shas}
        return {
            sha: sum(change.row.resource.kind in kinds.by_name for change in changes)
            for sha, changes in entries.items()
        }

    def versions(self, *, limit: int, upto: int | None = None) -> tuple[VersionRow, ...]:
        """The newest versions first, orphaned ones left out: each side branch after the commit that merged it."""
        mainline = sorted((row for row in self._reachable() if row.mainline), key=lambda row: row.height)
        parents = {row.commit.sha: row.commit.parents for row in self._reachable() if not row.mainline}
        merged = group_by_merge(((row.commit.sha, row.commit.parents) for row in mainline), parents)
        wanted = (row for row in reversed(mainline) if upto is None or row.height <= upto)
        listed = order_newest_first([row.commit.sha for row in wanted], merged, limit)
        return tuple(self._entries[sha].row for sha in listed)

    def version(self, sha: str) -> VersionRow | None:
        """One version, orphaned ones too, by its sha or the start of it. Raises `UsageError` if that is not enough."""
        start = sha_prefix(sha)
        found = [start] if start in self._entries else [full for full in self._entries if full.startswith(start)]
        if len(found) > 1:
            raise UsageError(f"{sha} could be several commits: {', '.join(sorted(found))}")
        return self._entries[found[0]].row if found else None

    def _reachable(self) -> Iterator[VersionRow]:
        return (entry.row for entry in self._entries.values() if not entry.row.orphaned)
