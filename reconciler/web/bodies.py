"""Reading what a client sends: never more than a limit, never longer than a deadline."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from reconciler.web.answers import JSON, HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

MAX_JSON = 16 * 1024
"""Bytes of an operation's body: a reason and a few words."""
CLOSE = {"connection": "close"}
"""What is left of the body is not read, so nothing can follow it on this connection."""


async def read(request: Request, limit: int, deadline: float) -> bytes:
    """The body: at most `limit` bytes (413), all of them within `deadline` seconds (408)."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(deadline):
            return await _capped(request, limit)
    except TimeoutError:
        message = f"the body did not arrive within {deadline:g} s"
        raise HttpError(HTTPStatus.REQUEST_TIMEOUT, "too-slow", message, headers=CLOSE) from None


async def read_object(request: Request, allowed: Mapping[str, type], deadline: float) -> dict[str, Any]:
    """A JSON object with some of these fields, each of its type (422); nothing at all is an empty one."""
    found = await read_json(request, deadline)
    if not isinstance(found, dict):
        raise unprocessable("the body is not a JSON object")
    for name, value in found.items():
        if name not in allowed:
            raise unprocessable(f"there is no field {name[:40]}", hint=f"there are: {', '.join(allowed)}")
        if value is not None and type(value) is not allowed[name]:
            raise unprocessable(f"{name} is a {allowed[name].__name__}")
    return {name: value for name, value in found.items() if value is not None}


async def read_json(request: Request, deadline: float) -> Any:
    """Whatever JSON the body is; nothing at all is an empty object."""
    body = await read(request, MAX_JSON, deadline)
    if not body:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", f"send the body as {JSON}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError(HTTPStatus.BAD_REQUEST, "not-json", "the body is not JSON") from None


def unprocessable(message: str, *, hint: str = "") -> HttpError:
    """The error for a body that can be read and makes no sense."""
    return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "usage", message, hint=hint)


async def _capped(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> HttpError:
    message = f"the body is larger than {limit:,} bytes"
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", message, headers=CLOSE)
