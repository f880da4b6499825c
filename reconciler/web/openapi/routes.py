"""`/openapi.json`, and `/docs`: the same as a page that needs no script."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

from reconciler import __version__
from reconciler.web.openapi.document import document
from reconciler.web.openapi.page import shown
from reconciler.web.pages import rendering, responses

if TYPE_CHECKING:
    from starlette.responses import Response

    from reconciler.web.operations import Operations
    from reconciler.web.reads import Reads
    from reconciler.web.serving import Deadlines
    from reconciler.web.waiting import Waiting


class OpenApiRoutes:
    """What this server says about itself."""

    def __init__(self, operations: Operations, waiting: Waiting, reads: Reads, deadlines: Deadlines) -> None:
        self._operations, self._waiting, self._reads, self._deadlines = operations, waiting, reads, deadlines

    def table(self) -> list[Route]:
        """Both."""
        return [
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/docs", self.docs, methods=["GET"]),
        ]

    async def openapi(self, request: Request) -> Response:
        """The document."""
        return await self._reads.answer(request, partial(_document, self._operations), self._deadlines.read)

    async def docs(self, request: Request) -> Response:
        """The page."""
        text = await self._waiting.call(partial(_page, self._operations), self._deadlines.read)
        return responses.if_changed(responses.html(text), request)


def _document(operations: Operations) -> dict[str, Any]:
    return document(operations.catalogue.schemas(), operations.sessions.owner_word, __version__)


def _page(operations: Operations) -> str:
    return rendering.page("docs", {"host": operations.views.heading(), "api": shown(_document(operations))})
