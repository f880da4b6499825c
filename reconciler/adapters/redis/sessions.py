"""Sessions in Redis. Implements the port `Sessions`; each call is one script, or for many records a row of them.

| key | holds |
|---|---|
| `session:ID` | a hash with the table's columns |
| `PREFIX:OWNER:sessions` | a sorted set of an owner's session ids, by last_active in milliseconds |
| `PREFIX:OWNER:sessions:ended` | until when they were all ended |
| `sessions:owners` | a sorted set of the owners who may have active sessions, by the newest last_active |

The server's clock counts, not this host's: hosts that share a server have one time, and nobody's jumps do harm. All
but `create` work while the server is out of memory: a session can always be ended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from reconciler.adapters.redis.connection import script
from reconciler.model.live import Lifetimes, Session, SessionCursor, SessionPage, SessionStatus, to_milliseconds

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection, Script
    from reconciler.model.live import NewSession
    from reconciler.ports import Clock
    from reconciler.sessionlayout import SessionLayout

RECORDS_PER_SCRIPT = 256
"""Records that are written at a time: a few milliseconds, in which nobody else is served."""
OWNERS_PER_CALL = 1000
"""Owners that are read at a time."""


def make_sessions(link: Connection, layout: SessionLayout, idle_timeout: float) -> RedisSessions:
    """The sessions on a server; an idle one expires after so many seconds."""
    lifetimes = Lifetimes(idle=timedelta(seconds=idle_timeout))
    return RedisSessions(link, layout.owner_prefix, layout.owner_column, lifetimes)


class RedisSessions:
    """Sessions of the owners that keys and records call by `owner_prefix` and `owner_column`.

    A `clock` takes the place of the server's time; tests have one.
    """

    def __init__(
        self,
        link: Connection,
        owner_prefix: str,
        owner_column: str,
        lifetimes: Lifetimes | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._link = link
        self._prefix, self._column = owner_prefix, owner_column
        self._lifetimes = lifetimes or Lifetimes()
        self._clock = clock

    def create(self, new: NewSession) -> Session | None:
        """Begin a session; None when its id is taken."""
        given = (new.id, new.owner, new.ip_address, new.device_fingerprint)
        return _session(self._run(_script("create", room="when_room"), f"session:{new.id}", *given))

    def get(self, session_id: str) -> Session | None:
        """A session as it is now."""
        return self._one("get", session_id)

    def touch(self, session_id: str) -> Session | None:
        """Note that a session is used."""
        return self._one("touch", session_id)

    def expire(self, session_id: str) -> Session | None:
        """End a session."""
        return self._one("expire", session_id)

    def expire_all(self, owner: str) -> int:
        """End all sessions of an owner: with the first script for whoever looks, then record by record."""
        index = self._index(owner)
        till = int(self._run(_script("end"), index, owner))
        changed = 0
        for start in count(step=RECORDS_PER_SCRIPT):
            looked, more = self._run(_script("settle"), index, owner, till, start, RECORDS_PER_SCRIPT)
            changed += more
            if looked < RECORDS_PER_SCRIPT:
                break
        return changed

    def page(self, owner: str, limit: int, after: SessionCursor | None = None) -> SessionPage:
        """Up to so many sessions of an owner, the one used last first."""
        place = (after.moment, after.id) if after else ("", "")
        records, more = self._run(_script("page"), self._index(owner), owner, limit, *place)
        sessions = tuple(_read(record) for record in records)
        if not more:
            return SessionPage(sessions)
        last = sessions[-1] if sessions else None
        return SessionPage(sessions, SessionCursor(to_milliseconds(last.last_active), last.id) if last else after)

    def owners(self) -> tuple[str, ...]:
        """The owners who may have active sessions."""
        owners: list[str] = []
        for start in count(step=OWNERS_PER_CALL):
            some = self._run(_script("owners"), "sessions:owners", start, OWNERS_PER_CALL)
            owners += [owner.decode(errors="replace") for owner in some]
            if len(some) < OWNERS_PER_CALL:
                break
        return tuple(dict.fromkeys(owners))

    def _one(self, what: str, session_id: str) -> Session | None:
        return _session(self._run(_script(what), f"session:{session_id}", session_id))

    def _run(self, what: Script, key: str, *arguments: str | int) -> Any:
        now = to_milliseconds(self._clock.now()) if self._clock else ""
        idle, retention = (_span(span) for span in (self._lifetimes.idle, self._lifetimes.retention))
        return self._link.run(what, (key,), (now, idle, retention, self._column, self._prefix, *arguments))

    def _index(self, owner: str) -> str:
        return f"{self._prefix}{owner}:sessions"


def _script(what: str, *, room: str = "when_full") -> Script:
    return script(room, "session", f"session_{what}")


def _span(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def _session(record: Any) -> Session | None:
    return None if record is None else _read(record)


def _read(record: list[bytes]) -> Session:
    session_id, owner, address, last_active, fingerprint, status = (part.decode(errors="replace") for part in record)
    moment = datetime.fromisoformat(last_active)
    return Session(session_id, owner, address, moment, fingerprint, SessionStatus(status))
