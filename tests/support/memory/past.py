"""The past out of the versions in memory: what `Ledger` is asked about it, said as shortly as possible."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import canonical
from reconciler.history.pages import change_cursor, cursor_order
from reconciler.kinds.kind import TIMESTAMPS
from reconciler.model.change import Op
from reconciler.model.commit import Status
from reconciler.model.intervals import WENT_LIVE, LiveInterval, complete_intervals
from reconciler.model.refusal import REFUSED, Refusal
from reconciler.model.rollback import ROLLBACK_ENDED, ROLLED_BACK
from reconciler.model.rows import ORPHANED, ActiveDay, HistoryChange, HistoryRow, SideVersion
from reconciler.tables.rows import declaration_columns, desired_values, name_column
from tests.support.memory.drift import filter_drift_events

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import date, datetime

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.commit import RowChange
    from reconciler.model.host import HostEvent
    from reconciler.model.rows import ChangeCursor, DriftFilter, HistoryPoint, RecordedEvent, VersionRow
    from reconciler.ports import VersionFilter
    from tests.support.memory.ledger import MemoryLedger


class Entry(NamedTuple):
    """A version and what it did to rows."""

    row: VersionRow
    changes: tuple[RowChange, ...]


class PastQueries:
    """What is asked of the past; the ledger adds the rest."""

    _kinds: dict[str, Kind]
    _entries: dict[str, Entry]
    _events: dict[tuple[str, str, int], RecordedEvent]
    _intervals: dict[tuple[str, str, int], LiveInterval]
    _others: dict[str, MemoryLedger]

    def find_versions(self, only: VersionFilter, *, limit: int) -> tuple[VersionRow, ...]:
        """The versions that a filter lets through, newest committer time first."""
        touching = self._touching(only)
        found = [row for row, _ in self._entries.values() if _passes(row, only)]
        found = [row for row in found if touching is None or row.commit.sha in touching]
        found.sort(key=lambda row: row.commit.sha)
        return tuple(sorted(found, key=lambda row: (row.commit.committer.time, row.height), reverse=True)[:limit])

    def activity(self, since: datetime, refused: Collection[str] = ()) -> tuple[ActiveDay, ...]:
        """The days since a moment on which anything was committed to the mainline."""
        days: dict[date, list[VersionRow]] = {}
        for row, _ in self._entries.values():
            at = canonical.utc(row.commit.committer.time)
            if row.mainline and not row.orphaned and at >= since:
                days.setdefault(at.date(), []).append(row)
        return tuple(
            ActiveDay(
                day=day,
                commits=len(rows),
                invalid=sum(row.status == Status.INVALID for row in rows),
                creates=sum(row.creates for row in rows if row.commit.sha not in refused),
                updates=sum(row.updates for row in rows if row.commit.sha not in refused),
                deletes=sum(row.deletes for row in rows if row.commit.sha not in refused),
                refused=sum(row.commit.sha in refused and row.status == Status.VALID for row in rows),
            )
            for day, rows in sorted(days.items())
        )

    def count_orphans(self) -> int:
        """How many versions the branch no longer reaches."""
        return sum(entry.row.orphaned for entry in self._entries.values())

    def side_versions(self) -> Mapping[str, SideVersion]:
        """All versions that are not on the mainline now, by their commits."""
        return {
            sha: SideVersion(row.commit.parents, row.mainline and row.status == Status.VALID)
            for sha, (row, _) in self._entries.items()
            if row.orphaned or not row.mainline
        }

    def live_at(self, host: str, moment: datetime) -> LiveInterval | None:
        """What was live on a host at a moment."""
        known = [one for one in self._known(host) if one.since <= moment]
        newest = known[-1] if known else None
        return None if newest is None or (newest.until is not None and newest.until <= moment) else newest

    def intervals_of(self, host: str, commits: Collection[str]) -> tuple[LiveInterval, ...]:
        """From when to when some commits were live on a host."""
        return tuple(one for one in self._known(host) if one.commit in commits)

    def newest_intervals(self, host: str, limit: int, *, off: str | None = None) -> tuple[LiveInterval, ...]:
        """The newest intervals, of all branches or of all but one."""
        return tuple([one for one in reversed(self._known(host)) if one.branch != off][:limit])

    def mainline_heights(self, shas: Collection[str]) -> Mapping[str, int]:
        """The heights of those of some commits that are on the mainline."""
        rows = (self._entries[sha].row for sha in shas if sha in self._entries)
        return {row.commit.sha: row.height for row in rows if row.mainline and not row.orphaned}

    def refusals_of(self, host: str, commits: Collection[str]) -> tuple[Refusal, ...]:
        """Why some commits were refused on a host."""
        told = sorted((one for one in self._told(host)), key=lambda event: (event.at, event.seq))
        found = {one.commit: one for one in told if one.event == REFUSED and one.commit in commits}
        return tuple(map(Refusal.of_event, found.values()))

    def refused_since(self, host: str, moment: datetime) -> tuple[str, ...]:
        """The commits that were refused on a host since a time."""
        told = (one for one in self._told(host) if one.event == REFUSED and one.at >= moment)
        return tuple(sorted({one.commit for one in told if one.commit}))

    def halts_at(self, host: str, moment: datetime) -> HostEvent | None:
        """The newest host event of a host until a moment that says which halts stood."""
        told = [one for one in self._told(host) if "halts" in one.detail and one.at <= moment]
        return max(told, key=lambda one: (one.at, one.seq), default=None)

    def last_rollback(self, host: str) -> HostEvent | None:
        """The newest host event of a host about a rollback, or the end of one."""
        told = [one for one in self._told(host) if one.event in (ROLLED_BACK, ROLLBACK_ENDED)]
        return max(told, key=lambda one: (one.at, one.seq), default=None)

    def drift_events(self, host: str, only: DriftFilter) -> tuple[HostEvent, ...]:
        """The host events of a host about drift that a filter lets through."""
        return filter_drift_events(self._told(host), only)

    def _told(self, host: str) -> Iterator[HostEvent]:
        """The events of a host, whichever branch it followed."""
        for ledger in self._others.values():
            yield from (one.event for one in ledger._events.values() if one.host == host)

    def _known(self, host: str) -> list[LiveInterval]:
        told = [
            LiveInterval(one.event.seq, one.event.commit, ledger._branch, one.event.digest or "", one.event.at)
            for ledger in self._others.values()
            for one in ledger._events.values()
            if one.host == host and one.event.event in WENT_LIVE and one.event.commit
        ]
        recorded = [one for (owner, _, _), one in self._intervals.items() if owner == host]
        return complete_intervals(recorded, told)

    def version_at(self, moment: datetime) -> VersionRow | None:
        """The highest commit of the mainline whose committer time is not after a moment."""
        rows = [entry.row for entry in self._entries.values() if entry.row.mainline and not entry.row.orphaned]
        return max((r for r in rows if r.commit.committer.time <= moment), key=lambda row: row.height, default=None)

    def other_kinds(self, known: Kinds) -> tuple[Kind, ...]:
        """Nothing is left of a kind but its rows: it is as it was."""
        tables = {kind.table for kind in known}
        return tuple(self._kinds[name] for name in sorted(self._kinds) if self._kinds[name].table not in tables)

    def rows_at(self, kind: Kind, point: HistoryPoint, name: str | None = None) -> tuple[HistoryRow, ...]:
        """Each row of a kind at a point, or those that went by a name or id there, in order of the key column."""
        rows = self._state(kind, point)
        return tuple(rows[key] for key in sorted(rows) if name is None or name in _names(kind, rows[key]))

    def count_declared(self, kind: Kind, point: HistoryPoint) -> int:
        """How many resources of a kind git declares at a point."""
        return sum(row.op != Op.DELETE for row in self._state(kind, point).values())

    def changed_rows(
        self, kind: Kind, old: HistoryPoint, new: HistoryPoint
    ) -> tuple[tuple[HistoryRow | None, HistoryRow | None], ...]:
        """Each row that is another one at two points, as it is at both, in order of the key column."""
        before, after = self._state(kind, old), self._state(kind, new)
        pairs = ((before.get(key), after.get(key)) for key in sorted({*before, *after}))
        return tuple((one, other) for one, other in pairs if one != other)

    def changes_of(self, kind: Kind, name: str) -> tuple[HistoryChange, ...]:
        """Every change of the resources that ever went by a name or id, the highest first; orphaned ones too."""
        past = list(self._past(kind, lambda row: row.mainline and row.status == Status.VALID))
        keys = {one.row.values[kind.key] for one in past if name in _names(kind, one.row)}
        return _highest_first(kind, [one for one in past if one.row.values[kind.key] in keys])

    def newest_changes(self, kind: Kind, *, limit: int, after: ChangeCursor | None = None) -> tuple[HistoryChange, ...]:
        """The highest changes of a kind first, so many at most, and of each row among them those before."""
        placed = [(cursor_order(change_cursor(kind, one)), one) for one in self._past(kind, _counts)]
        past = [one for place, one in sorted(placed, key=itemgetter(0)) if after is None or place > cursor_order(after)]
        keys = {one.row.values[kind.key] for one in past[:limit]}
        return tuple(one for one in past if one.row.values[kind.key] in keys)

    def _touching(self, only: VersionFilter) -> set[str] | None:
        if only.kinds is None:
            return None
        kinds = {kind.name for kind in only.kinds}
        touched = [
            (sha, change.row.resource)
            for sha, entry in self._entries.items()
            for change in entry.changes
            if change.row.resource.kind in kinds
        ]
        wanted = {one.row_id for _, one in touched if only.name in (None, one.name, one.id)}
        return {sha for sha, one in touched if one.row_id in wanted}

    def _state(self, kind: Kind, point: HistoryPoint) -> dict[str, HistoryRow]:
        def reached(row: VersionRow) -> bool:
            return row.commit.sha in point.dropped or (_counts(row) and row.height <= point.height)

        past = sorted(self._past(kind, reached), key=lambda one: one.row.height)
        return {str(one.row.values[kind.key]): one.row for one in past}

    def _past(self, kind: Kind, wanted: Callable[[VersionRow], bool]) -> Iterator[HistoryChange]:
        for version, changes in self._entries.values():
            if wanted(version):
                for change in changes:
                    if change.row.resource.kind == kind.name:
                        yield HistoryChange(_past_row(kind, version, change), version)


def values_of(kind: Kind, change: RowChange) -> dict[str, Any]:
    """The columns of the desired table."""
    names = [*(column.name for column in kind.columns), *TIMESTAMPS, *(name for name, _ in declaration_columns(kind))]
    values = (canonical.utc(v) if hasattr(v, "utcoffset") else v for v in desired_values(kind, change.row))
    return dict(zip(names, values, strict=True))


def _past_row(kind: Kind, version: VersionRow, change: RowChange) -> HistoryRow:
    prune = str(change.row.removed.prune) if change.row.removed else ""
    return HistoryRow(str(change.change.op), prune, version.commit.sha, version.height, values_of(kind, change))


def _counts(row: VersionRow) -> bool:
    return row.mainline and not row.orphaned and row.status == Status.VALID


def _names(kind: Kind, row: HistoryRow) -> tuple[Any, Any]:
    return row.values[name_column(kind)], row.values[kind.key]


def _highest_first(kind: Kind, past: list[HistoryChange]) -> tuple[HistoryChange, ...]:
    return tuple(sorted(past, key=lambda one: (-one.row.height, one.row.commit, str(one.row.values[kind.key]))))


def _rank(sha: str, at: datetime, height: int) -> tuple[float, int, str]:
    return -at.timestamp(), -height, sha


def _holds(row: VersionRow, text: str) -> bool:
    commit = row.commit
    is_sha = len(text) >= 4 and set(text) <= set("0123456789abcdef")
    whole = f"{commit.message} {commit.author.name} <{commit.author.email}>"
    return text in whole.lower() or (is_sha and commit.sha.startswith(text))


def _passes(row: VersionRow, only: VersionFilter) -> bool:
    at, author = row.commit.committer.time, f"{row.commit.author.name} <{row.commit.author.email}>"
    return (
        row.orphaned == (only.status == ORPHANED)
        and only.status in (None, ORPHANED, row.status)
        and (only.author is None or only.author.lower() in author.lower())
        and (only.text is None or _holds(row, only.text.lower()))
        and (only.since is None or at >= only.since)
        and (only.until is None or at < only.until)
        and (only.after is None or _rank(row.commit.sha, at, row.height) > _rank(only.after[2], *only.after[:2]))
    )
