"""The suspension that the store keeps: one row, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.adapters.duckdb.connection import fetch_first
from reconciler.model.host import Suspension

if TYPE_CHECKING:
    import duckdb


def get(connection: duckdb.DuckDBPyConnection) -> Suspension | None:
    """What was asked for last, expired or not; None when nothing is suspended."""
    found = fetch_first(connection, "SELECT reason, actor, since, until FROM gitops.suspension")
    if found is None:
        return None
    reason, actor, since, until = found
    return Suspension(reason, actor, canonical.utc(since), None if until is None else canonical.utc(until))


def put(connection: duckdb.DuckDBPyConnection, suspension: Suspension | None) -> None:
    """Replace it, or with None take it away."""
    connection.execute("DELETE FROM gitops.suspension")
    if suspension is not None:
        values = [suspension.reason, suspension.actor, suspension.since, suspension.until]
        connection.execute("INSERT INTO gitops.suspension VALUES (?, ?, ?, ?)", values)
