"""Sessions as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.answers import Answer, Count, Cursor, Session
from reconciler.report.escape import Moments, escape_line
from reconciler.report.tables import Column, Nature, TextTable

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = {
    "session_id": Column("session_id", 0, Nature.NAME),
    "status": Column("status", 0, Nature.STATE),
    "last_active": Column("last_active", 1),
    "ip_address": Column("ip_address", 2),
    "device_fingerprint": Column("device_fingerprint", 3),
}
MOMENT = "last_active"
LAST = 4
"""The rank of any other column: it is the same in each row, as that of the owner."""


class Sessions(Answer, frozen=True):
    """Some sessions of an owner."""

    sessions: tuple[Session, ...]
    next: Cursor | None = None


class Ended(Answer, frozen=True):
    """How many sessions ended."""

    ended: Count


def session_table(sessions: Sequence[Session], moments: Moments) -> TextTable:
    """Sessions of an owner."""
    fields = list(sessions[0]) if sessions else []
    columns = [COLUMNS.get(field) or Column(field, LAST) for field in fields]
    return TextTable(columns, [[_cell(field, record[field], moments) for field in fields] for record in sessions])


def _cell(field: str, text: str, moments: Moments) -> str:
    return moments.short(text) if field == MOMENT else escape_line(text)
