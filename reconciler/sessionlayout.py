"""The columns of sessions, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.live import Session

ANNOTATION = "x-session"


class SessionLayout(Struct, frozen=True):
    """The session schema as the program needs it.

    `owner_column` is the column with the key of the row whose session it is, in the table of `owner_kind`; that row
    has to have the values of `live`. `given` describes the columns that callers give in another form than is kept.
    """

    schema: Mapping[str, Any]
    owner_column: str
    owner_kind: str
    live: Mapping[str, Any]
    given: Mapping[str, Any]

    @property
    def owner_prefix(self) -> str:
        """The prefix of keys about an owner."""
        return f"{self.owner_kind.lower()}:"

    def record(self, session: Session) -> dict[str, str]:
        values = {
            "session_id": session.id,
            self.owner_column: session.owner,
            "ip_address": session.ip_address,
            "last_active": canonical.timestamp(session.last_active),
            "device_fingerprint": session.device_fingerprint,
            "status": str(session.status),
        }
        return {column: values[column] for column in self.schema["properties"]}

    def may_have_sessions(self, row: Mapping[str, Any] | None) -> bool | None:
        """Whether an owner with this live row may have sessions; None when there is no such row."""
        return None if row is None else all(row.get(column) == value for column, value in self.live.items())


def read_layout(schema: Mapping[str, Any]) -> SessionLayout:
    """The layout that the bundled schema `session_state` describes."""
    owner, given = schema[ANNOTATION]["owner"], schema[ANNOTATION]["given"]
    return SessionLayout(schema, owner["column"], owner["kind"], owner["live"], given)
