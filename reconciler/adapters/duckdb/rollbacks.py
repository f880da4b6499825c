"""The rollback in the store: written in the transaction of the rows that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.adapters.duckdb.connection import fetch_first
from reconciler.adapters.duckdb.state import add_event
from reconciler.model.host import HostEvent
from reconciler.model.rollback import ROLLBACK_ENDED, ROLLED_BACK, Rollback, Skipped

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.model.commit import Applied


def rollback(connection: StoreConnection) -> Rollback | None:
    """The rollback that the host is under; None without one."""
    record = fetch_first(connection, "SELECT target, skipped, reason, actor, since, changes FROM gitops.rollback")
    if record is None:
        return None
    target, skipped, reason, actor, since, changes = record
    return Rollback(target, skipped, reason, actor, canonical.utc(since), Skipped.decode(changes))


def set_rollback(connection: StoreConnection, rollback: Rollback | None) -> None:
    """Replace it, or with None take it away."""
    connection.execute("DELETE FROM gitops.rollback")
    if rollback is not None:
        one = rollback
        values = [one.target, one.skipped, one.reason, one.actor, one.since, one.changes.encode()]
        connection.execute("INSERT INTO gitops.rollback VALUES (?, ?, ?, ?, ?, ?)", values)


def follow_step(
    connection: StoreConnection, over: Rollback | None, rollback: Rollback | None, applied: Applied
) -> None:
    """Keep the rollback that a step is of, with its host event; of another step, none: that is the end of it."""
    set_rollback(connection, rollback)
    told, event = (rollback, ROLLED_BACK) if rollback else (over, ROLLBACK_ENDED)
    if told is not None:
        commit = applied.stamp.commit
        add_event(connection, HostEvent(0, applied.at, event, commit, applied.digest, 0, told.detail()))


def end_rollback(connection: StoreConnection, rollback: Rollback, reason: str, actor: str, now: datetime) -> None:
    """Keep it no longer, with a host event that says who meant it so, and why."""
    set_rollback(connection, None)
    detail = {**rollback.detail(), "ended_by": actor, "end_reason": reason}
    add_event(connection, HostEvent(0, now, ROLLBACK_ENDED, None, None, 0, detail))
