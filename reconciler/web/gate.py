"""The door: how often somebody may ask, and what. In front of every address but the open ones."""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request

from reconciler.web.answers import HttpError
from reconciler.web.limits import Buckets, client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from reconciler.web.access import Access
    from reconciler.web.limits import Rate

OPEN = ("/healthz", "/readyz", "/webhooks/")
"""Addresses without Host, Origin and token: probes say nothing worth hiding, webhooks have their signature."""


class Limits:
    """How often each client has asked, and how often with a token that is wrong. `now` is in monotonic seconds."""

    def __init__(self, reading: Rate, failing: Rate, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._asked, self._failed = Buckets(reading), Buckets(failing)

    def admit(self, client: str, *, with_token: bool) -> None:
        """Count a request. Raises `HttpError` (429) when there were too many, or too many tokens that are wrong."""
        now = self._now()
        wait = self._asked.wait(client, now)
        if wait:
            raise _too_many("you ask more often than this host answers", wait)
        self._asked.take(client, now)
        wait = self._failed.wait(client, now) if with_token else 0.0
        if wait:
            raise _too_many("too many tokens from your address were wrong", wait)

    def failed(self, client: str) -> None:
        """Count a token that is wrong."""
        self._failed.take(client, self._now())


class Gate:
    """Lets a request in, or raises `HttpError`."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self._app, self._access, self._limits = app, access, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every address but the open ones, those that do not exist too."""
        path: str = scope["path"]
        if not (path in OPEN or path.startswith(OPEN[-1])):
            self._check(Request(scope))
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        address = request.client.host if request.client else None
        client, given = client_of(address), "authorization" in request.headers
        granted = self._access.granted(request.headers)
        # The daemon's own token nobody guesses, so whoever has it is never kept waiting by those who try
        if granted is not self._access.own:
            self._limits.admit(client, with_token=given)
        if given and granted is None:
            self._limits.failed(client)
        self._access.check(request.method, request.url.path, request.headers, address)


def _too_many(message: str, wait: float) -> HttpError:
    seconds = str(math.ceil(wait))
    headers = {"retry-after": seconds}
    return HttpError(HTTPStatus.TOO_MANY_REQUESTS, "too-many", message, hint=f"wait {seconds} s", headers=headers)
