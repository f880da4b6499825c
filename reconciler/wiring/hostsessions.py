"""The sessions of this host for its HTTP side: on threads of their own, failing at once while Redis is away."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from reconciler.errors import RetryLater, UsageError
from reconciler.model.live import Session, SessionPage
from reconciler.reconcile.rules import stored_kinds
from reconciler.wiring import answers
from reconciler.wiring.redis import desk, layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.adapters.redis.connection import Link
    from reconciler.sessions import Refusal, SessionDesk
    from reconciler.settings import Settings

    Answer = Mapping[str, Any]

T = TypeVar("T")
THREADS = 4
"""Calls at once, of those that ask the store who may have sessions, and of the others."""
REST = 0.25
"""Seconds for which a server that did not answer is not asked again by more than one call."""


class _StoreAway(RetryLater):
    """The live rows cannot be asked: no fault of Redis."""


class HostSessions:
    """Implements `web.sessions.Sessions`. A context manager; `url` says where the server is, and raises as it likes."""

    def __init__(self, settings: Settings, url: Callable[[], str], keeper: Keeper) -> None:
        self.owner_word = layout().owner_kind.lower()
        self._settings, self._url, self._keeper = settings, url, keeper
        self._guard = threading.Lock()
        self._link: Link | None = None
        self._linked = ""
        self._away: tuple[RetryLater, float] | None = None
        self._asking = ThreadPoolExecutor(THREADS, "sessions-new")
        self._direct = ThreadPoolExecutor(THREADS, "sessions")

    def __enter__(self) -> HostSessions:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._asking, self._direct):
            pool.shutdown(cancel_futures=True)
        if self._link is not None:
            self._link.close()

    def create(self, given: object) -> Future[Answer | Refusal | None]:
        """Begin a session."""
        return self._asking.submit(self._done, lambda found: found.create(given))

    def get(self, session_id: str) -> Future[Answer | Refusal | None]:
        """A session."""
        return self._direct.submit(self._done, lambda found: found.get(session_id))

    def touch(self, session_id: str) -> Future[Answer | Refusal | None]:
        """Note that a session is used."""
        return self._direct.submit(self._done, lambda found: found.touch(session_id))

    def expire(self, session_id: str) -> Future[Answer | Refusal | None]:
        """End a session."""
        return self._direct.submit(self._done, lambda found: found.expire(session_id))

    def expire_all(self, owner: str) -> Future[Answer | Refusal | None]:
        """End all sessions of an owner."""
        return self._asking.submit(self._done, lambda found: found.expire_all(self._id(owner)))

    def page(self, owner: str, limit: object, cursor: str | None) -> Future[Answer | Refusal | None]:
        """A page of an owner's sessions."""
        return self._asking.submit(self._done, lambda found: found.page(self._id(owner), limit, cursor))

    def _done(self, ask: Callable[[SessionDesk], Session | SessionPage | int | Refusal | None]) -> Any:
        """What the desk said, as JSON."""
        found = self._asked(ask)
        if isinstance(found, Session):
            return layout().record(found)
        if isinstance(found, SessionPage):
            told = [layout().record(one) for one in found.sessions]
            return {"sessions": told, "next": None if found.after is None else str(found.after)}
        return {"ended": found} if isinstance(found, int) else found

    def _asked(self, ask: Callable[[SessionDesk], T]) -> T:
        self._check()
        try:
            found = ask(desk(self._connected(), self._settings, self._may_have_sessions))
        except _StoreAway:
            raise
        except RetryLater as error:
            self._away = error, time.monotonic() + REST
            raise
        self._away = None
        return found

    def _check(self) -> None:
        """Raise what was raised a moment ago; after that, one call finds out for all others whether it still holds."""
        with self._guard:
            if self._away is None:
                return
            error, until = self._away
            if time.monotonic() > until:
                self._away = error, time.monotonic() + REST
                return
        raise RetryLater(str(error), hint=error.hint) from error

    def _connected(self) -> Link:
        from reconciler.adapters.redis.connection import connect

        url = self._url()
        with self._guard:
            if self._link is None or self._linked != url:
                if self._link is not None:
                    self._link.close()
                self._link, self._linked = connect(url), url
            return self._link

    def _may_have_sessions(self, owner: str) -> bool | None:
        key, rows = self._owners(owner)
        return layout().may_have_sessions(next((row for row in rows if row[key] == owner), None))

    def _id(self, word: str) -> str:
        """The key of an owner's row, given as it is or by the name in git."""
        try:
            return str(UUID(word))
        except ValueError:
            key, rows = self._owners(word)
            if not rows:
                hint = f"see `reconciler get {self.owner_word}`"
                raise UsageError(f"no {layout().owner_kind} {word} is live", hint=hint) from None
            return str(rows[0][key])

    def _owners(self, word: str) -> tuple[str, list[Mapping[str, Any]]]:
        """The column with the key, and the live rows that go by a name or key."""
        try:
            with self._keeper.reading() as reader:
                kind = answers.found_kind(stored_kinds(reader.kinds()), layout().owner_kind)
                return kind.key, [row.values for row in reader.live(kind, word)]
        except RetryLater as error:
            raise _StoreAway(str(error), hint=error.hint) from error
