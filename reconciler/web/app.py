"""The application: routes, and around them who may do what and what becomes of errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route

from reconciler.errors import BugError, ReconcilerError
from reconciler.web import answers
from reconciler.web.access import Access, Role, grant
from reconciler.web.deliveries import Webhooks
from reconciler.web.routes import Routes

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reconciler.web.operations import Operations
    from reconciler.web.serving import Serving
    from reconciler.web.waiting import Waiting

OPEN = ("/healthz", "/readyz", "/webhooks/")
"""Addresses without Host, Origin and token: probes say nothing worth hiding, webhooks have their signature."""
LOG = logging.getLogger(__name__)


def create_app(operations: Operations, serving: Serving, waiting: Waiting) -> Starlette:
    """The application in front of a daemon. `waiting` ends what is under way when the server stops."""
    hooks = Webhooks(operations, serving.webhook_secret, serving.deadlines.body)
    access = Access((grant(serving.token, Role.OPERATE),), serving.hosts)
    routes = Routes(operations, waiting, serving.deadlines).table()
    app = Starlette(
        routes=[*routes, Route("/webhooks/{secret}", hooks.receive, methods=["POST"])],
        middleware=[Middleware(Shield), Middleware(Gate, access=access)],
        exception_handlers={HTTPException: _routing},
    )
    app.router.redirect_slashes = False  # the redirect would be to whatever the Host header says
    return app


class Gate:
    """Lets a request in, or raises `HttpError`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every address but the open ones, those that do not exist too."""
        request = Request(scope)
        path: str = scope["path"]
        if not (path in OPEN or path.startswith(OPEN[-1])):
            self._access.check(request.method, request.headers, request.client.host if request.client else None)
        await self._app(scope, receive, send)


class Shield:
    """Turns whatever is raised into the one error body; a trace goes to the log, never to a client."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in any case, unless half an answer is out or nobody is there to read it."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:  # the last line of defence: nobody is shown a traceback
            if begun:
                raise
            await answers.refusal(_understood(error))(scope, receive, send)


def _understood(error: Exception) -> answers.HttpError:
    if isinstance(error, answers.HttpError):
        return error
    if isinstance(error, ReconcilerError):
        if isinstance(error, BugError):
            LOG.error("a request met a bug", exc_info=error)
        return answers.translated(error)
    LOG.error("a request met a bug", exc_info=error)
    return answers.unexpected()


async def _routing(request: Request, error: Exception) -> Response:
    """What the router raises: no such address, or not with this method."""
    assert isinstance(error, HTTPException)
    return answers.refusal(answers.from_status(error.status_code, error.headers))
