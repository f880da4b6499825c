"""`GET /metrics`, and the counting of requests. What is counted where is the business of `Measures`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from reconciler.web.answers import BEFORE_ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TEMPLATE = "reconciler.route"
"""Where in a request's scope the template of its address is, once the router has found it."""
ELSEWHERE = "other"
"""The template of what went no further than the door, or to no address; the name of a method that nobody knows."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNANSWERED = 499
"""The status of a request whose client went away before it was answered; nginx calls it so, too."""


class Measures(Protocol):
    """What counts. Each call returns at once: all are made on the thread that serves everybody."""

    def begun(self) -> None:
        """A request is there."""
        ...

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Its answer has begun, so many seconds later. `route` is the template of its address."""
        ...

    def ended(self) -> None:
        """It is over."""
        ...

    def delivered(self, answer: str) -> None:
        """A webhook was answered so."""
        ...

    def exposition(self, accept: str) -> tuple[str, bytes]:
        """All metrics as of now: a media type that the Accept header takes, and the text."""
        ...


def metrics_table(measures: Measures) -> list[Route]:
    """The address of the metrics."""

    async def metrics(request: Request) -> Response:
        media_type, text = measures.exposition(request.headers.get("accept", ""))
        return Response(text, headers={**BEFORE_ALL, "content-type": media_type, "vary": "accept"})

    return [Route("/metrics", metrics, methods=["GET"])]


def named(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """The same routes, each of which tells its template to whoever looks at the request afterwards."""
    for route in routes:
        if isinstance(route, (Route, Mount)):
            route.app = _Named(route.app, route.path)
    return list(routes)


class _Named:
    """One route's application."""

    def __init__(self, app: ASGIApp, template: str) -> None:
        self._app, self._template = app, template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})[TEMPLATE] = self._template
        await self._app(scope, receive, send)


class Counting:
    """Around everything else: each request is counted once, with the status that its client sees."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app, self._measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A stream is answered when it begins, and under way until it ends."""
        began, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._count(scope, status, began)
            await send(message)

        scope.setdefault("state", {})
        self._measures.begun()
        try:
            await self._app(scope, receive, watched)
        finally:
            self._measures.ended()
            if not status:
                self._count(scope, UNANSWERED, began)

    def _count(self, scope: Scope, status: int, began: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else ELSEWHERE
        template = scope["state"].get(TEMPLATE, ELSEWHERE)
        self._measures.answered(template, method, status, time.perf_counter() - began)
