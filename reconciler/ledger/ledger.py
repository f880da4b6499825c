"""The ledger: git's history as rows of a database. One code path for all engines.

Nothing is formatted into a statement: names are bound as well, as `Identifier`. FINAL leaves the newest of a commit's
rows, merged by the engine already or not. Which history rows count is decided by the table of versions alone: those of
valid commits on the mainline that are not orphaned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from reconciler import __version__
from reconciler.errors import BugError, UsageError
from reconciler.history.points import group_by_merge, order_newest_first, sha_prefix, to_version_row
from reconciler.ledger.adoption import adopt_rows
from reconciler.ledger.history import HIGHEST, HistoryQueries, build, resolve_versions
from reconciler.ledger.intervals import IntervalQueries
from reconciler.ledger.offered import list_tables
from reconciler.ledger.tables import (
    Catalog,
    bound_columns,
    event_values,
    interval_values,
    recorded_event,
    row_values,
    state_values,
    version_row,
    version_values,
)
from reconciler.model.problem import verdict_of
from reconciler.model.rows import TableExport
from reconciler.slices import slices
from reconciler.tables.clickhouse import (
    EVENTS,
    EVENTS_TABLE,
    INTERVALS,
    STATES,
    VERSIONS,
    VERSIONS_TABLE,
    history_table,
)
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.ledger.connection import Connection, RecordedBranch
    from reconciler.ledger.offered import OfferedTable
    from reconciler.model.commit import Version
    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.rows import QueryLimits, QueryResult, RecordedEvent, VersionRow
    from reconciler.ports import Clock

INSERTED_AT_ONCE = 20_000
"""Rows of a kind in one insert: few large ones suit ClickHouse, and memory stays bounded."""
LAST_CHANGE = build("""
SELECT coalesce(max(seq), 0) FROM {database:Identifier}.version_states
WHERE $OURS AND store = {store:UUID}
""")

EVER_RECORDED = build("""
SELECT commit_sha FROM {database:Identifier}.config_versions
WHERE $OURS AND commit_sha IN {shas:Array(String)}
""")
"""Without FINAL: each row of a commit tells that it was recorded."""

VERDICT = verdict_of(__version__)
RECORDED = build("""
SELECT commit_sha, mainline FROM $VERSIONS
WHERE $OURS AND NOT orphaned
  AND NOT (position('"cannot-judge"' IN problems) > 0 AND position({verdict:String} IN problems) = 0)
""")
"""What another version of the program could not judge is as good as not recorded: this one judges it again."""

RECORDED_AMONG = RECORDED + "  AND commit_sha IN {shas:Array(String)}"

ABBREVIATED = build("""
SELECT $VERSION FROM $VERSIONS
WHERE $OURS AND startsWith(commit_sha, {sha:String})
ORDER BY commit_sha LIMIT 5
""")
"""Orphaned ones too; five are enough to say that a sha is ambiguous."""

BRANCHES = """
SELECT branch FROM {database:Identifier}.config_versions
WHERE repository = {repository:String} AND startsWith(commit_sha, {sha:String})
GROUP BY branch ORDER BY max(recorded_at) DESC, branch
"""

BY_SHA = build("""
SELECT $VERSION FROM $VERSIONS
WHERE $OURS AND commit_sha IN {shas:Array(String)}
""")
"""Orphaned ones too."""

HEIGHTS = build("""
SELECT commit_sha, height FROM $VERSIONS
WHERE $OURS AND mainline AND NOT orphaned AND commit_sha IN {shas:Array(String)}
""")

NEWEST_ON_MAINLINE = build("""
SELECT $VERSION FROM $VERSIONS
WHERE $OURS AND mainline AND NOT orphaned AND height <= {upto:UInt32}
ORDER BY height DESC LIMIT {limit:UInt64}
""")

MERGES = build("""
SELECT commit_sha, parents FROM $VERSIONS
WHERE $OURS AND mainline AND NOT orphaned AND length(parents) > 1
ORDER BY height
""")

SIDE = build("""
SELECT commit_sha, parents FROM $VERSIONS
WHERE $OURS AND NOT mainline AND NOT orphaned
""")

ROW_COUNTS = build("""
SELECT $COMMIT, count() FROM $TABLE FINAL
WHERE $ROWS_OF_OURS AND $COMMIT IN {shas:Array(String)}
GROUP BY $COMMIT
""")

NEWEST_EVENTS = build("""
SELECT host, seq, happened_at, event, commit_sha, digest, duration_ms, detail, store
FROM {database:Identifier}.host_events FINAL
WHERE $OURS AND ({host:String} = '' OR host = {host:String})
ORDER BY happened_at DESC, host, store, seq DESC LIMIT {limit:UInt64}
""")


NO_STORE = "00000000-0000-0000-0000-000000000000"
"""Of whoever has no store, and so sees the history as the host that changed it last."""

CANDIDATE_CHARACTERS = 6
"""How much longer than what was asked the candidates for an ambiguous sha are shown."""


class SqlLedger(HistoryQueries, IntervalQueries, ABC):
    """The history of one repository and branch. A context manager: closing it gives the engine free.

    Engines differ in how they run what somebody else wrote: `query`.
    """

    @abstractmethod
    def query(self, sql: str, limits: QueryLimits) -> QueryResult:
        """What a query finds in `versions`, `host_events`, `live_intervals` and the tables of the kinds.

        Raises `UsageError` for what cannot be run, or takes too long or too much.
        """

    def __init__(self, connection: Connection, recorded: RecordedBranch, clock: Clock) -> None:
        self._connection = connection
        self._catalog = Catalog(connection)
        self._recorded = recorded
        self._ours = {"repository": recorded.repository, "branch": recorded.branch}
        self._store = recorded.store or NO_STORE
        self._last_change = 0
        self._clock = clock
        self._kinds: dict[str, Kind] = {}

    @classmethod
    def opened(cls, connection: Connection, recorded: RecordedBranch, clock: Clock) -> Self:
        """The ledger with all that was ever recorded of the repository, whatever it was called. Closes on failure."""
        with ExitStack() as closing:
            closing.callback(connection.close)
            ledger = cls(connection, recorded, clock)
            adopt_rows(connection, ledger._catalog, recorded)
            closing.pop_all()
        return ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the ledger cannot be used after it."""
        self._connection.close()

    def prepare(self, kinds: Kinds) -> None:
        """Create the tables of these kinds, or add what columns they lack: one query when nothing is new."""
        self._catalog.fit(kinds)
        self._kinds |= kinds.by_name

    def recorded_commits(self, among: Collection[str] | None = None) -> Mapping[str, bool]:
        """The recorded commits that are not orphaned (of some, or all), and whether each is on the mainline."""
        if among is None or len(among) > MAX_BOUND_SHAS:
            recorded = {str(sha): bool(mainline) for sha, mainline in self._ask(RECORDED, verdict=VERDICT)}
            return recorded if among is None else {sha: recorded[sha] for sha in among if sha in recorded}
        rows = self._ask(RECORDED_AMONG, shas=list(among), verdict=VERDICT) if among else ()
        return {str(sha): bool(mainline) for sha, mainline in rows}

    def record(self, versions: Sequence[Version]) -> None:
        """Record versions: an insert for each kind with rows among them, or a few for many, then one for the versions.

        Rows count once their version is there.
        """
        for kind in self._kinds_of(versions):
            for rows in slices(self._rows_of(kind, versions), INSERTED_AT_ONCE):
                self._connection.insert(history_table(kind), rows)
        now = self._clock.now()
        self._write([to_version_row(version, now) for version in versions], now)

    def orphan(self, shas: Collection[str]) -> None:
        """Mark commits that the branch no longer reaches."""
        rows = [replace(row, orphaned=True) for row in self._by_sha(shas) if not row.orphaned]
        if rows:
            self._write_states(rows, self._clock.now())

    def record_events(self, host: str, events: Sequence[HostEvent]) -> None:
        """Record what happened on a host: one insert, into a table that is made when it is missing."""
        if events:
            self._catalog.fit_own(EVENTS)
            values = ((*self._ours.values(), *event_values(host, event)) for event in events)
            self._connection.insert(EVENTS, values)

    def record_intervals(self, host: str, intervals: Sequence[LiveInterval]) -> None:
        """Record what was live on a host: one insert, into a table that is made when it is missing."""
        if intervals:
            self._catalog.fit_own(INTERVALS)
            repository = self._ours["repository"]
            values = ((repository, *interval_values(host, interval)) for interval in intervals)
            self._connection.insert(INTERVALS, values)

    def events(self, *, limit: int, host: str | None = None) -> tuple[RecordedEvent, ...]:
        """The newest host events first, of one host or of all."""
        if not self._catalog.columns(EVENTS_TABLE):
            return ()
        rows = self._connection.ask(NEWEST_EVENTS, limit=limit, host=host or "", **self._ours)
        return tuple(map(recorded_event, rows))

    def find_by_sha(self, shas: Collection[str]) -> tuple[VersionRow, ...]:
        """The versions of some commits in no particular order, orphaned ones too."""
        return tuple(self._by_sha(shas))

    def mainline_heights(self, shas: Collection[str]) -> Mapping[str, int]:
        """The heights of those of some commits that are on the mainline and not orphaned."""
        return {str(sha): int(height) for sha, height in self._ask(HEIGHTS, shas=list(shas))} if shas else {}

    def row_counts(self, kinds: Kinds, shas: Collection[str]) -> Mapping[str, int]:
        """How many changes of rows of these kinds are there for each of some commits."""
        counts = dict.fromkeys(shas, 0)
        for kind in kinds if shas else ():
            if self._catalog.columns(kind.table):
                rows = self._connection.ask(
                    ROW_COUNTS, table=kind.table, shas=list(shas), **bound_columns(kind), **self._ours
                )
                for sha, count in rows:
                    counts[sha] += count
        return counts

    def versions(self, *, limit: int, upto: int | None = None) -> tuple[VersionRow, ...]:
        """The newest versions first, orphaned ones left out: each side branch after the commit that merged it."""
        newest = self._ask(NEWEST_ON_MAINLINE, limit=limit, upto=HIGHEST if upto is None else upto)
        mainline = [version_row(values) for values in newest]
        merged: Mapping[str, Sequence[str]] = {}
        if any(len(row.commit.parents) > 1 for row in mainline):
            merged = group_by_merge(self._parents(MERGES).items(), self._parents(SIDE))
        rows = {row.commit.sha: row for row in mainline}
        listed = order_newest_first(list(rows), merged, limit)
        rows |= {row.commit.sha: row for row in self._by_sha([sha for sha in listed if sha not in rows])}
        return tuple(rows[sha] for sha in listed)

    def version(self, sha: str) -> VersionRow | None:
        """One version, orphaned ones too, by its sha or the start of it. Raises `UsageError` if that is not enough."""
        start = sha_prefix(sha)
        rows = [version_row(values) for values in self._ask(ABBREVIATED, sha=start)]
        matching = [row for row in rows if row.commit.sha == start] or rows
        if len(matching) > 1:
            candidates = ", ".join(row.commit.sha[: len(start) + CANDIDATE_CHARACTERS] for row in matching)
            raise UsageError(f"{sha} could be several commits: {candidates}", hint="give more of its characters")
        return matching[0] if matching else None

    def on_branch(self, branch: str) -> Self:
        """The same ledger for another branch of the repository; closed with this one."""
        other = type(self)(self._connection, replace(self._recorded, branch=branch), self._clock)
        other._catalog = self._catalog
        return self if branch == self._ours["branch"] else other

    def branches(self, sha: str = "") -> tuple[str, ...]:
        """The recorded branches, or those with a commit whose sha begins so; the one recorded last comes first."""
        return tuple(str(branch) for (branch,) in self._ask(BRANCHES, sha=sha.lower()))

    def exports(self) -> dict[str, TableExport]:
        """All tables for files, by name; their rows are to be read while the ledger is open."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return {}
        return {table.name: TableExport(table.name, table.columns, self._blocks(table)) for table in self.offered()}

    def _blocks(self, table: OfferedTable) -> Iterator[list[tuple[Any, ...]]]:
        for block in self._connection.blocks(f"{table.query} {table.order}", **self.bound()):
            yield [tuple(str(value) if isinstance(value, UUID) else value for value in row) for row in block]

    def offered(self) -> Iterator[OfferedTable]:
        """The tables that a query sees. Raises `UsageError` while there are none."""
        if not self._catalog.columns(VERSIONS_TABLE):
            raise UsageError("the history is empty", hint="`reconciler sync` records every commit of the branch")
        tables = self._catalog.tables()
        return list_tables(self._connection.database, tables, resolve_versions("$VERSIONS", self._catalog))

    def bound(self) -> dict[str, object]:
        """The parameters of the queries of those tables."""
        return {"database": self._connection.database, "store": self._store, **self._ours}

    def _kinds_of(self, versions: Iterable[Version]) -> list[Kind]:
        """The kinds of the rows of versions."""
        names = dict.fromkeys(change.row.resource.kind for version in versions for change in version.rows)
        unknown = next((name for name in names if name not in self._kinds), None)
        if unknown is not None:
            raise BugError(f"the ledger was not prepared for kind {unknown}")
        return [self._kinds[name] for name in names]

    def _rows_of(self, kind: Kind, versions: Iterable[Version]) -> Iterator[tuple[object, ...]]:
        """The rows of one kind, made one by one: those of a first commit would take a hundred megabytes."""
        ours = tuple(self._ours.values())
        for version in versions:
            for change in version.rows:
                if change.row.resource.kind == kind.name:
                    yield (*ours, *row_values(kind, version, change))

    def _write(self, rows: Sequence[VersionRow], now: datetime) -> None:
        """Record versions that nobody has recorded yet, and what changed of the others."""
        shas = [row.commit.sha for row in rows]
        recorded = {str(sha) for (sha,) in self._ask(EVER_RECORDED, shas=shas)}
        new = [row for row in rows if row.commit.sha not in recorded]
        if new:
            self._connection.insert(VERSIONS, ((*self._ours.values(), *version_values(row)) for row in new))
        changed = [row for row in rows if row.commit.sha in recorded]
        if changed:
            self._write_states(changed, now)

    def _write_states(self, rows: Sequence[VersionRow], now: datetime) -> None:
        self._last_change = 1 + max(self._last_change, int(self._ask(LAST_CHANGE)[0][0]))
        seen = (self._store, self._last_change, now)
        self._connection.insert(STATES, ((*self._ours.values(), *state_values(row, *seen)) for row in rows))

    def _by_sha(self, shas: Collection[str]) -> list[VersionRow]:
        rows = self._ask(BY_SHA, shas=list(shas)) if shas else ()
        return [version_row(values) for values in rows]

    def _parents(self, statement: str) -> dict[str, tuple[str, ...]]:
        return {sha: tuple(parents) for sha, parents in self._ask(statement)}


MAX_BOUND_SHAS = 10_000
"""Commits to ask about by name; of more than these all are fetched."""
