"""What was live on a host, as it reported: its live intervals, and before there were any its host events.

Intervals of all branches of a repository count: a host may have followed another one.
"""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from reconciler.evidence.chain import Record, Span
from reconciler.ledger.tables import clamp, recorded_event
from reconciler.model.intervals import LiveInterval
from reconciler.model.refusal import Refusal
from reconciler.tables.clickhouse import EVENTS_TABLE, INTERVALS_TABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from reconciler.ledger.connection import Connection
    from reconciler.ledger.tables import Catalog
    from reconciler.model.host import HostEvent
    from reconciler.model.rows import DriftFilter

RECORDED = """
SELECT seq, commit_sha, branch, digest, live_from, live_until, ended, generation, store
FROM {database:Identifier}.live_intervals FINAL
WHERE repository = {repository:String} AND host = {host:String}
"""

TOLD = """
SELECT seq, assumeNotNull(commit_sha) AS commit_sha, branch, coalesce(digest, '') AS digest, happened_at AS live_from,
  nullIf(happened_at, happened_at) AS live_until, '' AS ended, toUInt64(0) AS generation, store
FROM {database:Identifier}.host_events AS told FINAL
WHERE repository = {repository:String} AND host = {host:String} AND event IN ('applied', 'restored')
  AND told.commit_sha IS NOT NULL
"""

BEFORE_INTERVALS = Template("""
AND happened_at < (SELECT if(count() = 0, toDateTime64('2299-12-31', 6, 'UTC'), min(live_from)) FROM ($RECORDED))
""").substitute(RECORDED=RECORDED)

INTERVALS = Template("""
SELECT seq, commit_sha, branch, digest, live_from, least(ifNull(live_until, next_from), ifNull(next_from, live_until)),
  if(ended != '' OR next_from IS NULL, ended, if(next_branch = branch, 'replaced', 'branch-switched')),
  generation, store
FROM (
  SELECT *, min(toNullable(live_from)) OVER following AS next_from, min(branch) OVER following AS next_branch
  FROM ($SOURCES)
  WINDOW following AS (ORDER BY live_from, generation, seq ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING)
)
""")
"""An interval ends where the next one begins, also where the store that began it was lost before it ended."""

OF_COMMITS = " WHERE commit_sha IN {shas:Array(String)} ORDER BY live_from, generation, seq"
NEWEST = "ORDER BY live_from DESC, generation DESC, seq DESC LIMIT {limit:UInt64}"
OFF_BRANCH = f" WHERE branch != {{other:String}} {NEWEST}"
AT = """
 WHERE live_from <= {moment:DateTime64(6, 'UTC')} ORDER BY live_from DESC, generation DESC, seq DESC LIMIT 1
"""


REFUSALS = """
SELECT DISTINCT ON (commit_sha) host, seq, happened_at, event, commit_sha, digest, duration_ms, detail, store
FROM {database:Identifier}.host_events FINAL
WHERE repository = {repository:String} AND host = {host:String} AND event = 'refused'
  AND commit_sha IN {shas:Array(String)}
ORDER BY happened_at DESC, seq DESC
"""


REFUSED_SINCE = """
SELECT DISTINCT commit_sha FROM {database:Identifier}.host_events FINAL
WHERE repository = {repository:String} AND host = {host:String} AND event = 'refused' AND commit_sha IS NOT NULL
  AND happened_at >= {moment:DateTime64(6, 'UTC')}
ORDER BY commit_sha
"""


HALTS_AT = """
SELECT host, seq, happened_at, event, commit_sha, digest, duration_ms, detail, store
FROM {database:Identifier}.host_events FINAL
WHERE repository = {repository:String} AND host = {host:String} AND event IN ('halted', 'released')
  AND JSONHas(detail, 'halts') AND happened_at <= {moment:DateTime64(6, 'UTC')}
ORDER BY happened_at DESC, seq DESC LIMIT 1
"""


LAST_ROLLBACK = """
SELECT host, seq, happened_at, event, commit_sha, digest, duration_ms, detail, store
FROM {database:Identifier}.host_events FINAL
WHERE repository = {repository:String} AND host = {host:String} AND event IN ('rolled-back', 'rollback-ended')
ORDER BY happened_at DESC, seq DESC LIMIT 1
"""


DRIFT_EVENTS = Template("""
SELECT * FROM (
  SELECT host, seq, happened_at, event, commit_sha, digest, duration_ms, concat(
      '{"checked":', if(JSONHas(detail, 'checked'), JSONExtractRaw(detail, 'checked'), 'null'),
      ',"counts":', if(JSONHas(detail, 'counts'), JSONExtractRaw(detail, 'counts'), '{}'),
      ',"recorded":', toString(JSONLength(detail, 'rows')), ',"rows":[', arrayStringConcat(of_kind, ','), ']}'
    ) AS cut, store
  FROM (
    SELECT *, $DRIFT_OF_KIND AS of_kind FROM {database:Identifier}.host_events FINAL
    WHERE repository = {repository:String} AND host = {host:String}
      AND event IN ('drift-found', 'drift-healed', 'drift-gone', 'restored')
      AND ({always:Bool} OR commit_sha IN {commits:Array(String)})
  )
  WHERE {kind:String} = '' OR event != 'drift-healed' OR notEmpty(of_kind)
  ORDER BY abs(dateDiff('microsecond', happened_at, {near:DateTime64(6, 'UTC')})), seq DESC
  LIMIT {limit:UInt64}
) ORDER BY happened_at, seq
""")
"""`$DRIFT_OF_KIND` is the engine's: the rows of `detail` that are of a kind and, unless `every`, of some ids."""


EVENTS_IN = """
SELECT host, seq, happened_at, event, commit_sha, digest, duration_ms, detail, store
FROM {database:Identifier}.host_events FINAL
WHERE repository = {repository:String} AND store = {store:UUID} AND seq > {after:UInt64} AND seq <= {to:UInt64}
ORDER BY seq
"""
INTERVALS_IN = """
SELECT seq, commit_sha, branch, digest, live_from, live_until, ended, generation, store
FROM {database:Identifier}.live_intervals FINAL
WHERE repository = {repository:String} AND store = {store:UUID}
  AND ((seq > {after:UInt64} AND seq <= {to:UInt64}) OR (generation > {after:UInt64} AND generation <= {to:UInt64}))
ORDER BY generation, seq
"""
EVENT_NUMBERS = """
SELECT store, min(seq), max(seq) FROM {database:Identifier}.host_events
WHERE repository = {repository:String} AND host = {host:String} GROUP BY store ORDER BY store
"""
INTERVAL_NUMBERS = """
SELECT store, min(seq), max(generation) FROM {database:Identifier}.live_intervals
WHERE repository = {repository:String} AND host = {host:String} GROUP BY store ORDER BY store
"""
NEWEST_NAMED = """
SELECT host, seq, happened_at, event, commit_sha, digest, duration_ms, detail, store
FROM {database:Identifier}.host_events FINAL
WHERE repository = {repository:String} AND host = {host:String} AND event = {event:String}
ORDER BY happened_at DESC, seq DESC LIMIT {limit:UInt64}
"""


class IntervalQueries:
    """The part of a ledger that tells what was live."""

    _connection: Connection
    _catalog: Catalog
    _ours: Mapping[str, str]

    def live_at(self, host: str, moment: datetime) -> LiveInterval | None:
        """What was live on a host at a moment; None when the host has not told."""
        found = self._intervals(AT, host, moment=clamp(moment))
        interval = LiveInterval.of_record(found[0]) if found else None
        return None if interval is None or (interval.until is not None and interval.until <= moment) else interval

    def intervals_of(self, host: str, commits: Collection[str]) -> tuple[LiveInterval, ...]:
        """From when to when some commits were live on a host, the oldest first."""
        return (
            tuple(map(LiveInterval.of_record, self._intervals(OF_COMMITS, host, shas=list(commits)))) if commits else ()
        )

    def newest_intervals(self, host: str, limit: int, *, off: str | None = None) -> tuple[LiveInterval, ...]:
        """The newest intervals of a host, of all branches or of all but one."""
        which, bound = (NEWEST, {}) if off is None else (OFF_BRANCH, {"other": off})
        return tuple(map(LiveInterval.of_record, self._intervals(which, host, limit=limit, **bound)))

    def refusals_of(self, host: str, commits: Collection[str]) -> tuple[Refusal, ...]:
        """Why some commits were refused on a host: the newest refusal of each."""
        if not commits or not self._catalog.columns(EVENTS_TABLE):
            return ()
        repository = self._ours["repository"]
        rows = self._connection.ask(REFUSALS, host=host, repository=repository, shas=list(commits))
        return tuple(Refusal.of_event(recorded_event(row).event) for row in rows)

    def refused_since(self, host: str, moment: datetime) -> tuple[str, ...]:
        """The commits that were refused on a host since a time."""
        if not self._catalog.columns(EVENTS_TABLE):
            return ()
        repository = self._ours["repository"]
        rows = self._connection.ask(REFUSED_SINCE, host=host, repository=repository, moment=clamp(moment))
        return tuple(str(sha) for (sha,) in rows)

    def halts_at(self, host: str, moment: datetime) -> HostEvent | None:
        """The newest host event of a host until a moment that says which halts stood."""
        if not self._catalog.columns(EVENTS_TABLE):
            return None
        repository = self._ours["repository"]
        rows = self._connection.ask(HALTS_AT, host=host, repository=repository, moment=clamp(moment))
        return next((recorded_event(row).event for row in rows), None)

    def last_rollback(self, host: str) -> HostEvent | None:
        """The newest host event of a host about a rollback, or the end of one."""
        if not self._catalog.columns(EVENTS_TABLE):
            return None
        rows = self._connection.ask(LAST_ROLLBACK, host=host, repository=self._ours["repository"])
        return next((recorded_event(row).event for row in rows), None)

    def drift_events(self, host: str, only: DriftFilter) -> tuple[HostEvent, ...]:
        """Host events about drift on a host, the oldest first."""
        if not self._catalog.columns(EVENTS_TABLE) or (only.commits is not None and not only.commits):
            return ()
        lists = {"ids": list(only.ids or ()), "commits": list(only.commits or ())}
        asked = {"kind": only.kind, "near": clamp(only.near), "limit": only.limit, **lists}
        every, always, repository = only.ids is None, only.commits is None, self._ours["repository"]
        statement = DRIFT_EVENTS.substitute(DRIFT_OF_KIND=self._connection.drift_of_kind)
        rows = self._connection.ask(statement, host=host, repository=repository, every=every, always=always, **asked)
        return tuple(recorded_event(row).event for row in rows)

    def events_in(self, span: Span) -> tuple[HostEvent, ...]:
        """The host events of a span of the chain, in order, whatever the host was called."""
        found = self._recorded_in(EVENTS_TABLE, EVENTS_IN, span)
        return tuple(recorded_event(row).event for row in found)

    def intervals_in(self, span: Span) -> tuple[LiveInterval, ...]:
        """The live intervals that began or ended within a span of the chain."""
        return tuple(map(LiveInterval.of_record, self._recorded_in(INTERVALS_TABLE, INTERVALS_IN, span)))

    def recorded_numbers(self, host: str) -> tuple[Span, ...]:
        """From which to which number there are events and intervals of a host, by the store that gave them."""
        return tuple(
            Span(of, str(store), int(first) - 1, int(last))
            for of, table, statement in (
                (Record.EVENTS, EVENTS_TABLE, EVENT_NUMBERS),
                (Record.INTERVALS, INTERVALS_TABLE, INTERVAL_NUMBERS),
            )
            if self._catalog.columns(table)
            for store, first, last in self._connection.ask(statement, host=host, repository=self._ours["repository"])
        )

    def newest_events_named(self, host: str, event: str, limit: int) -> tuple[HostEvent, ...]:
        """The newest host events of a host that have a name, the newest first."""
        if not self._catalog.columns(EVENTS_TABLE):
            return ()
        asked = {"host": host, "event": event, "limit": limit, "repository": self._ours["repository"]}
        return tuple(recorded_event(row).event for row in self._connection.ask(NEWEST_NAMED, **asked))

    def _recorded_in(self, table: str, statement: str, span: Span) -> Sequence[Sequence[object]]:
        if not self._catalog.columns(table):
            return ()
        bounds = {"store": span.store, "after": span.after, "to": span.to}
        return self._connection.ask(statement, repository=self._ours["repository"], **bounds)

    def _intervals(self, which: str, host: str, **bound: object) -> Sequence[Sequence[object]]:
        has_events, has_intervals = (self._catalog.columns(table) for table in (EVENTS_TABLE, INTERVALS_TABLE))
        sources = [RECORDED] if has_intervals else []
        if has_events:
            sources.append(TOLD + BEFORE_INTERVALS if has_intervals else TOLD)
        if not sources:
            return ()
        statement = INTERVALS.substitute(SOURCES=" UNION ALL ".join(sources)) + which
        return self._connection.ask(statement, host=host, repository=self._ours["repository"], **bound)
