"""What goes back to a client: JSON, and one body for every error, `{"error": {"code", "message", "hint"}}`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RefusedError, RetryLater, UsageError
from reconciler.web.encoding import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"
BEFORE_ALL = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
RETRY_AFTER = 5
"""Seconds that a client is asked to wait before it tries again."""

_STATUSES: tuple[tuple[type[ReconcilerError], int, str], ...] = (
    (RetryLater, HTTPStatus.SERVICE_UNAVAILABLE, "retry-later"),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY, "usage"),
    (RefusedError, HTTPStatus.CONFLICT, "suspended"),
    (NeedsHuman, HTTPStatus.CONFLICT, "needs-human"),
    (BugError, HTTPStatus.INTERNAL_SERVER_ERROR, "bug"),
)
"""A class before the classes above it. `adapters/client.py` turns the statuses into errors again."""


class HttpError(Exception):
    """A request that is answered with an error. `beside` is what the body has beside it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.hint = hint
        self.headers = dict(headers or {})
        self.beside = dict(beside or {})


def answer(body: Mapping[str, Any], status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON object as a response. Nothing may keep it: it is about this moment, on this host."""
    return Response(encoded(body), status, {**BEFORE_ALL, **(headers or {})}, media_type=JSON)


def refusal(error: HttpError) -> Response:
    """The one error body."""
    body = {"error": {"code": error.code, "message": str(error), "hint": error.hint}, **error.beside}
    return answer(body, error.status, error.headers)


def translated(error: ReconcilerError) -> HttpError:
    """An error of the program as one of HTTP."""
    for kind, status, code in _STATUSES:
        if isinstance(error, kind):
            headers = {"retry-after": str(RETRY_AFTER)} if kind is RetryLater else {}
            return HttpError(status, code, str(error), hint=error.hint, headers=headers)
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", str(error), hint=error.hint)


def from_status(status: int, headers: Mapping[str, str] | None = None) -> HttpError:
    """What the router has to say: no such address, or not with this method."""
    phrase = HTTPStatus(status).phrase
    allowed = ", ".join(sorted((headers or {}).get("Allow", "").split(", ")))  # the router's order is any order
    if status == HTTPStatus.NOT_FOUND:
        return HttpError(
            status, "not-found", "there is nothing at this address", hint="docs/http.md lists the addresses"
        )
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"this address takes {allowed}"
        return HttpError(status, "method-not-allowed", message, headers={"allow": allowed})
    return HttpError(status, phrase.lower().replace(" ", "-"), phrase.lower(), headers=headers)


def unexpected() -> HttpError:
    """What a client is told of a bug: nothing that is not in the log."""
    hint = "this is a bug; its trace is in the daemon's log"
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", "something unexpected went wrong", hint=hint)
