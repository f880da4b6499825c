"""`GET /metrics`, and the counting of requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from reconciler.web.http import NO_STORE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reconciler.metrics import HttpMetrics

TEMPLATE = "reconciler.route"
"""Where in a request's scope the template of its address is, once the router has found it."""
OTHER = "other"
"""The template of what went no further than the door, or to no address; the name of a method that nobody knows."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNANSWERED = 499
"""The status of a request whose client went away before it was answered; nginx calls it so, too."""


class MetricsHandler:
    """Answers `/metrics`. `expose` gives a media type that an Accept header takes, and the text."""

    def __init__(self, expose: Callable[[str], tuple[str, bytes]]) -> None:
        self._expose = expose

    async def metrics(self, request: Request) -> Response:
        """All metrics as of now."""
        media_type, text = self._expose(request.headers.get("accept", ""))
        return Response(text, headers={**NO_STORE, "content-type": media_type, "vary": "accept"})


def name_templates(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """The same routes, each of which leaves its template in the scope of a request."""
    for route in routes:
        if isinstance(route, (Route, Mount)):
            route.app = _Templated(route.app, route.path)
    return list(routes)


class _Templated:
    """One route's application."""

    def __init__(self, app: ASGIApp, template: str) -> None:
        self._app, self._template = app, template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})[TEMPLATE] = self._template
        await self._app(scope, receive, send)


class CountingMiddleware:
    """Around everything else: each request is counted once, with the status that its client sees."""

    def __init__(self, app: ASGIApp, traffic: HttpMetrics) -> None:
        self._app, self._traffic = app, traffic

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
        self._traffic.begun()
        try:
            await self._app(scope, receive, watched)
        finally:
            self._traffic.ended()
            if not status:
                self._count(scope, UNANSWERED, began)

    def _count(self, scope: Scope, status: int, began: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        template = scope["state"].get(TEMPLATE, OTHER)
        self._traffic.answered(template, method, status, time.perf_counter() - began)
