"""Bodies in and out: JSON answers with entity tags, one body for every error, and nothing read without a limit."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from reconciler.answers import to_json
from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RefusedError, RetryLater, UsageError
from reconciler.report.problems import build_problem
from reconciler.service.endpoint import JSON, MAX_WAIT
from reconciler.service.sessions import NoSuchSession, SessionEnded, SessionRejected
from reconciler.words import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from starlette.requests import Request

NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
RETRY_AFTER = 5
"""Seconds that a client is asked to wait before it tries again."""
MAX_JSON = 16 * 1024
"""Bytes of an operation's body: a reason and a few words."""
CLOSE = {"connection": "close"}
"""What is left of the body is not read, so nothing can follow it on this connection."""
CONFLICTS = frozenset({"dangling-reference", "not-allowed", "duplicate-id"})
"""Problems of a request about sessions that makes sense, and cannot be met as things are."""

_STATUSES: tuple[tuple[type[ReconcilerError], int, str], ...] = (
    (NoSuchSession, HTTPStatus.NOT_FOUND, "not-found"),
    (SessionEnded, HTTPStatus.CONFLICT, "session-ended"),
    (RetryLater, HTTPStatus.SERVICE_UNAVAILABLE, "retry-later"),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY, "usage"),
    (RefusedError, HTTPStatus.CONFLICT, "suspended"),
    (NeedsHuman, HTTPStatus.CONFLICT, "needs-human"),
    (BugError, HTTPStatus.INTERNAL_SERVER_ERROR, "bug"),
)
"""A class before the classes above it. `client/daemon.py` turns the statuses into errors again."""


class HttpError(Exception):
    """A request that is answered with an error. `extra` is what the body has beside it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.hint = hint
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def json_response(
    body: Mapping[str, Any], status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON object as a response. Nothing may keep it: it is about this moment, on this host."""
    return Response(encode_json(body), status, {**NO_STORE, **(headers or {})}, media_type=JSON)


def error_response(error: HttpError) -> Response:
    """The one error body."""
    body = {"error": {"code": error.code, "message": str(error), "hint": error.hint}, **error.extra}
    return json_response(body, error.status, error.headers)


def translate_error(error: ReconcilerError) -> HttpError:
    """An error of the program as one of HTTP."""
    if isinstance(error, SessionRejected):
        return _translate_rejection(error)
    message = "there is no such session" if isinstance(error, NoSuchSession) else str(error)
    for class_, status, code in _STATUSES:
        if isinstance(error, class_):
            headers = {"retry-after": str(RETRY_AFTER)} if class_ is RetryLater else {}
            return HttpError(status, code, message, hint=error.hint, headers=headers)
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", message, hint=error.hint)


def _translate_rejection(error: SessionRejected) -> HttpError:
    """The first problem in words, and all of them as `validate` prints them."""
    extra = {"problems": [to_json(build_problem(problem)) for problem in error.problems]}
    if any(problem.code not in CONFLICTS for problem in error.problems):
        return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "usage", str(error), hint=error.hint, extra=extra)
    return HttpError(HTTPStatus.CONFLICT, "refused", str(error), hint=error.hint, extra=extra)


def routing_error(status: int, headers: Mapping[str, str] | None = None) -> HttpError:
    """The error for what the router found: no such address, or not with this method."""
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


def unexpected_error() -> HttpError:
    """What a client sees of a bug: nothing that is not in the log."""
    hint = "this is a bug; its trace is in the daemon's log"
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", "something unexpected went wrong", hint=hint)


def unprocessable(message: str, *, hint: str = "") -> HttpError:
    """The error for a request that can be read and makes no sense."""
    return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "usage", message, hint=hint)


async def read_body(request: Request, limit: int, deadline: float) -> bytes:
    """The body: at most `limit` bytes (413), all of them within `deadline` seconds (408)."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(deadline):
            return await _read_capped(request, limit)
    except TimeoutError:
        message = f"the body did not arrive within {deadline:g} s"
        raise HttpError(HTTPStatus.REQUEST_TIMEOUT, "too-slow", message, headers=CLOSE) from None


async def read_object(request: Request, allowed: Mapping[str, type], deadline: float) -> dict[str, Any]:
    """A JSON object with some of these fields, each of its type (422); nothing at all is an empty one."""
    body = await read_json(request, deadline)
    if not isinstance(body, dict):
        raise unprocessable("the body is not a JSON object")
    for name, value in body.items():
        if name not in allowed:
            raise unprocessable(f"there is no field {name[:40]}", hint=suggest(name, allowed))
        if value is not None and type(value) is not allowed[name]:
            raise unprocessable(f"{name} is a {allowed[name].__name__}")
    return {name: value for name, value in body.items() if value is not None}


async def read_json(request: Request, deadline: float) -> Any:
    """Whatever JSON the body is; nothing at all is an empty object."""
    body = await read_body(request, MAX_JSON, deadline)
    if not body:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", f"send the body as {JSON}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError(HTTPStatus.BAD_REQUEST, "not-json", "the body is not JSON") from None


async def _read_capped(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> HttpError:
    message = f"the body is larger than {limit:,} bytes"
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", message, headers=CLOSE)


PIECE = 500
"""Members of a list that are encoded at once: one call for 100,000 rows would let no other thread run until it ends."""


def encode_json(body: Mapping[str, Any]) -> bytes:
    """A JSON object in UTF-8, without white space. Half a surrogate, which UTF-8 does not know, becomes `?`."""
    return b"".join(_encode_object(body))


def _encode_object(body: Mapping[str, Any]) -> Iterator[bytes]:
    opening = b"{"
    for name, value in body.items():
        yield opening + _encode(name) + b":"
        if isinstance(value, (list, tuple)) and len(value) > PIECE:
            yield from _encode_list(value)
        else:
            yield _encode(value)
        opening = b","
    yield b"}" if body else b"{}"


def _encode_list(values: Sequence[Any]) -> Iterator[bytes]:
    opening = b"["
    for first in range(0, len(values), PIECE):
        yield opening + _encode(values[first : first + PIECE])[1:-1]
        opening = b","
    yield b"]"


def _encode(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


TAG_DIGITS = 32
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:;.*)?', re.IGNORECASE | re.ASCII)
VOLATILE: Mapping[str, tuple[str, ...]] = {
    "daemon": ("phase", "phase_since", "beat_at", "last_sync_at"),
    "history": ("last_success_at", "next_attempt_at"),
    "drift": ("at",),
}
"""What moves in a status while nothing happens: the fields of each object."""


def tag_text(text: bytes) -> str:
    """The entity tag of a text (RFC 9110, section 8.8.3): another byte, another tag."""
    return f'"{_digest(text)}"'


def strong_tag(body: Mapping[str, Any], text: bytes) -> str:
    """The tag of an answer: that of its text."""
    return tag_text(text)


def weak_tag(body: Mapping[str, Any], text: bytes) -> str:
    """The tag of a status: the same while nothing but the time has changed in it."""
    stable = dict(body)
    for name, fields in VOLATILE.items():
        if isinstance(body.get(name), dict):
            stable[name] = {field: value for field, value in body[name].items() if field not in fields}
    return f'W/"{_digest(encode_json(stable))}"'


def if_none_match(request: Request) -> str:
    """The tags of the answers that a client has, as one header."""
    return ",".join(request.headers.getlist("if-none-match"))


def has_tag(header: str, tag: str) -> bool:
    """Whether `If-None-Match` has a tag. It is compared weakly, as that header asks for."""
    if header.strip() == "*":
        return True
    return tag.removeprefix("W/").strip('"') in (match[1] for match in _TAG.finditer(header))


def preferred_wait(headers: Iterable[str]) -> int:
    """The seconds of `Prefer: wait=` (RFC 7240), at most `MAX_WAIT`; 0 without it. Of several the first counts."""
    preferences = (part for header in headers for part in header.split(","))
    wait = next((match for match in map(_WAIT.fullmatch, preferences) if match), None)
    return min(int(wait[1]), MAX_WAIT) if wait else 0


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:TAG_DIGITS]
