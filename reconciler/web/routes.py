"""The addresses of a daemon and what each does. What is behind them is `Operations`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation
from starlette.routing import Route

from reconciler.model.host import parse_until
from reconciler.web import bodies, paging
from reconciler.web.answers import HttpError, answer
from reconciler.web.catalogue import CatalogueRoutes
from reconciler.web.etags import weak
from reconciler.web.openapi.routes import OpenApiRoutes
from reconciler.web.past import PastRoutes
from reconciler.web.questions import QuestionRoutes
from reconciler.web.reads import Reads
from reconciler.web.sessions import SessionRoutes
from reconciler.web.watch import WatchRoutes

if TYPE_CHECKING:
    from starlette.responses import Response

    from reconciler.web.operations import Heartbeat, Operations
    from reconciler.web.reads import Work
    from reconciler.web.serving import Deadlines
    from reconciler.web.waiting import Waiting

NOBODY = "somebody with the daemon's token"
MAX_TEXT = 500
"""Characters of a reason or a name."""


class Routes:
    """The daemon's own routes."""

    def __init__(self, operations: Operations, waiting: Waiting, deadlines: Deadlines) -> None:
        self._operations, self._waiting, self._deadlines = operations, waiting, deadlines
        self._reads = Reads(waiting)
        self._past = PastRoutes(operations, self._reads, deadlines)

    def table(self) -> list[Route]:
        """All of them."""
        return [
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/v1/status", self.status, methods=["GET"]),
            Route("/v1/resources/{kind}", self.rows, methods=["GET"]),
            Route("/v1/resources/{kind}/{name}", self.rows, methods=["GET"]),
            Route("/v1/drift", self.drift, methods=["GET"]),
            Route("/v1/heal", self.heal, methods=["POST"]),
            Route("/v1/backup", self.back_up, methods=["POST"]),
            Route("/v1/restore", self.restore, methods=["POST"]),
            Route("/v1/sync", self.sync, methods=["POST"]),
            Route("/v1/verify", self.verify, methods=["POST"]),
            Route("/v1/suspend", self.suspend, methods=["POST"]),
            Route("/v1/resume", self.resume, methods=["POST"]),
            *self._past.table(),
            *CatalogueRoutes(self._operations.catalogue, self._reads, self._deadlines).table(),
            *OpenApiRoutes(self._operations, self._waiting, self._reads, self._deadlines).table(),
            *WatchRoutes(self._waiting.pulse).table(),
            *QuestionRoutes(self._operations, self._waiting, self._deadlines).table(),
            *SessionRoutes(self._operations.sessions, self._waiting, self._deadlines).table(),
        ]

    async def healthz(self, request: Request) -> Response:
        """200 while every thread shows signs of life, else 503 naming those that do not."""
        beats = self._operations.heartbeats()
        stuck = ", ".join(_silence(beat) for beat in beats if beat.stuck)
        if stuck:
            hint = "restart the daemon; it goes on where it was"
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "stuck", stuck, hint=hint)
        return answer({"healthy": True, "threads": {beat.thread: beat.doing for beat in beats}})

    async def readyz(self, request: Request) -> Response:
        """503 until the first reconcile has ended."""
        if not self._operations.ready():
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "the first reconcile has not ended yet")
        return answer({"ready": True})

    async def status(self, request: Request) -> Response:
        """What is live, and whether it is what git says."""
        return await self._reads.answer(request, self._operations.status, self._deadlines.read, weak)

    async def rows(self, request: Request) -> Response:
        """The live rows of a kind, or the one that goes by a name; with `?at=` as they were."""
        if "at" in request.query_params:
            return await self._past.at(request)
        kind, name = request.path_params["kind"], request.path_params.get("name")
        work = partial(self._operations.rows, kind, name) if name else self._page(request, kind)
        return await self._reads.answer(request, work, self._deadlines.read)

    def _page(self, request: Request, kind: str) -> Work:
        """All rows of a kind, or some of them for whoever asks for so many, or goes on after others."""
        limit, place = paging.limit_of(request), paging.row_after(paging.place_of(request, paging.ROWS))
        if limit is None and place is None:
            return lambda: {**self._operations.rows(kind, None), "next": None}
        many = min(limit or paging.LARGEST, paging.LARGEST)
        return lambda: paging.with_cursor(self._operations.page(kind, many, place), paging.ROWS)

    async def heal(self, request: Request) -> Response:
        """Put right all that drifted."""
        future = self._operations.submit_heal(_by(await self._told(request, {"by": str})))
        return answer(await self._waiting.answer(future, self._deadlines.operation))

    async def back_up(self, request: Request) -> Response:
        """Copy the store."""
        future = self._operations.submit_back_up(_by(await self._told(request, {"by": str})))
        return answer(await self._waiting.answer(future, self._deadlines.operation))

    async def restore(self, request: Request) -> Response:
        """Make a copy on this host the store."""
        told = await self._told(request, {"file": str, "by": str})
        if not told.get("file"):
            raise bodies.unprocessable("there is no file", hint="name a backup on this host")
        future = self._operations.submit_restore(Path(told["file"]), _by(told))
        return answer(await self._waiting.answer(future, self._deadlines.operation))

    async def drift(self, request: Request) -> Response:
        """What in the live rows is not what git says."""
        return await self._reads.answer(request, self._operations.drift, self._deadlines.operation)

    async def sync(self, request: Request) -> Response:
        """Reconcile once; the answer comes when this request was handled."""
        told = await self._told(request, {"approve": str, "by": str, "force": bool})
        future = self._operations.submit_sync(told.get("approve"), _by(told), force=told.get("force", False))
        return answer(await self._waiting.answer(future, self._deadlines.operation))

    async def verify(self, request: Request) -> Response:
        """Compare ledger and live rows with git."""
        future = self._operations.submit_verify(_by(await self._told(request, {"by": str})))
        return answer(await self._waiting.answer(future, self._deadlines.operation))

    async def suspend(self, request: Request) -> Response:
        """Stop automatic reconciling."""
        told = await self._told(request, {"reason": str, "until": str, "by": str})
        reason = str(told.get("reason", "")).strip()
        if not reason:
            raise bodies.unprocessable("there is no reason", hint="say why, for whoever finds this host suspended")
        until = parse_until(told["until"], datetime.now(UTC)) if "until" in told else None
        work = partial(self._operations.suspend, reason, until, _by(told))
        return answer(await self._waiting.call(work, self._deadlines.read))

    async def resume(self, request: Request) -> Response:
        """Take automatic reconciling up again."""
        work = partial(self._operations.resume, _by(await self._told(request, {"by": str})))
        return answer(await self._waiting.call(work, self._deadlines.read))

    async def _told(self, request: Request, fields: dict[str, type]) -> dict[str, Any]:
        told = await bodies.read_object(request, fields, self._deadlines.body)
        for name, value in told.items():
            if isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
                raise bodies.unprocessable(
                    f"{name} is longer than {MAX_TEXT} characters, or has some that do not print"
                )
        return told


def _by(told: dict[str, Any]) -> str:
    return str(told.get("by", "")).strip() or NOBODY


def _silence(beat: Heartbeat) -> str:
    allowed = f"{beat.limit:.0f} s allowed"
    return f"{beat.thread} ({beat.doing}) has given no sign of life for {beat.age:.0f} s, {allowed}"
