"""What the store keeps beside the rows: format, owner, applied and attempted commit, host events, suspension.

Host events are written in the transaction they are about.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.adapters.duckdb import intervals
from reconciler.adapters.duckdb.codec import dump_problems, load_problems
from reconciler.adapters.duckdb.connection import AlteredStore, fetch_first, fetch_number, transaction
from reconciler.adapters.duckdb.halts import read_failed, read_halts
from reconciler.errors import NeedsHuman
from reconciler.evidence.chain import ROOT_MADE, Record, Span
from reconciler.model.change import Stamp
from reconciler.model.commit import Applied, Attempt
from reconciler.model.halt import HaltAct
from reconciler.model.host import HostEvent, Owner, Suspension
from reconciler.model.intervals import LiveInterval, rebuild_intervals
from reconciler.model.refusal import REFUSED
from reconciler.model.rows import DRIFT_FOUND, DRIFT_GONE, DRIFT_HEALED, RESTORED
from reconciler.tables.problems import shorten_problems
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.model.problem import Problem
    from reconciler.model.rows import DriftFilter

FORMAT_VERSION = 9
OLDEST_FORMAT = 3
LACKS_PAST = "lacks_past"
"""A cursor: 1 in a store that was made anew or brought back, until the ledger has told what stood on the host."""
FORMAT_OF_INTERVALS = 5
"""The first one with live intervals."""

FAULTS = "CREATE TABLE gitops.faults (subject VARCHAR PRIMARY KEY, fault VARCHAR NOT NULL, program VARCHAR NOT NULL);"

HOLDS = """
CREATE TABLE gitops.halts (sequence BIGINT NOT NULL, standing JSON NOT NULL);
CREATE TABLE gitops.halted (kind VARCHAR NOT NULL, id UUID NOT NULL, said JSON NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE gitops.rollback (
    target VARCHAR NOT NULL, skipped VARCHAR NOT NULL, reason VARCHAR NOT NULL, actor VARCHAR NOT NULL,
    since TIMESTAMP NOT NULL, changes JSON NOT NULL
);
"""
"""What people keep from the rows: standing halts, what git says of the fields that they set, and a rollback."""

RULES = "CREATE TABLE gitops.rules (number BIGINT NOT NULL, id VARCHAR PRIMARY KEY, files BLOB NOT NULL);"
"""The rules of commits that went live."""

SCHEMA = f"""
CREATE SCHEMA gitops;
CREATE SCHEMA desired;
CREATE TABLE gitops.format (version INTEGER NOT NULL, store UUID NOT NULL);
CREATE TABLE gitops.owner (
    repository VARCHAR NOT NULL, branch VARCHAR NOT NULL, url VARCHAR, folder VARCHAR, roots VARCHAR[],
    bound BOOLEAN DEFAULT true
);
CREATE TABLE gitops.kinds (
    name VARCHAR PRIMARY KEY, table_name VARCHAR NOT NULL, key VARCHAR NOT NULL, columns VARCHAR[] NOT NULL,
    declared VARCHAR[] NOT NULL, definition VARCHAR NOT NULL, schema JSON NOT NULL
);
CREATE TABLE gitops.applied (
    commit_sha VARCHAR NOT NULL, committed_at TIMESTAMP NOT NULL, height BIGINT NOT NULL, digest VARCHAR NOT NULL,
    applied_at TIMESTAMP NOT NULL, warnings JSON NOT NULL, rebuilt BOOLEAN DEFAULT false,
    rules VARCHAR DEFAULT ''
);
CREATE TABLE gitops.attempted (
    commit_sha VARCHAR NOT NULL, committed_at TIMESTAMP NOT NULL, attempted_at TIMESTAMP NOT NULL,
    refused BOOLEAN NOT NULL, problems JSON NOT NULL
);
CREATE TABLE gitops.tombstones (
    kind VARCHAR NOT NULL, id UUID NOT NULL, resource JSON NOT NULL,
    created_commit VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL,
    updated_commit VARCHAR NOT NULL, updated_at TIMESTAMP NOT NULL,
    removed_commit VARCHAR NOT NULL, removed_at TIMESTAMP NOT NULL, prune VARCHAR NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE SEQUENCE gitops.event_seq;
CREATE TABLE gitops.events (
    seq BIGINT PRIMARY KEY DEFAULT nextval('gitops.event_seq'), happened_at TIMESTAMP NOT NULL, event VARCHAR NOT NULL,
    commit_sha VARCHAR, digest VARCHAR, duration_ms DOUBLE NOT NULL, detail JSON NOT NULL, store UUID NOT NULL
);
CREATE TABLE gitops.cursors (name VARCHAR PRIMARY KEY, position BIGINT NOT NULL);
CREATE TABLE gitops.suspension (
    reason VARCHAR NOT NULL, actor VARCHAR NOT NULL, since TIMESTAMP NOT NULL, until TIMESTAMP
);
{FAULTS}
{HOLDS}
{RULES}
"""

TABLES = frozenset(re.findall(r"CREATE TABLE (gitops\.\w+)", SCHEMA + intervals.SCHEMA))
"""The tables in gitops of a store."""
OLDEST_TABLES = TABLES - {
    *("gitops.faults", "gitops.live", "gitops.halts", "gitops.halted", "gitops.rollback", "gitops.rules")
}
"""Those of a store of any format that this program reads."""

UPGRADES = {
    4: """
    ALTER TABLE gitops.owner ADD COLUMN url VARCHAR;
    ALTER TABLE gitops.owner ADD COLUMN folder VARCHAR;
    ALTER TABLE gitops.owner ADD COLUMN roots VARCHAR[];
    UPDATE gitops.owner SET url = repository, folder = regexp_extract(repository, '[^:/]//([^/].*)$', 1), roots = [];
    """,
    5: intervals.SCHEMA,
    6: "ALTER TABLE gitops.owner ADD COLUMN IF NOT EXISTS bound BOOLEAN DEFAULT true",
    7: FAULTS,
    8: HOLDS,
    9: RULES
    + """
    ALTER TABLE gitops.applied ADD COLUMN IF NOT EXISTS rebuilt BOOLEAN DEFAULT false;
    ALTER TABLE gitops.applied ADD COLUMN IF NOT EXISTS rules VARCHAR DEFAULT '';
    """,
}
"""How a store of the format before becomes one of each format. `SCHEMA` makes the same tables at once."""

OWNER_COLUMNS = ("repository", "branch", "url", "folder", "roots", "bound")
APPLIED_COLUMNS = ("commit_sha", "committed_at", "height", "digest", "applied_at", "warnings", "rebuilt", "rules")
ATTEMPTED_COLUMNS = ("commit_sha", "committed_at", "attempted_at", "refused", "problems")


def stored_format(connection: StoreConnection) -> int | None:
    """The format of a store, this program's or one that it can upgrade; None for an empty file.

    Raises `NeedsHuman` when something else is in the file, or a newer format.
    """
    version = _version(connection)
    if version is None:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        if tables:
            raise NeedsHuman(
                f"the DuckDB file in the state folder is no store of ours: it holds {'.'.join(tables[0])}",
                hint="choose another folder with --state",
            )
        return None
    if not OLDEST_FORMAT <= version <= FORMAT_VERSION:
        raise NeedsHuman(
            f"the store has format {version}, this version of reconciler reads formats {OLDEST_FORMAT} to "
            f"{FORMAT_VERSION}",
            hint="update reconciler, or choose another folder with --state",
        )
    return version


def _version(connection: StoreConnection) -> int | None:
    """Asked for without looking whether there is such a table: a list of tables takes ten times as long."""
    try:
        return fetch_number(connection, "SELECT version FROM gitops.format")
    except AlteredStore:
        return None


def prepare(connection: StoreConnection) -> None:
    """Make an empty file a store, and a store of an older format one of this format. Raises like `stored_format`."""
    version = stored_format(connection)
    if version == FORMAT_VERSION:
        return
    with transaction(connection):
        if version is None:
            connection.execute(SCHEMA)
            connection.execute(intervals.SCHEMA)
            connection.execute("INSERT INTO gitops.format VALUES (?, uuid())", [FORMAT_VERSION])
            set_cursor(connection, LACKS_PAST, 1)
            return
        for newer in range(version + 1, FORMAT_VERSION + 1):
            connection.execute(UPGRADES[newer])
        if version < FORMAT_OF_INTERVALS:
            _tell_intervals(connection)
        connection.execute("UPDATE gitops.format SET version = ?", [FORMAT_VERSION])


def _tell_intervals(connection: StoreConnection) -> None:
    """Write down what the store's host events, those of the last week, and the applied commit tell of what was live."""
    bound, last = fetch_first(connection, "SELECT branch FROM gitops.owner"), applied(connection)
    branch = str(bound[0]) if bound else ""
    told = rebuild_intervals(events_after(connection, 0, MAX_EVENTS), branch)
    if last is not None and (not told or told[-1].commit != last.stamp.commit):
        told = [LiveInterval(1, last.stamp.commit, branch, last.digest, last.at)]
    store = identity(connection)
    numbered = (replace(one, seq=number, change=number, store=store) for number, one in enumerate(told, 1))
    intervals.add_intervals(connection, numbered)


def identity(connection: StoreConnection) -> str:
    """The id that the store was given when it was made, or the last time it was renewed."""
    record = fetch_first(connection, "SELECT store FROM gitops.format")
    assert record is not None
    return str(record[0])


def position(connection: StoreConnection) -> tuple[Any, ...] | None:
    """Where a store is: its format, id and newest host event. None for what is no store."""
    newest = "SELECT version, store, (SELECT max(seq) FROM gitops.events) FROM gitops.format"
    try:
        return fetch_first(connection, newest)
    except AlteredStore:
        return None


def renew_id(connection: StoreConnection) -> None:
    """Give the store another id: for a copy that goes on as the store, as its next events have numbers given before.

    The events that are there keep the id under which they happened.
    """
    connection.execute("UPDATE gitops.format SET store = uuid()")


def owner(connection: StoreConnection) -> Owner | None:
    """The repository and branch the store is bound to; None before it is."""
    record = fetch_first(connection, "SELECT repository, branch, url, folder, roots, bound FROM gitops.owner")
    if record is None:
        return None
    repository, branch, url, folder, roots, bound = record
    return Owner(repository, branch, url, folder, frozenset(roots), bound=bound)


def set_owner(connection: StoreConnection, owner: Owner) -> None:
    """Bind the store to a repository and branch, whatever it was bound to."""
    values = (owner.repository, owner.branch, owner.url, owner.folder, sorted(owner.roots), owner.bound)
    _put(connection, "gitops.owner", OWNER_COLUMNS, values)


def applied(connection: StoreConnection) -> Applied | None:
    """The commit whose state the live rows are."""
    record = fetch_first(
        connection, "SELECT commit_sha, committed_at, height, digest, applied_at, rebuilt, rules FROM gitops.applied"
    )
    if record is None:
        return None
    commit, time, height, digest, at, rebuilt, rules = record
    stamp, halts = Stamp(commit, canonical.utc(time)), read_halts(connection).digest_without(read_failed(connection))
    return Applied(stamp, height, digest, canonical.utc(at), halts, rebuilt, rules)


def set_applied(connection: StoreConnection, applied: Applied, warnings: Sequence[Problem]) -> None:
    """Replace the applied commit."""
    values = (applied.stamp.commit, applied.stamp.time, applied.height, applied.digest, applied.at)
    _put(
        connection,
        "gitops.applied",
        APPLIED_COLUMNS,
        (*values, dump_problems(warnings), applied.rebuilt, applied.rules),
    )


def attempted(connection: StoreConnection) -> Attempt | None:
    """The newest commit that was looked at."""
    record = fetch_first(
        connection, "SELECT commit_sha, committed_at, attempted_at, refused, problems FROM gitops.attempted"
    )
    if record is None:
        return None
    commit, time, at, refused, problems = record
    return Attempt(Stamp(commit, canonical.utc(time)), canonical.utc(at), refused, load_problems(problems))


def set_attempted(connection: StoreConnection, attempt: Attempt) -> Attempt:
    """Replace the newest attempt; gives it as it is read from now on, with not all of very many problems."""
    attempt = replace(attempt, problems=shorten_problems(attempt.problems))
    values = (attempt.stamp.commit, attempt.stamp.time, attempt.at, attempt.refused)
    _put(connection, "gitops.attempted", ATTEMPTED_COLUMNS, (*values, dump_problems(attempt.problems)))
    return attempt


def known_faults(connection: StoreConnection, program: str) -> dict[str, str]:
    """What a version of the program could not judge, and why, by subject."""
    records = connection.execute("SELECT subject, fault FROM gitops.faults WHERE program = ?", [program]).fetchall()
    return dict(records)


def keep_faults(connection: StoreConnection, program: str, faults: Mapping[str, str]) -> None:
    """Replace all that is known, of whatever version."""
    connection.execute("DELETE FROM gitops.faults")
    connection.execute(
        "INSERT INTO gitops.faults SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), ?",
        [list(faults), list(faults.values()), program],
    )


def _put(connection: StoreConnection, table: str, columns: tuple[str, ...], values: Sequence[object]) -> None:
    """Replace the only record of a table."""
    settings = ", ".join(f"{column} = ?" for column in columns)
    if not fetch_number(connection, f"UPDATE {table} SET {settings}", *values):
        marks = ", ".join("?" for _ in columns)
        connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", list(values))


EVENT_COLUMNS = "happened_at, event, commit_sha, digest, duration_ms, detail, store"
RECORDED_NUMBERS = f"""
SELECT '{Record.EVENTS}', store, min(seq), max(seq) FROM gitops.events GROUP BY store
UNION ALL SELECT '{Record.INTERVALS}', store, min(seq), max(change) FROM gitops.live GROUP BY store ORDER BY ALL
"""
EVENT_CURSOR = "host_events"
RECORDED_CURSOR = "recorded versions"
MAX_EVENTS = 100_000
"""Host events that an upgrade reads."""
DRIFT_EVENTS = f"""
SELECT * FROM (
  SELECT * FROM (
    SELECT seq, happened_at, event, commit_sha, digest, duration_ms, json_object(
      'checked', detail->'checked', 'counts', coalesce(detail->'counts', '{{}}'),
      'recorded', coalesce(json_array_length(detail, 'rows'), 0),
      'rows', list_filter(CAST(coalesce(detail->'rows', '[]') AS JSON[]), lambda row: (row->>'kind') = $kind
        AND ($ids IS NULL OR (row->>'id') IS NULL OR list_contains(CAST($ids AS VARCHAR[]), (row->>'id'))))
    ) AS detail, store
    FROM gitops.events WHERE event IN ('{DRIFT_FOUND}', '{DRIFT_HEALED}', '{DRIFT_GONE}', '{RESTORED}')
      AND ($commits IS NULL OR list_contains(CAST($commits AS VARCHAR[]), commit_sha))
  ) WHERE $kind = '' OR event != '{DRIFT_HEALED}' OR json_array_length(detail, 'rows') > 0
  ORDER BY abs(epoch_us(happened_at) - epoch_us(CAST($near AS TIMESTAMP))), seq DESC LIMIT $limit
) ORDER BY seq
"""


def add_event(connection: StoreConnection, event: HostEvent, store: str | None = None) -> None:
    """Write an event down. The database gives it the next number and its own id; what it brings is not looked at.

    With the id that is known by now, the database need not look it up.
    """
    values = [event.at, event.event, event.commit, event.digest, event.duration_ms, canonical.dumps(event.detail)]
    given = "(SELECT store FROM gitops.format)" if store is None else "?"
    connection.execute(
        f"INSERT INTO gitops.events ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, {given})",
        values if store is None else [*values, store],
    )


def newest_events(
    connection: StoreConnection, limit: int, before: int | None = None, only: Collection[str] = ()
) -> tuple[HostEvent, ...]:
    """The newest events first, of all or of those before one; with `only`, those of these names."""
    query = (
        f"SELECT seq, {EVENT_COLUMNS} FROM gitops.events WHERE seq < coalesce($before, seq + 1) "
        "AND (len($only) = 0 OR list_contains($only, event)) ORDER BY seq DESC LIMIT $limit"
    )
    records = connection.execute(query, {"before": before, "only": list(only), "limit": limit}).fetchall()
    return _events(records)


def event_names(connection: StoreConnection) -> tuple[str, ...]:
    """The names of the events that there are."""
    names = connection.execute("SELECT DISTINCT event FROM gitops.events ORDER BY event").fetchall()
    return tuple(name for (name,) in names)


def newest_event_number(connection: StoreConnection) -> int:
    """The number of the newest event; 0 when there is none."""
    return fetch_number(connection, "SELECT coalesce(max(seq), 0) FROM gitops.events")


def events_after(connection: StoreConnection, seq: int, limit: int) -> tuple[HostEvent, ...]:
    """The events that follow one, the oldest first."""
    records = connection.execute(
        f"SELECT seq, {EVENT_COLUMNS} FROM gitops.events WHERE seq > ? ORDER BY seq LIMIT ?", [seq, limit]
    ).fetchall()
    return _events(records)


def events_in(connection: StoreConnection, span: Span) -> tuple[HostEvent, ...]:
    """The events of a span, in order."""
    records = connection.execute(
        f"SELECT seq, {EVENT_COLUMNS} FROM gitops.events WHERE store = ? AND seq > ? AND seq <= ? ORDER BY seq",
        [span.store, span.after, span.to],
    ).fetchall()
    return _events(records)


def recorded_numbers(connection: StoreConnection) -> tuple[Span, ...]:
    """From which to which number there are events and intervals, by the store that gave them."""
    records = connection.execute(RECORDED_NUMBERS).fetchall()
    return tuple(Span(Record(of), str(store), first - 1, last) for of, store, first, last in records)


def newest_refusals(connection: StoreConnection, commits: Collection[str]) -> tuple[HostEvent, ...]:
    """The newest event of each of some commits that says that it was refused."""
    if not commits:
        return ()
    query = (
        f"SELECT seq, {EVENT_COLUMNS} FROM gitops.events "
        "WHERE event = ? AND commit_sha IN (SELECT unnest(?::VARCHAR[])) "
        "QUALIFY row_number() OVER (PARTITION BY commit_sha ORDER BY seq DESC) = 1"
    )
    return _events(connection.execute(query, [REFUSED, list(commits)]).fetchall())


def newest_of_commit(connection: StoreConnection, event: str, commit: str) -> HostEvent | None:
    """The newest event of a name that is about a commit."""
    query = (
        f"SELECT seq, {EVENT_COLUMNS} FROM gitops.events WHERE event = ? AND commit_sha = ? ORDER BY seq DESC LIMIT 1"
    )
    return next(iter(_events(connection.execute(query, [event, commit]).fetchall())), None)


def refused_since(connection: StoreConnection, moment: datetime) -> tuple[str, ...]:
    """The commits that were refused since a moment."""
    query = "SELECT DISTINCT commit_sha FROM gitops.events WHERE event = ? AND happened_at >= ? ORDER BY ALL"
    return tuple(sha for (sha,) in connection.execute(query, [REFUSED, moment]).fetchall())


def last_drift_event(connection: StoreConnection) -> tuple[str, str] | None:
    """The newest event that says how it is with drift, and the digest of what was found.

    One of a scan that left some rows alone does not.
    """
    record = fetch_first(
        connection,
        "SELECT event, detail->>'found' FROM gitops.events WHERE event IN (?, ?, ?) AND (detail->'left') IS NULL "
        "ORDER BY seq DESC LIMIT 1",
        *(DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE),
    )
    return None if record is None else (record[0], record[1])


def drift_events(connection: StoreConnection, only: DriftFilter) -> tuple[HostEvent, ...]:
    """The events about drift that a filter lets through, the oldest first."""
    asked = {"near": only.near, "kind": only.kind, "limit": only.limit}
    lists = {name: None if of is None else list(of) for name, of in (("ids", only.ids), ("commits", only.commits))}
    return _events(connection.execute(DRIFT_EVENTS, {**asked, **lists}).fetchall())


def halts_at(connection: StoreConnection, moment: datetime) -> tuple[HostEvent, ...]:
    """The newest host events until a moment that say which halts stood."""
    query = (
        f"SELECT seq, {EVENT_COLUMNS} FROM gitops.events WHERE event IN (?, ?) AND json_exists(detail, '$.halts') "
        "AND happened_at <= ? ORDER BY happened_at DESC, seq DESC LIMIT 1"
    )
    return _events(connection.execute(query, [*HaltAct, moment]).fetchall())


def cursor(connection: StoreConnection, name: str) -> int:
    """How far the ledger has something: the number of the newest host event, or of the newest change of an interval."""
    record = fetch_first(connection, "SELECT position FROM gitops.cursors WHERE name = ?", name)
    return 0 if record is None else int(record[0])


def move_cursor(connection: StoreConnection, name: str, position: int) -> None:
    """Move a cursor on, never back."""
    connection.execute(
        "INSERT INTO gitops.cursors VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position "
        "WHERE excluded.position > position",
        [name, position],
    )


def set_cursor(connection: StoreConnection, name: str, position: int) -> None:
    """Move a cursor, back as well."""
    connection.execute("INSERT OR REPLACE INTO gitops.cursors VALUES (?, ?)", [name, position])


EVENTS_KEPT = timedelta(days=7)
"""How long host events stay in the store once the ledger has them, and a daily root is over them."""
DELETE_KEPT = f"""
DELETE FROM gitops.events WHERE seq <= $uploaded AND event != '{ROOT_MADE}' AND seq <= (
  SELECT coalesce(max(TRY_CAST(detail->'$.root.events' AS BIGINT)), 0) FROM gitops.events
  WHERE event = '{ROOT_MADE}' AND happened_at < $before
)
"""
"""The events of a root go all at once: of a part of them nobody could compute it again."""


def mark_events_uploaded(connection: StoreConnection, seq: int, now: datetime) -> None:
    """Move the cursor to an event, and delete what it has passed and has been kept for long enough. Roots stay."""
    move_cursor(connection, EVENT_CURSOR, seq)
    connection.execute(DELETE_KEPT, {"uploaded": seq, "before": now - EVENTS_KEPT})


def _events(records: Sequence[Sequence[Any]]) -> tuple[HostEvent, ...]:
    return tuple(
        HostEvent(seq, canonical.utc(at), event, commit, digest, duration, json.loads(detail), str(store))
        for seq, at, event, commit, digest, duration, detail, store in records
    )


def suspension(connection: StoreConnection) -> Suspension | None:
    """What was asked for last, expired or not; None when nothing is suspended."""
    record = fetch_first(connection, "SELECT reason, actor, since, until FROM gitops.suspension")
    if record is None:
        return None
    reason, actor, since, until = record
    return Suspension(reason, actor, canonical.utc(since), None if until is None else canonical.utc(until))


def set_suspension(connection: StoreConnection, suspension: Suspension | None) -> None:
    """Replace it, or with None take it away."""
    connection.execute("DELETE FROM gitops.suspension")
    if suspension is not None:
        values = [suspension.reason, suspension.actor, suspension.since, suspension.until]
        connection.execute("INSERT INTO gitops.suspension VALUES (?, ?, ?, ?)", values)
