"""The addresses of the past: what was live, what changed it, and who."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

from reconciler.web import bodies
from reconciler.web.paging import (
    CHANGES,
    CHANGES_OF,
    FOUND,
    MANY,
    ROWS,
    VERSIONS,
    limit_of,
    page,
    place_of,
    row_after,
    with_cursor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from reconciler.web.operations import Operations
    from reconciler.web.reads import Reads
    from reconciler.web.serving import Deadlines

PAGING = ("limit", "cursor")


class PastRoutes:
    """Reads that ask the history. They may have to wait for what is on its way there."""

    def __init__(self, operations: Operations, reads: Reads, deadlines: Deadlines) -> None:
        self._operations, self._reads, self._deadlines = operations, reads, deadlines

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
        what = CHANGES if kind is None else CHANGES_OF
        many, place = limit_of(request) or MANY, place_of(request, what)
        ask = partial(self._operations.history, kind, name, many, place)
        return await self._told(request, lambda: with_cursor(ask(), what))

    async def blame(self, request: Request) -> Response:
        """For each field of a live row the commit that last set it."""
        return await self._told(request, partial(self._operations.blame, **request.path_params))

    async def versions(self, request: Request) -> Response:
        """The newest versions of the history, all or those that filters let through."""
        filters = {name: text for name, text in request.query_params.items() if name not in PAGING}
        what = FOUND if filters else VERSIONS
        many, place = limit_of(request) or MANY, place_of(request, what)
        ask = partial(self._operations.versions, many, filters, place)
        return await self._told(request, lambda: with_cursor(ask(), what))

    async def version(self, request: Request) -> Response:
        """One version, and what it changed."""
        return await self._told(request, partial(self._operations.version, request.path_params["revision"]))

    async def diff(self, request: Request) -> Response:
        """What is otherwise at one commit or moment than at another."""
        base, head = (_needed(request, name) for name in ("base", "head"))
        return await self._told(request, partial(self._operations.diff, base, head))

    async def at(self, request: Request) -> Response:
        """The live rows of a kind, or the one that went by a name, as they were: `?at=`."""
        kind, name = request.path_params["kind"], request.path_params.get("name")
        ask = partial(self._operations.show, kind, name, _needed(request, "at"))
        if name is not None:
            return await self._told(request, ask)
        limit, place = limit_of(request), row_after(place_of(request, ROWS))
        return await self._told(request, lambda: with_cursor(page(ask(), limit, place), ROWS))

    async def _told(self, request: Request, work: Callable[[], Mapping[str, Any]]) -> Response:
        return await self._reads.answer(request, work, self._deadlines.operation)


def _needed(request: Request, name: str) -> str:
    told = request.query_params.get(name, "")
    if not told:
        raise bodies.unprocessable(f"there is no {name}", hint="name a commit or a moment, such as 2026-11-23T08:00Z")
    return told
