"""The application: routes, `/metrics`, and around them authorization, errors and the counting of requests."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from reconciler.errors import BugError, ReconcilerError
from reconciler.model.grants import Role, make_grant
from reconciler.web.api import Api
from reconciler.web.auth import Access, AuthMiddleware, Limits
from reconciler.web.docs import DocumentHandler
from reconciler.web.events import WATCH, WatchHandler
from reconciler.web.http import NO_STORE, HttpError, routing_error, translate_error, unexpected_error
from reconciler.web.pages.routes import PageRoutes
from reconciler.web.pages.templates import error_response
from reconciler.web.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reconciler.metrics import HttpMetrics
    from reconciler.service.events import EventBuffer
    from reconciler.service.pages import Pages
    from reconciler.service.services import Services
    from reconciler.web.auth import ServerConfig
    from reconciler.web.waiting import Waiting


LOG = logging.getLogger(__name__)


class ServedHost(Struct, frozen=True):
    """What is served. `hint` says that something may have changed in git; `expose` gives all metrics as text."""

    services: Services
    pages: Pages
    events: EventBuffer
    hint: Callable[[str], None]
    traffic: HttpMetrics
    expose: Callable[[str], tuple[str, bytes]]


class App:
    """The application in front of a daemon. `waiting` ends what is under way when the server stops."""

    def __init__(self, host: ServedHost, config: ServerConfig, waiting: Waiting) -> None:
        deadlines = config.deadlines
        hooks = Webhooks(host.hint, host.traffic.delivered, config.webhook_secret, deadlines.body)
        documents = DocumentHandler(host.services, host.pages, waiting, deadlines)
        self.api = Api(host.services, waiting, deadlines)
        self._pages = PageRoutes(host.pages, waiting, deadlines)
        routes = self.api.routes(
            {
                WATCH: WatchHandler(waiting.hub).watch,
                "/metrics": MetricsHandler(host.expose).metrics,
                "/webhooks/{secret}": hooks.receive,
                "/openapi.json": documents.openapi,
                "/docs": documents.docs,
            }
        )
        access = Access(make_grant(config.token, Role.OPERATE), config.grants, config.hosts, config.local_reads)
        self.starlette = Starlette(
            routes=name_templates([*routes, *self._pages.table()]),
            middleware=[
                Middleware(CountingMiddleware, traffic=host.traffic),
                Middleware(ErrorMiddleware),
                Middleware(AuthMiddleware, access=access, limits=Limits(config.reading, config.failing)),
            ],
            exception_handlers={HTTPException: _answer_routing_error},
        )
        self.starlette.router.redirect_slashes = False  # the redirect would be to whatever the Host header says

    def close(self) -> None:
        """End the threads of API and pages."""
        self.api.close()
        self._pages.close()


class ErrorMiddleware:
    """Turns whatever is raised into the one error body; a trace goes to the log, never to a client."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in any case, unless half an answer is out or nobody is there to read it."""
        is_started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting_start)
        except ClientDisconnect:
            return
        except Exception as error:  # the last line of defence: no client gets a traceback
            if is_started:
                raise
            await error_response(_as_http_error(error), scope)(scope, receive, send)


def _as_http_error(error: Exception) -> HttpError:
    if isinstance(error, HttpError):
        return error
    if isinstance(error, ReconcilerError):
        if isinstance(error, BugError):
            LOG.error("a request met a bug", exc_info=error)
        return translate_error(error)
    LOG.error("a request met a bug", exc_info=error)
    return unexpected_error()


async def _answer_routing_error(request: Request, error: Exception) -> Response:
    """What the router raises: no such address, or not with this method."""
    assert isinstance(error, HTTPException)
    return error_response(routing_error(error.status_code, error.headers), request.scope)


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
            route.app = _RouteTemplate(route.app, route.path)
    return list(routes)


class _RouteTemplate:
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
