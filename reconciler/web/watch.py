"""The address that tells what happens: `/v1/watch`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

from reconciler.web import bodies
from reconciler.web.answers import HttpError
from reconciler.web.eventstream import Choice, EventStream

if TYPE_CHECKING:
    from reconciler.web.pulse import Pulse

PARAMETERS = ("kind", "name", "last_event_id")
LONGEST = 500
"""Characters of a parameter."""


class WatchRoutes:
    """Streams of what happens."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def table(self) -> list[Route]:
        """The one route."""
        return [Route("/v1/watch", self.watch, methods=["GET"])]

    async def watch(self, request: Request) -> EventStream:
        """What happens from now on, or from where the client was."""
        if request.headers.get("sec-fetch-site") == "cross-site":  # it could not read it, but take up all room
            raise HttpError(HTTPStatus.FORBIDDEN, "foreign-origin", "pages of other sites may not follow this host")
        asked = dict(request.query_params)
        for name, text in asked.items():
            if name not in PARAMETERS:
                raise bodies.unprocessable(
                    f"there is no parameter {name[:40]}", hint=f"there are: {', '.join(PARAMETERS)}"
                )
            if len(text) > LONGEST:
                raise bodies.unprocessable(f"{name} is longer than {LONGEST} characters")
        self._pulse.admit("end some of their streams")
        told = request.headers.get("last-event-id") or asked.get("last_event_id", "")
        choice = Choice(asked.get("kind", ""), asked.get("name", ""))
        return EventStream(self._pulse, choice, told)
