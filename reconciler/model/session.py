"""Sessions: who is signed in, from where and since when they were last heard of. They live in Redis only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

RETENTION = timedelta(days=7)
"""How long the record of a session stays after it was last active."""

IDLE_TIMEOUT = timedelta(minutes=30)
"""How long a session stays active without being used, where the setting `sessions.idle_timeout` says nothing."""


class SessionStatus(StrEnum):
    """ACTIVE: the session may be used. EXPIRED: it has ended, and does not come back."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that is to begin. All of it is in canonical form: UUIDs in lower case, the device as a hash."""

    id: str
    owner: str
    ip_address: str
    device_fingerprint: str


@dataclass(frozen=True, slots=True)
class Session:
    """One session. `owner` is the key of the row whose session it is; `last_active` is in UTC, to the millisecond."""

    id: str
    owner: str
    ip_address: str
    last_active: datetime
    device_fingerprint: str
    status: SessionStatus

    @property
    def is_active(self) -> bool:
        """Whether it may be used."""
        return self.status is SessionStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of sessions ended: the last one's moment, in milliseconds since 1970, and its id."""

    moment: int
    id: str

    def __str__(self) -> str:
        return f"{self.moment}-{self.id}"


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some sessions of one owner, the one used last first; `after` is where the next page goes on, None at the end."""

    sessions: tuple[Session, ...]
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long an unused session stays active, and how long its record stays after it was last active."""

    idle: timedelta = IDLE_TIMEOUT
    retention: timedelta = RETENTION


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down: the resolution of sessions."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def from_milliseconds(moment: int) -> datetime:
    """The moment, aware, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
