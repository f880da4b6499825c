"""Host events, written in the transaction they are about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.event import HostEvent

if TYPE_CHECKING:
    import duckdb

COLUMNS = "happened_at, event, commit_sha, digest, duration_ms, detail"


def add(connection: duckdb.DuckDBPyConnection, event: HostEvent) -> None:
    """Write an event down. The database gives it the next number; its own is not looked at."""
    connection.execute(
        f"INSERT INTO gitops.events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        [event.at, event.event, event.commit, event.digest, event.duration_ms, canonical.dumps(event.detail)],
    )


def newest(connection: duckdb.DuckDBPyConnection, limit: int) -> tuple[HostEvent, ...]:
    """The newest events first."""
    records = connection.execute(
        f"SELECT seq, {COLUMNS} FROM gitops.events ORDER BY seq DESC LIMIT ?", [limit]
    ).fetchall()
    return tuple(
        HostEvent(seq, canonical.utc(at), event, commit, digest, duration, json.loads(detail))
        for seq, at, event, commit, digest, duration, detail in records
    )
