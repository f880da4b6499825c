"""Sessions in a dictionary. Implements the port `Sessions`, to the letter of what the Redis scripts do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.model.live import (
    Lifetimes,
    Session,
    SessionCursor,
    SessionPage,
    SessionStatus,
    to_milliseconds,
)
from reconciler.values import replace

if TYPE_CHECKING:
    from reconciler.model.live import NewSession
    from reconciler.ports import Clock


def from_milliseconds(moment: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)


class MemorySessions:
    """Sessions of one process. The present moment is the clock's."""

    def __init__(self, clock: Clock, lifetimes: Lifetimes | None = None) -> None:
        self._clock = clock
        self._lifetimes = lifetimes or Lifetimes()
        self._sessions: dict[str, Session] = {}
        self._ended: dict[str, int] = {}
        self._owners: set[str] = set()

    def create(self, new: NewSession) -> Session | None:
        """Begin a session; None when its id is taken."""
        if self.get(new.id) is not None:
            return None
        began = from_milliseconds(max(to_milliseconds(self._now()), self._ended.get(new.owner, -1) + 1))
        session = Session(new.id, new.owner, new.ip_address, began, new.device_fingerprint, SessionStatus.ACTIVE)
        self._sessions[new.id] = session
        self._owners.add(new.owner)
        return session

    def get(self, session_id: str) -> Session | None:
        """A session as it is now."""
        found, now = self._sessions.get(session_id), self._now()
        if found is None or found.last_active + self._lifetimes.retention <= now:
            self._sessions.pop(session_id, None)
            return None
        if found.is_active and found.last_active + self._lifetimes.idle <= now:
            found = self._sessions[session_id] = replace(found, status=SessionStatus.EXPIRED)
        return found

    def touch(self, session_id: str) -> Session | None:
        """Note that a session is used."""
        found = self.get(session_id)
        if found is not None and found.is_active:
            found = self._sessions[session_id] = replace(found, last_active=max(found.last_active, self._now()))
            self._owners.add(found.owner)
        return found

    def expire(self, session_id: str) -> Session | None:
        """End a session."""
        found = self.get(session_id)
        if found is not None:
            found = self._sessions[session_id] = replace(found, status=SessionStatus.EXPIRED)
        return found

    def expire_all(self, owner: str) -> int:
        """End all sessions of an owner."""
        sessions = self._kept(owner)
        if sessions:
            newest = max(to_milliseconds(one.last_active) for one in sessions)
            self._ended[owner] = max(to_milliseconds(self._now()), newest, self._ended.get(owner, -1))
        for one in sessions:
            self.expire(one.id)
        self._owners.discard(owner)
        return sum(one.is_active for one in sessions)

    def page(self, owner: str, limit: int, after: SessionCursor | None = None) -> SessionPage:
        """Up to so many sessions of an owner, the one used last first."""
        sessions = sorted(self._kept(owner), key=_order, reverse=True)
        start = 0
        if after is not None:
            places = [_order(one) for one in sessions]
            exact = (after.moment, after.id)
            start = places.index(exact) + 1 if exact in places else sum(one[0] > after.moment for one in places)
        some = [self.get(one.id) for one in sessions[start : start + limit]]
        found = tuple(one for one in some if one is not None)
        more = start + len(found) < len(sessions) and found
        return SessionPage(found, SessionCursor(*_order(found[-1])) if more else None)

    def owners(self) -> tuple[str, ...]:
        """The owners who may have active sessions."""
        return tuple(owner for owner in self._owners if self._kept(owner))

    def _kept(self, owner: str) -> list[Session]:
        """The records that are still there, as they were last looked at."""
        oldest = self._now() - self._lifetimes.retention
        return [one for one in self._sessions.values() if one.owner == owner and one.last_active > oldest]

    def _now(self) -> datetime:
        return from_milliseconds(to_milliseconds(self._clock.now()))


def _order(session: Session) -> tuple[int, str]:
    return to_milliseconds(session.last_active), session.id
