"""The addresses of the dashboard: every page, and beside it as `.json` what it is made from."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

from reconciler.errors import ReconcilerError, UsageError
from reconciler.web import answers, bodies
from reconciler.web.pages import refusals, rendering, responses, static

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from reconciler.web.operations import Operations
    from reconciler.web.pages.views import Views
    from reconciler.web.serving import Deadlines
    from reconciler.web.waiting import Waiting

    Ask = Callable[[Views], Mapping[str, Any]]

TWIN = ".json"
LONGEST = 500
"""Characters of a parameter."""


class PageRoutes:
    """Reads of this host for people. Nothing here operates it."""

    def __init__(self, operations: Operations, waiting: Waiting, deadlines: Deadlines) -> None:
        self._operations, self._waiting, self._deadlines = operations, waiting, deadlines

    def table(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self.overview, methods=["GET"]),
            Route("/index.json", self.overview, methods=["GET"]),
            *_both("/resources", self.kinds),
            Route("/resources/{kind}", self.rows, methods=["GET"]),
            Route("/resources/{kind}/{name:path}", self.resource, methods=["GET"]),
            *_both("/versions", self.versions),
            Route("/versions/{revision:path}", self.version, methods=["GET"]),
            *_both("/drift", self.drift),
            *_both("/sessions", self.sessions),
            *_both("/events", self.events),
            *_both("/host", self.host),
            Route("/static/{file}", self.static, methods=["GET"]),
        ]

    async def overview(self, request: Request) -> Response:
        """How this host stands."""
        return await self._shown(request, "overview", lambda views: views.overview())

    async def kinds(self, request: Request) -> Response:
        """The kinds there are."""
        return await self._shown(request, "kinds", lambda views: views.kinds())

    async def rows(self, request: Request) -> Response:
        """The live rows of a kind."""
        kind, asked = _named(request, "kind"), _asked(request)
        return await self._shown(request, "rows", lambda views: views.rows(kind, asked))

    async def resource(self, request: Request) -> Response:
        """One row, beside what git says, with its history."""
        kind, name = request.path_params["kind"], _named(request, "name")
        return await self._shown(request, "resource", lambda views: views.resource(kind, name))

    async def versions(self, request: Request) -> Response:
        """Commits."""
        asked = _asked(request)
        return await self._shown(request, "versions", lambda views: views.versions(asked))

    async def version(self, request: Request) -> Response:
        """One commit."""
        revision = _named(request, "revision")
        return await self._shown(request, "version", lambda views: views.version(revision))

    async def drift(self, request: Request) -> Response:
        """What is not as git says."""
        return await self._shown(request, "drift", lambda views: views.drift())

    async def sessions(self, request: Request) -> Response:
        """Who is signed in."""
        asked = _asked(request)
        return await self._shown(request, "sessions", lambda views: views.sessions(asked))

    async def events(self, request: Request) -> Response:
        """What this host did."""
        asked = _asked(request)
        return await self._shown(request, "events", lambda views: views.events(asked))

    async def host(self, request: Request) -> Response:
        """How this host is."""
        return await self._shown(request, "host", lambda views: views.host())

    async def static(self, request: Request) -> Response:
        """Style, script, icon."""
        found = static.files().get(request.path_params["file"])
        if found is None:
            raise answers.from_status(HTTPStatus.NOT_FOUND)
        return responses.static(found, request.url.query)

    async def _shown(self, request: Request, template: str, ask: Ask) -> Response:
        """A page or its twin. What it cannot show it says in the same dress."""
        views = self._operations.views
        make = partial(_twin, views, ask) if refusals.is_twin(request.scope) else partial(_page, views, ask, template)
        try:
            found = await self._waiting.call(make, self._deadlines.operation)
        except ReconcilerError as error:
            refused = _translated(error, request)
            if not refusals.wants_page(request.scope):
                raise refused from error
            heading = partial(_heading, views)
            return refusals.page(refused, await self._waiting.call(heading, self._deadlines.read))
        return responses.if_changed(found, request)


def _both(address: str, endpoint: Callable[[Request], Any]) -> tuple[Route, Route]:
    return Route(address, endpoint, methods=["GET"]), Route(f"{address}{TWIN}", endpoint, methods=["GET"])


def _page(views: Views, ask: Ask, template: str) -> Response:
    return responses.html(rendering.page(template, ask(views)))


def _twin(views: Views, ask: Ask) -> Response:
    return responses.twin(ask(views))


def _heading(views: Views) -> dict[str, Any]:
    return {"host": views.heading()}


def _named(request: Request, parameter: str) -> str:
    """A name out of an address; the twin's ending is no part of it."""
    found = str(request.path_params[parameter])
    return found.removesuffix(TWIN) if refusals.is_twin(request.scope) else found


def _asked(request: Request) -> dict[str, str]:
    asked = dict(request.query_params)
    for name, text in asked.items():
        if len(text) > LONGEST:
            raise bodies.unprocessable(f"{name[:LONGEST]} is longer than {LONGEST} characters")
    return asked


def _translated(error: ReconcilerError, request: Request) -> answers.HttpError:
    """What is asked for by its name and does not exist is not found; what is asked for wrongly is a wrong question."""
    if isinstance(error, UsageError) and not request.query_params:
        return answers.HttpError(HTTPStatus.NOT_FOUND, "not-found", str(error), hint=error.hint)
    return answers.translated(error)
