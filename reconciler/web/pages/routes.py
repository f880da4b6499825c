"""The addresses of the dashboard: every page, and beside it as `.json` what it is made from."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.responses import Response
from starlette.routing import Route

from reconciler.errors import ReconcilerError, UsageError
from reconciler.web.http import HttpError, routing_error, translate_error, unprocessable
from reconciler.web.pages import responses, templates
from reconciler.web.waiting import LATER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.service.pages import Pages
    from reconciler.web.auth import Deadlines
    from reconciler.web.waiting import Waiting

    Ask = Callable[[Pages], Mapping[str, Any]]

JSON_SUFFIX = ".json"
MAX_LENGTH = 500
"""Characters of a parameter."""
PAGE_THREADS = 4
"""Pages made at once. Most ask the history, which may take long: no short read under `/v1/` waits behind one."""

SEARCHES = 2
"""Of these, how many may look for a text at once: the rest stays free for pages that are read."""


class PageRoutes:
    """Reads of this host for people. Nothing here operates it. `close` ends its threads."""

    def __init__(self, pages: Pages, waiting: Waiting, deadlines: Deadlines) -> None:
        self._pages, self._waiting, self._deadlines = pages, waiting, deadlines
        self._executor = ThreadPoolExecutor(PAGE_THREADS, "page")
        self._searching = asyncio.Semaphore(SEARCHES)

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(cancel_futures=True)

    def table(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self.overview, methods=["GET"]),
            Route("/index.json", self.overview, methods=["GET"]),
            *_both("/resources", self.kinds),
            Route("/resources/{kind}", self.rows, methods=["GET"]),
            Route("/resources/{kind}/{name:path}", self.resource, methods=["GET"]),
            *_both("/search", self.search),
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
        return await self._answer(request, "overview", lambda pages: pages.overview())

    async def kinds(self, request: Request) -> Response:
        """The kinds there are."""
        return await self._answer(request, "kinds", lambda pages: pages.kinds())

    async def rows(self, request: Request) -> Response:
        """The live rows of a kind."""
        kind, query = _name(request, "kind"), _query(request)
        return await self._answer(request, "rows", lambda pages: pages.rows(kind, query))

    async def search(self, request: Request) -> Response:
        """The live rows of all kinds in which a text stands. Who types on gives up what was asked before."""
        query = _query(request)
        try:
            async with asyncio.timeout(self._deadlines.read):
                await self._searching.acquire()
        except TimeoutError:
            hint = "try again in a moment"
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "retry-later",
                "too much is looked for at once",
                hint=hint,
                headers=LATER,
            ) from None
        try:
            if await request.is_disconnected():  # nobody waits for it any more
                return Response(status_code=HTTPStatus.NO_CONTENT)
            return await self._answer(request, "search", lambda pages: pages.search(query))
        finally:
            self._searching.release()

    async def resource(self, request: Request) -> Response:
        """One row, beside what git says, with its history; or as it was at a moment."""
        kind, name, query = request.path_params["kind"], _name(request, "name"), _query(request)
        if query.get("at", "").strip():
            return await self._answer(request, "moment", lambda pages: pages.moment(kind, name, query))
        return await self._answer(request, "resource", lambda pages: pages.resource(kind, name))

    async def versions(self, request: Request) -> Response:
        """Commits."""
        query = _query(request)
        return await self._answer(request, "versions", lambda pages: pages.versions(query))

    async def version(self, request: Request) -> Response:
        """One commit."""
        revision = _name(request, "revision")
        return await self._answer(request, "version", lambda pages: pages.version(revision))

    async def drift(self, request: Request) -> Response:
        """What is not as git says."""
        return await self._answer(request, "drift", lambda pages: pages.drift())

    async def sessions(self, request: Request) -> Response:
        """Who is signed in."""
        query = _query(request)
        return await self._answer(request, "sessions", lambda pages: pages.sessions(query))

    async def events(self, request: Request) -> Response:
        """What this host did."""
        query = _query(request)
        return await self._answer(request, "events", lambda pages: pages.events(query))

    async def host(self, request: Request) -> Response:
        """How this host is."""
        return await self._answer(request, "host", lambda pages: pages.host())

    async def static(self, request: Request) -> Response:
        """Style, script, icon."""
        file = responses.load_static_files().get(request.path_params["file"])
        if file is None:
            raise routing_error(HTTPStatus.NOT_FOUND)
        return responses.static_response(file, request.url.query)

    async def _answer(self, request: Request, template: str, ask: Ask) -> Response:
        """A page, as HTML or as JSON. What it cannot show it says in the same dress."""
        is_json_page = responses.is_json_page(request.scope)
        make = partial(_json_page, self._pages, ask) if is_json_page else partial(_page, self._pages, ask, template)
        try:
            response = await self._waiting.call(make, self._deadlines.operation, self._executor)
        except ReconcilerError as error:
            http_error = _translate(error, request)
            if not responses.wants_page(request.scope):
                raise http_error from error
            heading = await self._waiting.call(self._pages.heading, self._deadlines.read)
            return templates.error_page(http_error, {"host": heading})
        return responses.conditional(response, request)


def _both(address: str, endpoint: Callable[[Request], Any]) -> tuple[Route, Route]:
    return Route(address, endpoint, methods=["GET"]), Route(f"{address}{JSON_SUFFIX}", endpoint, methods=["GET"])


def _page(pages: Pages, ask: Ask, template: str) -> Response:
    return responses.html_response(templates.render_page(template, ask(pages)))


def _json_page(pages: Pages, ask: Ask) -> Response:
    return responses.json_page(ask(pages))


def _name(request: Request, parameter: str) -> str:
    """A name out of an address; the ending `.json` is no part of it."""
    name = str(request.path_params[parameter])
    return name.removesuffix(JSON_SUFFIX) if responses.is_json_page(request.scope) else name


def _query(request: Request) -> dict[str, str]:
    query = dict(request.query_params)
    for name, text in query.items():
        if len(text) > MAX_LENGTH:
            raise unprocessable(f"{name[:MAX_LENGTH]} is longer than {MAX_LENGTH} characters")
    return query


def _translate(error: ReconcilerError, request: Request) -> HttpError:
    """What is asked for by its name and does not exist is not found; what is asked for wrongly is a wrong question."""
    if isinstance(error, UsageError) and not request.query_params:
        return HttpError(HTTPStatus.NOT_FOUND, "not-found", str(error), hint=error.hint)
    return translate_error(error)
