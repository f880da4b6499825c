"""The interfaces to what lives in Redis: sessions, and the live view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.live import (
        CacheState,
        NewSession,
        Session,
        SessionCursor,
        SessionPage,
        ViewMark,
        ViewStep,
        ViewWrite,
    )


class Sessions(Protocol):
    """Sessions; each call is atomic. An idle one is EXPIRED when it is next read, and deleted seven days later."""

    def create(self, new: NewSession) -> Session | None:
        """Begin a session, active now; None when its id is taken."""

    def get(self, session_id: str) -> Session | None:
        """A session; None when there is none, or none any more."""

    def touch(self, session_id: str) -> Session | None:
        """Note that a session is used; one that is EXPIRED stays so. None when there is none."""

    def expire(self, session_id: str) -> Session | None:
        """End a session; no change when it has ended already. None when there is none."""

    def expire_all(self, owner: str) -> int:
        """End all sessions of an owner at once; returns the number of records this call changed."""

    def page(self, owner: str, limit: int, after: SessionCursor | None = None) -> SessionPage:
        """Up to `limit` sessions of an owner, the last used first. One used between pages moves to the front."""

    def owners(self) -> tuple[str, ...]:
        """The owners who may have active sessions, in no particular order."""


class Cache(Protocol):
    """The live view, for the one process that writes it. Readers see each row as it was at one commit."""

    def state(self) -> CacheState:
        """The view's state."""

    def advance(self, step: ViewStep) -> bool:
        """Apply a step; False, with no change, when the view is not at its base and has to be rebuilt."""

    def rebuild(self, writes: Sequence[ViewWrite], to: ViewMark) -> None:
        """Replace all rows by the given ones."""

    def repair(self, writes: Sequence[ViewWrite], unknown: Sequence[str], at: ViewMark) -> bool:
        """Write rows anew, and remove keys that are no row's; False, with no change, when the view is not at `at`."""

    def keep_within(self, budget: int) -> CacheState:
        """Limit the view to so many bytes, dropping what is used least. A higher limit brings nothing back."""
