"""The addresses of the past: what was live, what changed it, and who."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

from reconciler.web import bodies
from reconciler.web.answers import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from reconciler.web.operations import Operations
    from reconciler.web.serving import Deadlines
    from reconciler.web.waiting import Waiting

MANY, LIMIT = 20, re.compile("[1-9][0-9]{0,5}", re.ASCII)
"""How many are told unless a client says so, and what it may say."""
SHOWN = 500
"""Characters of a parameter that an error repeats."""


class PastRoutes:
    """Reads that ask the history. They may have to wait for what is on its way there."""

    def __init__(self, operations: Operations, waiting: Waiting, deadlines: Deadlines) -> None:
        self._operations, self._waiting, self._deadlines = operations, waiting, deadlines

    def table(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/resources/{kind}/{name}/history", self.history, methods=["GET"]),
            Route("/v1/resources/{kind}/{name}/blame", self.blame, methods=["GET"]),
            Route("/v1/history", self.history, methods=["GET"]),
            Route("/v1/versions", self.versions, methods=["GET"]),
            Route("/v1/versions/{revision}", self.version, methods=["GET"]),
            Route("/v1/diff", self.diff, methods=["GET"]),
        ]

    async def history(self, request: Request) -> Response:
        """The changes of a resource, or the newest of all."""
        kind, name = request.path_params.get("kind"), request.path_params.get("name")
        return await self._told(partial(self._operations.history, kind, name, _limit(request)))

    async def blame(self, request: Request) -> Response:
        """For each field of a live row the commit that last set it."""
        return await self._told(partial(self._operations.blame, **request.path_params))

    async def versions(self, request: Request) -> Response:
        """The newest versions of the history, all or those that filters let through."""
        filters = {name: text for name, text in request.query_params.items() if name != "limit"}
        return await self._told(partial(self._operations.versions, _limit(request), filters))

    async def version(self, request: Request) -> Response:
        """One version, and what it changed."""
        return await self._told(partial(self._operations.version, request.path_params["revision"]))

    async def diff(self, request: Request) -> Response:
        """What is otherwise at one commit or moment than at another."""
        base, head = (_needed(request, name) for name in ("base", "head"))
        return await self._told(partial(self._operations.diff, base, head))

    async def at(self, request: Request) -> Response:
        """The live rows of a kind, or the one that went by a name, as they were: `?at=`."""
        kind, name = request.path_params["kind"], request.path_params.get("name")
        return await self._told(partial(self._operations.show, kind, name, _needed(request, "at")))

    async def _told(self, work: Callable[[], Mapping[str, Any]]) -> Response:
        return answer(await self._waiting.call(work, self._deadlines.operation))


def _limit(request: Request) -> int:
    told = request.query_params.get("limit", str(MANY))
    if not LIMIT.fullmatch(told):
        raise bodies.unprocessable(f"limit is {told[:SHOWN]!r}", hint="write a number from 1 on")
    return int(told)


def _needed(request: Request, name: str) -> str:
    told = request.query_params.get(name, "")
    if not told:
        raise bodies.unprocessable(f"there is no {name}", hint="name a commit or a moment, such as 2026-11-23T08:00Z")
    return told
