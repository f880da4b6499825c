"""The application: routes, and around them authorization, errors and counting."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect

from reconciler.errors import BugError, ReconcilerError
from reconciler.model.grants import Role, make_grant
from reconciler.web.api import Api
from reconciler.web.auth import Access, AuthMiddleware, Limits
from reconciler.web.docs import DocumentHandler
from reconciler.web.events import WATCH, WatchHandler
from reconciler.web.http import HttpError, routing_error, translate_error, unexpected_error
from reconciler.web.metrics import CountingMiddleware, MetricsHandler, name_templates
from reconciler.web.pages.routes import PageRoutes
from reconciler.web.pages.templates import error_response
from reconciler.web.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reconciler.metrics import HttpMetrics
    from reconciler.service.events import EventBuffer
    from reconciler.service.pages import Pages
    from reconciler.service.services import Services
    from reconciler.web.auth import ServerConfig
    from reconciler.web.waiting import Waiting

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedHost:
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
        routes = self.api.routes(
            {
                WATCH: WatchHandler(waiting.hub).watch,
                "/metrics": MetricsHandler(host.expose).metrics,
                "/webhooks/{secret}": hooks.receive,
                "/openapi.json": documents.openapi,
                "/docs": documents.docs,
            }
        )
        access = Access(make_grant(config.token, Role.OPERATE), config.grants, config.hosts)
        self.starlette = Starlette(
            routes=name_templates([*routes, *PageRoutes(host.pages, waiting, deadlines).table()]),
            middleware=[
                Middleware(CountingMiddleware, traffic=host.traffic),
                Middleware(ErrorMiddleware),
                Middleware(AuthMiddleware, access=access, limits=Limits(config.reading, config.failing)),
            ],
            exception_handlers={HTTPException: _answer_routing_error},
        )
        self.starlette.router.redirect_slashes = False  # the redirect would be to whatever the Host header says

    def close(self) -> None:
        """End its threads."""
        self.api.close()


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
