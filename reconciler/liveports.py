"""What the core asks of Redis: sessions, and the live view. Neither is on the way to the live rows.

All calls raise `RetryLater` when the server is out of reach, slow, loading, failing over or out of memory, within a
quarter of a second, and `NeedsHuman` when it refuses who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.live import (
        CacheState,
        Cursor,
        NewSession,
        Session,
        SessionPage,
        ViewMark,
        ViewStep,
        ViewWrite,
    )


class Sessions(Protocol):
    """Sessions, each call atomic. An idle one is EXPIRED from the first look at it on, and seven days later gone."""

    def create(self, new: NewSession) -> Session | None:
        """Begin a session, active now; None when there is one with this id already."""
        ...

    def get(self, session_id: str) -> Session | None:
        """A session as it is now; None when there is none, or none any more."""
        ...

    def touch(self, session_id: str) -> Session | None:
        """Note that a session is used. One that is EXPIRED stays as it is. None when there is none."""
        ...

    def expire(self, session_id: str) -> Session | None:
        """End a session; nothing changes when it has ended. None when there is none."""
        ...

    def expire_all(self, owner: str) -> int:
        """End all sessions of an owner, at once for whoever looks. Gives how many records this call changed."""
        ...

    def page(self, owner: str, limit: int, after: Cursor | None = None) -> SessionPage:
        """Up to so many sessions of an owner, the one used last first.

        One that is used while somebody turns the pages moves to the first of them.
        """
        ...

    def owners(self) -> tuple[str, ...]:
        """The owners who may have active sessions, in no particular order."""
        ...


class Cache(Protocol):
    """The live view, for the one process that writes it. Readers see each row as it was at one commit."""

    def state(self) -> CacheState:
        """What the view holds."""
        ...

    def advance(self, step: ViewStep) -> bool:
        """Take a step; False, and nothing has changed, when the view is not at its base: it has to be rebuilt."""
        ...

    def rebuild(self, writes: Sequence[ViewWrite], to: ViewMark) -> None:
        """Become the given rows, whatever was there."""
        ...

    def keep_within(self, budget: int) -> CacheState:
        """Take no more than so many bytes from now on: what is used least goes first. More room brings nothing back."""
        ...
