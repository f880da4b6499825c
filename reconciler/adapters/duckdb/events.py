"""Host events, written in the transaction they are about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.adapters.duckdb.connection import fetch_first, fetch_number
from reconciler.model.drift import DRIFT_FOUND, DRIFT_GONE, DRIFT_HEALED
from reconciler.model.host import HostEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import duckdb

COLUMNS = "happened_at, event, commit_sha, digest, duration_ms, detail, store"
CURSOR = "host_events"


def add(connection: duckdb.DuckDBPyConnection, event: HostEvent) -> None:
    """Write an event down. The database gives it the next number and its own id; what it brings is not looked at."""
    connection.execute(
        f"INSERT INTO gitops.events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, (SELECT store FROM gitops.format))",
        [event.at, event.event, event.commit, event.digest, event.duration_ms, canonical.dumps(event.detail)],
    )


def newest(connection: duckdb.DuckDBPyConnection, limit: int, before: int | None = None) -> tuple[HostEvent, ...]:
    """The newest events first, of all or of those before one."""
    query = f"SELECT seq, {COLUMNS} FROM gitops.events WHERE seq < coalesce(?, seq + 1) ORDER BY seq DESC LIMIT ?"
    records = connection.execute(query, [before, limit]).fetchall()
    return _events(records)


def newest_number(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the newest event; 0 when there is none."""
    return fetch_number(connection, "SELECT coalesce(max(seq), 0) FROM gitops.events")


def after(connection: duckdb.DuckDBPyConnection, seq: int, limit: int) -> tuple[HostEvent, ...]:
    """The events that follow one, the oldest first."""
    records = connection.execute(
        f"SELECT seq, {COLUMNS} FROM gitops.events WHERE seq > ? ORDER BY seq LIMIT ?", [seq, limit]
    ).fetchall()
    return _events(records)


def newest_about_drift(connection: duckdb.DuckDBPyConnection) -> tuple[str, str] | None:
    """The newest event that says how it is with drift, and the digest of what was found."""
    found = fetch_first(
        connection,
        "SELECT event, detail->>'found' FROM gitops.events WHERE event IN (?, ?, ?) ORDER BY seq DESC LIMIT 1",
        *(DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE),
    )
    return None if found is None else (found[0], found[1])


def last_uploaded_event(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest event that the ledger has; 0 when it has none."""
    found = fetch_first(connection, "SELECT position FROM gitops.cursors WHERE name = ?", CURSOR)
    return 0 if found is None else int(found[0])


def ship(connection: duckdb.DuckDBPyConnection, seq: int, kept_since: datetime) -> None:
    """Move the cursor to an event, never back, and delete what it has passed that happened before a moment."""
    connection.execute(
        "INSERT INTO gitops.cursors VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position "
        "WHERE excluded.position > position",
        [CURSOR, seq],
    )
    connection.execute("DELETE FROM gitops.events WHERE seq <= ? AND happened_at < ?", [seq, kept_since])


def _events(records: Sequence[Sequence[Any]]) -> tuple[HostEvent, ...]:
    return tuple(
        HostEvent(seq, canonical.utc(at), event, commit, digest, duration, json.loads(detail), str(store))
        for seq, at, event, commit, digest, duration, detail, store in records
    )
