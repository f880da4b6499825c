"""The addresses of sessions. What is behind them has threads of its own: it waits for Redis, and nobody for it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

from reconciler.answers import to_json
from reconciler.report.problems import build_problem
from reconciler.web import bodies
from reconciler.web.answers import HttpError, answer
from reconciler.web.reads import tagged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from typing import TypeAlias

    from starlette.responses import Response

    from reconciler.model.problem import Problem
    from reconciler.web.serving import Deadlines
    from reconciler.web.waiting import Waiting

    Outcome: TypeAlias = Mapping[str, Any] | tuple[Problem, ...] | None
    """What a request came to: an answer, why it was refused, or None when there is no such session."""

CONFLICTS = frozenset({"dangling-reference", "not-allowed", "duplicate-id"})
"""Problems of a request that makes sense, and cannot be met as things stand."""
PAGE = 100
SHOWN = 100
"""Characters of what was asked that an error repeats."""
STATUS, ACTIVE = "status", "ACTIVE"


class Sessions(Protocol):
    """Sessions of this host, from any thread; each call returns at once. `owner_word` is the parameter for an owner.

    Futures fail with `RetryLater`, well within a second, while Redis is out of reach, and with `NeedsHuman` on a host
    without sessions.
    """

    owner_word: str

    def create(self, given: object) -> Future[Outcome]:
        """Begin a session from a mapping of columns."""
        ...

    def get(self, session_id: str) -> Future[Outcome]:
        """A session."""
        ...

    def touch(self, session_id: str) -> Future[Outcome]:
        """Note that a session is used; its answer says whether it may be."""
        ...

    def expire(self, session_id: str) -> Future[Outcome]:
        """End a session."""
        ...

    def expire_all(self, owner: str) -> Future[Outcome]:
        """End all sessions of an owner, by name or id."""
        ...

    def page(self, owner: str, limit: object, cursor: str | None) -> Future[Outcome]:
        """A page of an owner's sessions, the one used last first."""
        ...


class SessionRoutes:
    """Begin, look at, use, list and end sessions."""

    def __init__(self, sessions: Sessions, waiting: Waiting, deadlines: Deadlines) -> None:
        self._sessions, self._waiting, self._deadlines = sessions, waiting, deadlines

    def table(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/sessions", self.page, methods=["GET"]),
            Route("/v1/sessions", self.create, methods=["POST"]),
            Route("/v1/sessions/expire", self.expire_all, methods=["POST"]),
            Route("/v1/sessions/{session_id}", self.get, methods=["GET"]),
            Route("/v1/sessions/{session_id}/touch", self.touch, methods=["POST"]),
            Route("/v1/sessions/{session_id}/expire", self.expire, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """The sessions of an owner, the one used last first."""
        asked = self._parameters(request, "limit", "cursor")
        limit = asked.get("limit", str(PAGE))
        many = int(limit) if limit.isdecimal() and len(limit) < len("1000000") else limit
        found = await self._outcome(self._sessions.page(self._owner(asked), many, asked.get("cursor")))
        return tagged(request, found)

    async def create(self, request: Request) -> Response:
        """Begin one."""
        given = await bodies.read_json(request, self._deadlines.body)
        return await self._told(self._sessions.create(given), HTTPStatus.CREATED)

    async def get(self, request: Request) -> Response:
        """Look at one."""
        return tagged(request, await self._outcome(self._sessions.get(request.path_params["session_id"])))

    async def touch(self, request: Request) -> Response:
        """Use one: refused when it has ended, so that nobody who looks at the status alone lets it pass."""
        session_id = request.path_params["session_id"]
        found = await self._outcome(self._sessions.touch(session_id))
        if found[STATUS] != ACTIVE:
            message = f"the session {session_id[:SHOWN]} has ended"
            raise HttpError(HTTPStatus.CONFLICT, "session-ended", message, hint="begin a new one")
        return answer(found)

    async def expire(self, request: Request) -> Response:
        """End one."""
        return await self._told(self._sessions.expire(request.path_params["session_id"]))

    async def expire_all(self, request: Request) -> Response:
        """End all of an owner."""
        return await self._told(self._sessions.expire_all(self._owner(self._parameters(request))))

    def _parameters(self, request: Request, *others: str) -> dict[str, str]:
        asked, allowed = dict(request.query_params), (self._sessions.owner_word, *others)
        for name in asked:
            if name not in allowed:
                hint = f"there are: {', '.join(allowed)}"
                raise bodies.unprocessable(f"there is no parameter {name[:SHOWN]}", hint=hint)
        return asked

    def _owner(self, asked: Mapping[str, str]) -> str:
        word = self._sessions.owner_word
        if not asked.get(word):
            raise bodies.unprocessable(f"say whose sessions: ?{word}=", hint="a name in git, or an id")
        return asked[word]

    async def _told(self, future: Future[Outcome], status: int = HTTPStatus.OK) -> Response:
        return answer(await self._outcome(future), status)

    async def _outcome(self, future: Future[Outcome]) -> Mapping[str, Any]:
        found = await self._waiting.answer(future, self._deadlines.read)
        if isinstance(found, tuple):
            raise _refused(found)
        if found is None:
            hint = "it may be gone: 7 days after it was last active"
            raise HttpError(HTTPStatus.NOT_FOUND, "not-found", "there is no such session", hint=hint)
        return found


def _refused(found: tuple[Problem, ...]) -> HttpError:
    """The first problem in words, and all of them as `validate` prints them."""
    first, told = found[0], {"problems": [to_json(build_problem(one)) for one in found]}
    message = f"{first.pointer}: {first.message}" if first.pointer else first.message
    if any(one.code not in CONFLICTS for one in found):
        return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "usage", message, hint=first.hint, beside=told)
    return HttpError(HTTPStatus.CONFLICT, "refused", message, hint=first.hint, beside=told)
