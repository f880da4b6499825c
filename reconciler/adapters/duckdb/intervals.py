"""Live intervals in the store: written in the transaction of the rows that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.adapters.duckdb.connection import fetch_first
from reconciler.model.intervals import IntervalEnd, LiveInterval, why_replaced
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.evidence.chain import Span

SCHEMA = """
CREATE TABLE gitops.live (
    seq BIGINT NOT NULL, commit_sha VARCHAR NOT NULL, branch VARCHAR NOT NULL, digest VARCHAR NOT NULL,
    live_from TIMESTAMP NOT NULL, live_until TIMESTAMP, ended VARCHAR, change BIGINT NOT NULL, store UUID NOT NULL
);
"""
COLUMNS = "seq, commit_sha, branch, digest, live_from, live_until, ended, change, store"
INSERT = f"INSERT INTO gitops.live ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
INTERVAL_CURSOR = "live_intervals"
NEWEST = "ORDER BY live_from DESC, change DESC LIMIT 1"


class Timeline(Struct, frozen=True):
    """Where a store's intervals go on: the bound branch, the store's id, the newest change, and what is live.

    `ended` is when the last one ended, where nothing is live.
    """

    branch: str
    store: str
    change: int
    present: LiveInterval | None
    ended: datetime | None


def read_timeline(connection: StoreConnection) -> Timeline:
    """Where the intervals go on. Holds until somebody else writes, or the store is bound to another branch."""
    record = fetch_first(
        connection,
        "SELECT (SELECT branch FROM gitops.owner), store, (SELECT max(change) FROM gitops.live), "
        "(SELECT max(live_until) FROM gitops.live) FROM gitops.format",
    )
    assert record is not None
    branch, store, change, ended = record
    until = None if ended is None else canonical.utc(ended)
    return Timeline(branch or "", str(store), change or 0, _open_interval(connection), until)


def begin_interval(
    connection: StoreConnection,
    timeline: Timeline,
    commit: str,
    digest: str,
    now: datetime,
    *,
    ended: IntervalEnd | None = None,
) -> Timeline:
    """A commit of the bound branch is live from now on; what was live before is not any more. `digest` is the live one.

    `ended` is why what was live before is not any more, where commits and branches do not say it.

    The same state of the same branch goes on as it is; the same commit in another state is under other halts. Never
    begins before the one before has ended, whatever the clock does. Returns where the intervals go on once this is
    committed.
    """
    before, branch, change = timeline.present, timeline.branch, timeline.change
    if before is None:
        since = max(now, timeline.ended) if timeline.ended else now
    elif (before.commit, before.branch, before.digest) == (commit, branch, digest):
        return timeline
    else:
        since, change = max(now, before.since), change + 1
        connection.execute(
            "UPDATE gitops.live SET live_until = ?, ended = ?, change = ? WHERE seq = ? AND store = ?",
            [since, ended or _why_ended(before, commit, branch), change, before.seq, before.store],
        )
    change += 1
    interval = LiveInterval(change, commit, branch, digest, since, change=change, store=timeline.store)
    connection.execute(INSERT, _record(interval))
    return replace(timeline, change=change, present=interval)


def _why_ended(before: LiveInterval, commit: str, branch: str) -> IntervalEnd:
    if (before.commit, before.branch) == (commit, branch):
        return IntervalEnd.HALT_CHANGED
    return why_replaced(before.branch, branch)


def _open_interval(connection: StoreConnection) -> LiveInterval | None:
    """What is live now."""
    record = fetch_first(connection, f"SELECT {COLUMNS} FROM gitops.live WHERE live_until IS NULL {NEWEST}")
    return None if record is None else LiveInterval.of_record(record)


def interval_at(connection: StoreConnection, moment: datetime) -> LiveInterval | None:
    """What was live at a moment, as far as this store knows."""
    record = fetch_first(
        connection,
        f"SELECT {COLUMNS} FROM gitops.live WHERE live_from <= ? AND (live_until IS NULL OR live_until > ?) {NEWEST}",
        moment,
        moment,
    )
    return None if record is None else LiveInterval.of_record(record)


def intervals_of(connection: StoreConnection, commits: Collection[str]) -> tuple[LiveInterval, ...]:
    """The intervals of some commits, the oldest first."""
    query = f"SELECT {COLUMNS} FROM gitops.live WHERE commit_sha IN (SELECT unnest(?::VARCHAR[])) ORDER BY change"
    return tuple(map(LiveInterval.of_record, connection.execute(query, [list(commits)]).fetchall())) if commits else ()


def newest_intervals(connection: StoreConnection, limit: int, off: str | None) -> tuple[LiveInterval, ...]:
    """The newest intervals, of all branches or of all but one, the newest first."""
    others = "WHERE branch IS DISTINCT FROM ? ORDER BY live_from DESC, change DESC LIMIT ?"
    query = f"SELECT {COLUMNS} FROM gitops.live {others}"
    return tuple(map(LiveInterval.of_record, connection.execute(query, [off, limit]).fetchall()))


def intervals_after(connection: StoreConnection, change: int, limit: int) -> tuple[LiveInterval, ...]:
    """The intervals that were written after a change, in that order."""
    query = f"SELECT {COLUMNS} FROM gitops.live WHERE change > ? ORDER BY change LIMIT ?"
    return tuple(map(LiveInterval.of_record, connection.execute(query, [change, limit]).fetchall()))


def intervals_in(connection: StoreConnection, span: Span) -> tuple[LiveInterval, ...]:
    """The intervals that began or ended within a span."""
    query = (
        f"SELECT {COLUMNS} FROM gitops.live WHERE store = $store "
        "AND ((seq > $after AND seq <= $to) OR (change > $after AND change <= $to)) ORDER BY change, seq"
    )
    bounds = {"store": span.store, "after": span.after, "to": span.to}
    return tuple(map(LiveInterval.of_record, connection.execute(query, bounds).fetchall()))


def add_intervals(connection: StoreConnection, intervals: Iterable[LiveInterval]) -> None:
    """Add intervals as they are, with the numbers and the store that they have."""
    records = list(map(_record, intervals))
    if records:
        connection.executemany(INSERT, records)


def take_over_intervals(connection: StoreConnection, intervals: Sequence[LiveInterval]) -> None:
    """Take over what a store knows that this one, a copy of its past, takes the place of; numbers go on after its.

    Without any, what was live when the copy was made is known until then: later only the store knew.
    """
    if intervals:
        connection.executemany(
            "DELETE FROM gitops.live WHERE seq = ? AND store = ?", [[one.seq, one.store] for one in intervals]
        )
        add_intervals(connection, intervals)
        return
    connection.execute(
        "UPDATE gitops.live SET ended = ?, "
        "live_until = greatest(live_from, (SELECT max(happened_at) FROM gitops.events)) WHERE live_until IS NULL",
        [IntervalEnd.REPLACED],
    )


def _record(interval: LiveInterval) -> list[object]:
    one = interval
    return [one.seq, one.commit, one.branch, one.digest, one.since, one.until, one.ended, one.change, one.store]
