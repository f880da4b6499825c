"""The sessions of this host, checked against its live rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

from reconciler.errors import RefusedError, RetryLater, UsageError
from reconciler.kinds.build import stored_kinds
from reconciler.report.sessions import Ended
from reconciler.report.sessions import Sessions as SessionList
from reconciler.service.context import Context, Service
from reconciler.service.kinds import find_kind
from reconciler.sessions import SessionChecker, SessionService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler import answers
    from reconciler.model.live import Session, SessionPage
    from reconciler.model.problem import Problem

    FindRows = Callable[[str, str], tuple[str, Sequence[Mapping[str, Any]]]]

T = TypeVar("T")
PAGE = 100
"""Sessions of a page, where nobody says how many."""


class SessionRejected(UsageError):
    """A request about sessions that cannot be met. `problems` say why, as `validate` prints them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        super().__init__(f"{first.pointer}: {first.message}" if first.pointer else first.message, hint=first.hint)
        self.problems = problems


class NoSuchSession(UsageError):
    """There is no session of this id, or none any more."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"there is no session {session_id}", hint="it may be gone: 7 days after it was last active")


class SessionEnded(RefusedError):
    """A session that nobody may use any more; `session` is its record."""

    def __init__(self, session_id: str, session: answers.Session) -> None:
        super().__init__(f"the session {session_id} has ended", hint="begin a new one")
        self.session = session


class RowsUnavailable(RetryLater):
    """The live rows cannot be read, which is no fault of Redis."""


class Sessions(Service):
    """Begin, read, use, list and end sessions.

    `find_rows` gives the key column and the live rows of a kind that go by a name or id. Calls raise `RetryLater`
    while Redis is out of reach, and `NeedsHuman` on a host without sessions.
    """

    def __init__(self, context: Context, find_rows: FindRows | None = None) -> None:
        super().__init__(context)
        self._find_rows = find_rows or self._read_rows

    def create(self, given: object) -> answers.Session:
        """Begin a session from a mapping of columns."""
        return self._record(self._ask(lambda service: service.create(given)))

    def get(self, session_id: str) -> answers.Session:
        """A session; reading it does not keep it alive."""
        return self._record(_existing(self._ask(lambda service: service.get(session_id)), session_id))

    def touch(self, session_id: str) -> answers.Session:
        """Note that a session is used. Raises `SessionEnded` for one that has ended, which stays as it is."""
        session = _existing(self._ask(lambda service: service.touch(session_id)), session_id)
        if not session.is_active:
            raise SessionEnded(session_id, self._record(session))
        return self._record(session)

    def expire(self, session_id: str) -> answers.Session:
        """End a session."""
        return self._record(_existing(self._ask(lambda service: service.expire(session_id)), session_id))

    def expire_all(self, owner: str) -> Ended:
        """End all sessions of an owner, by name or id."""
        return Ended(ended=self._ask(lambda service: service.expire_all(self.owner_id(owner))))

    def page(self, owner: str, limit: object = PAGE, cursor: str | None = None) -> SessionList:
        """A page of an owner's sessions, the one used last first."""
        page: SessionPage = self._ask(lambda service: service.page(self.owner_id(owner), limit, cursor))
        following = None if page.after is None else str(page.after)
        return SessionList(sessions=tuple(map(self._record, page.sessions)), next=following)

    def record(self, owner: str, address: str, device: str, session_id: str | None) -> dict[str, str]:
        """The columns to begin a session with."""
        layout = self.context.session_layout()
        given = {layout.owner_column: self.owner_id(owner), "ip_address": address, "device_fingerprint": device}
        return given if session_id is None else {"session_id": session_id, **given}

    def owner_id(self, word: str) -> str:
        """The key of an owner's row, given as it is or by the name in git. Raises `UsageError` when there is none."""
        try:
            return str(UUID(word))
        except ValueError:
            kind = self.context.session_layout().owner_kind
            key, rows = self._find_rows(kind, word)
            if not rows:
                hint = f"see `reconciler get {kind.lower()}`"
                raise UsageError(f"no {kind} {word} is live", hint=hint) from None
            return str(rows[0][key])

    def _ask(self, question: Callable[[SessionService], T | tuple[Problem, ...]]) -> T:
        layout = self.context.session_layout()
        with self.context.open_sessions() as sessions:
            answer = question(SessionService(sessions, self._may_have_sessions, SessionChecker(layout, uuid4), layout))
        if isinstance(answer, tuple):
            raise SessionRejected(answer)
        return answer

    def _record(self, session: Session) -> answers.Session:
        return self.context.session_layout().record(session)

    def _may_have_sessions(self, owner: str) -> bool | None:
        layout = self.context.session_layout()
        key, rows = self._find_rows(layout.owner_kind, owner)
        return layout.may_have_sessions(next((row for row in rows if row[key] == owner), None))

    def _read_rows(self, kind: str, word: str) -> tuple[str, Sequence[Mapping[str, Any]]]:
        try:
            with self.context.open_rows() as store:
                assert store is not None
                found = find_kind(stored_kinds(store.kinds()), kind)
                return found.key, [row.values for row in store.live(found, word)]
        except RetryLater as error:
            raise RowsUnavailable(str(error), hint=error.hint) from error


def _existing(session: Session | None, session_id: str) -> Session:
    if session is None:
        raise NoSuchSession(session_id)
    return session
