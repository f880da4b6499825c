"""Reads: answered with a tag, with 304 to whoever has the answer already, or when there is another one."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import Response

from reconciler.web.answers import BEFORE_ALL, JSON
from reconciler.web.encoding import encoded
from reconciler.web.etags import held, known, preferred_wait, strong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive

    from reconciler.web.waiting import Waiting

    Work = Callable[[], Mapping[str, Any]]
    Tagger = Callable[[Mapping[str, Any], bytes], str]

LOOK = 5.0
"""Seconds after which somebody who waits for another answer is asked for anew although nothing seems to have happened:
not everything that is told here is news, such as a version on its way to the history."""
HEADERS = {**BEFORE_ALL, "cache-control": "private, no-cache", "vary": "authorization, prefer"}
"""Whoever keeps an answer asks whether it is still the same."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its text, its tag, and the address of the next page where there is one."""

    text: bytes
    tag: str
    following: str | None


class Reads:
    """Answers reads. To be used on the event loop's thread."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting

    async def answer(self, request: Request, work: Work, deadline: float, tagged: Tagger = strong) -> Response:
        """What a call comes to, made and encoded on another thread within `deadline` seconds."""
        make = partial(_made, request, work, tagged)
        told = await self._waiting.call(make, deadline)
        has = ",".join(request.headers.getlist("if-none-match"))
        if not (has and known(has, told.tag)):
            return _response(told)
        wait = preferred_wait(request.headers.getlist("prefer"))
        if not wait:
            return _unchanged(told.tag)
        another = await self._another(request, partial(self._waiting.call, make, deadline), has, wait)
        applied = {"preference-applied": f"wait={wait}"}
        return _response(another, applied) if another else _unchanged(told.tag, applied)

    async def once(self, request: Request, work: Work, deadline: float) -> Response:
        """The same for what is not to be asked again and again: nobody waits for another answer."""
        return _first(request, await self._waiting.call(partial(_made, request, work, strong), deadline))

    async def _another(self, request: Request, ask: Callable[[], Any], has: str, wait: float) -> Told | None:
        """The answer as soon as it is another one; None when the time is over, or the client has gone."""
        pulse, end = self._waiting.pulse, asyncio.get_running_loop().time() + wait
        pulse.admit("ask without `Prefer: wait`")
        with pulse.sleeping() as sleeper:
            leaving = asyncio.ensure_future(_left(request.receive, sleeper))
            try:
                while not (leaving.done() or pulse.ended):
                    sleeper.clear()
                    told: Told = await ask()
                    if not known(has, told.tag):
                        return told
                    left = end - asyncio.get_running_loop().time()
                    if left <= 0:
                        break
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(min(left, LOOK)):
                            await sleeper.wait()
            finally:
                leaving.cancel()
        return None


def tagged(request: Request, body: Mapping[str, Any]) -> Response:
    """A short answer that is there already, with its tag."""
    return _first(request, _made(request, lambda: body, strong))


def _first(request: Request, told: Told) -> Response:
    same = request.method != "POST" and held(request, told.tag)
    return _unchanged(told.tag) if same else _response(told)


def _made(request: Request, work: Work, tagged: Tagger) -> Told:
    body = work()
    text = encoded(body)
    cursor = body.get("next")
    query = {**request.query_params, "cursor": cursor}
    return Told(text, tagged(body, text), f"{request.url.path}?{urlencode(query)}" if isinstance(cursor, str) else None)


def _response(told: Told, more: Mapping[str, str] | None = None) -> Response:
    headers = {**HEADERS, "etag": told.tag, **(more or {})}
    if told.following:
        headers["link"] = f'<{told.following}>; rel="next"'
    return Response(told.text, headers=headers, media_type=JSON)


def _unchanged(tag: str, more: Mapping[str, str] | None = None) -> Response:
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**HEADERS, "etag": tag, **(more or {})})


async def _left(receive: Receive, sleeper: asyncio.Event) -> None:
    """Come to an end, and wake who waits, when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    sleeper.set()
