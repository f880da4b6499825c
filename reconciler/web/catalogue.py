"""The kinds there are, and what the branch's head would change: `/v1/kinds`, `/v1/plan`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from reconciler.web.reads import Reads
    from reconciler.web.serving import Deadlines


class Catalogue(Protocol):
    """What is asked of the daemon. Each call may take its time, and raises what a command would."""

    def kinds(self) -> Mapping[str, Any]:
        """All kinds, each as `schema list --format json` has it."""
        ...

    def kind(self, word: str) -> Mapping[str, Any]:
        """The JSON Schema of a kind."""
        ...

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas of all kinds by their names."""
        ...

    def plan(self) -> Mapping[str, Any]:
        """What `plan --format json` prints, from the live rows to the branch's head."""
        ...


class CatalogueRoutes:
    """Reads."""

    def __init__(self, catalogue: Catalogue, reads: Reads, deadlines: Deadlines) -> None:
        self._catalogue, self._reads, self._deadlines = catalogue, reads, deadlines

    def table(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/kinds", self.kinds, methods=["GET"]),
            Route("/v1/kinds/{kind}", self.kind, methods=["GET"]),
            Route("/v1/plan", self.plan, methods=["GET"]),
        ]

    async def kinds(self, request: Request) -> Response:
        """All kinds."""
        return await self._reads.answer(request, self._catalogue.kinds, self._deadlines.read)

    async def kind(self, request: Request) -> Response:
        """A kind's JSON Schema."""
        ask = partial(self._catalogue.kind, request.path_params["kind"])
        return await self._reads.answer(request, ask, self._deadlines.read)

    async def plan(self, request: Request) -> Response:
        """What the head would change."""
        return await self._reads.answer(request, self._catalogue.plan, self._deadlines.operation)
