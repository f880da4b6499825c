"""`POST /webhooks/{path secret}`: a genuine push is a hint to look at git. Whoever is refused learns nothing."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation

from reconciler.web import bodies, webhooks
from reconciler.web.answers import HttpError, answer, from_status
from reconciler.web.payloads import Event

if TYPE_CHECKING:
    from starlette.responses import Response

    from reconciler.web.operations import Operations

MAX_BODY = 1024 * 1024
"""Bytes of a delivery. A push of thousands of commits may be larger; polling notices that one."""
SILENCE = 60.0
"""Seconds between two lines about refused deliveries in the log, however many there are."""
ACCEPTED = "accepted"
LOG = logging.getLogger(__name__)


class Webhooks:
    """The webhook address of one repository. Without a secret there is none."""

    def __init__(self, operations: Operations, secret: str, deadline: float) -> None:
        self._operations, self._secret, self._deadline = operations, secret, deadline
        self._seen = webhooks.Seen()
        self._refused = 0
        self._told = -SILENCE

    async def receive(self, request: Request) -> Response:
        """Answer 202 to a push, 200 to what needs nothing done; 404 for a wrong address, 401 for any other fault."""
        try:
            result = await self._received(request)
        except HttpError as error:
            self._operations.measures.delivered(error.code)
            raise
        self._operations.measures.delivered(result)
        return answer({"result": result}, HTTPStatus.ACCEPTED if result == ACCEPTED else HTTPStatus.OK)

    async def _received(self, request: Request) -> str:
        if not webhooks.is_path(request.path_params["secret"], self._secret):
            raise from_status(HTTPStatus.NOT_FOUND)
        body = await bodies.read(request, MAX_BODY, self._deadline)
        verdict = webhooks.verify(request.headers, body, self._secret, time.time())
        if isinstance(verdict, webhooks.Refusal):
            self._note(verdict)
            raise HttpError(HTTPStatus.UNAUTHORIZED, "refused", "this delivery is refused")
        if not self._seen.is_new(verdict.seal):
            return "duplicate"
        if verdict.event is not Event.PUSH:
            return "pong" if verdict.event is Event.PING else "ignored"
        self._operations.hint(_source(verdict))
        return ACCEPTED

    def _note(self, refusal: webhooks.Refusal) -> None:
        """Tell the log why, now and then: ten thousand forged deliveries must not fill a disk."""
        self._refused += 1
        if time.monotonic() - self._told >= SILENCE:
            LOG.warning("refused %d webhook deliveries; the last one because %s", self._refused, refusal.reason)
            self._refused, self._told = 0, time.monotonic()


def _source(verdict: webhooks.Verdict) -> str:
    branch = f" to {verdict.branch}" if verdict.branch else ""
    delivery = f", delivery {verdict.delivery}" if verdict.delivery else ""
    return f"webhook: {verdict.forge} push{branch}{delivery}"
