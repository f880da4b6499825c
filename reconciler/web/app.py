"""The application: routes, and around them who may do what and what becomes of errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from reconciler.errors import BugError, ReconcilerError
from reconciler.model.grants import Role, make_grant
from reconciler.web import answers
from reconciler.web.access import Access
from reconciler.web.deliveries import Webhooks
from reconciler.web.gate import Gate, Limits
from reconciler.web.measures import Counting, metrics_table, named
from reconciler.web.pages import refusals
from reconciler.web.pages.routes import PageRoutes
from reconciler.web.routes import Routes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reconciler.web.operations import Operations
    from reconciler.web.serving import Serving
    from reconciler.web.waiting import Waiting

LOG = logging.getLogger(__name__)


def create_app(operations: Operations, serving: Serving, waiting: Waiting) -> Starlette:
    """The application in front of a daemon. `waiting` ends what is under way when the server stops."""
    hooks = Webhooks(operations, serving.webhook_secret, serving.deadlines.body)
    access = Access(make_grant(serving.token, Role.OPERATE), serving.grants, serving.hosts)
    limits = Limits(serving.reading, serving.failing)
    routes = [*Routes(operations, waiting, serving.deadlines).table(), *metrics_table(operations.measures)]
    routes += PageRoutes(operations, waiting, serving.deadlines).table()
    app = Starlette(
        routes=named([*routes, Route("/webhooks/{secret}", hooks.receive, methods=["POST"])]),
        middleware=[
            Middleware(Counting, measures=operations.measures),
            Middleware(Shield),
            Middleware(Gate, access=access, limits=limits),
        ],
        exception_handlers={HTTPException: _routing},
    )
    app.router.redirect_slashes = False  # the redirect would be to whatever the Host header says
    return app


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
            await refusals.refusal(_understood(error), scope)(scope, receive, send)


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
    return refusals.refusal(answers.from_status(error.status_code, error.headers), request.scope)
