"""What can be asked about sessions: checked, answered by the port, and refused for owners who may have none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from reconciler.model.problem import Problem
from reconciler.sessions.checking import ID

if TYPE_CHECKING:
    from reconciler.liveports import Sessions
    from reconciler.model.live import Session, SessionPage
    from reconciler.sessions.checking import Checker
    from reconciler.sessions.layout import SessionLayout

PAGE = 100
"""Sessions of a page, where nobody says how many."""

Refusal: TypeAlias = tuple[Problem, ...]
"""Why a request was not carried out; never empty."""


class Owners(Protocol):
    """The question whether somebody may have sessions, asked of the live rows."""

    def __call__(self, owner: str) -> bool | None:
        """Whether the row with this key says so; None when there is no such row.

        Raises `RetryLater` when that cannot be told: nobody loses a session for it, and nobody begins one.
        """
        ...


class SessionDesk:
    """Sessions for the command line and for HTTP: what is given is as it came, and an answer or a refusal comes back.

    Raises what the port `Sessions` and the question about owners raise.
    """

    def __init__(self, sessions: Sessions, may_have_sessions: Owners, checker: Checker, layout: SessionLayout) -> None:
        self._sessions = sessions
        self._may_have_sessions = may_have_sessions
        self._checker = checker
        self._layout = layout

    def create(self, given: object) -> Session | Refusal:
        """Begin a session from a mapping of columns. Refused when its owner is unknown or switched off."""
        new = self._checker.new(given)
        if isinstance(new, tuple):
            return new
        refusal = self._refusal(new.owner)
        if refusal:
            return refusal
        session = self._sessions.create(new)
        if session is None:
            hint = f"leave {ID} out: one is made"
            return self._checker.problem("duplicate-id", ID, f"there is a session {new.id} already", hint)
        # Whoever was switched off since the first look may have lost all sessions before this one was there.
        refusal = self._refusal(new.owner)
        if refusal:
            self._sessions.expire(new.id)
        return refusal or session

    def get(self, session_id: object) -> Session | Refusal | None:
        """A session; None when there is none."""
        checked = self._checker.session_id(session_id)
        return checked if isinstance(checked, tuple) else self._sessions.get(checked)

    def touch(self, session_id: object) -> Session | Refusal | None:
        """Note that a session is used; the answer says whether it may be. None when there is none."""
        checked = self._checker.session_id(session_id)
        return checked if isinstance(checked, tuple) else self._sessions.touch(checked)

    def expire(self, session_id: object) -> Session | Refusal | None:
        """End a session. None when there is none."""
        checked = self._checker.session_id(session_id)
        return checked if isinstance(checked, tuple) else self._sessions.expire(checked)

    def expire_all(self, owner: object) -> int | Refusal:
        """End all sessions of an owner, known or not; gives how many that changed."""
        checked = self._checker.owner(owner)
        return checked if isinstance(checked, tuple) else self._sessions.expire_all(checked)

    def page(self, owner: object, limit: object = PAGE, cursor: object = None) -> SessionPage | Refusal:
        """A page of an owner's sessions, known or not; `cursor` is the text of an earlier page's `after`."""
        checked = self._checker.owner(owner)
        many = self._checker.limit(limit)
        after = None if cursor is None else self._checker.cursor(cursor)
        if isinstance(checked, tuple) or isinstance(many, tuple) or isinstance(after, tuple):
            return tuple(sorted(one for part in (checked, many, after) if isinstance(part, tuple) for one in part))
        return self._sessions.page(checked, many, after)

    def _refusal(self, owner: str) -> Refusal:
        allowed = self._may_have_sessions(owner)
        if allowed:
            return ()
        kind, column = self._layout.owner_kind, self._layout.owner_column
        if allowed is None:
            message = f"no live row of kind {kind} has {column} {owner}"
            hint = f"`reconciler get {kind.lower()}` lists those there are"
            return self._checker.problem("dangling-reference", column, message, hint)
        needed = ", ".join(f"{name} {value}" for name, value in self._layout.live.items())
        message = f"the {kind} {owner} may have no session: that takes {needed}"
        return self._checker.problem("not-allowed", column, message, "change its file, and commit that")
