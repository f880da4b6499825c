"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): what happens, as it happens.

A stream holds nothing but its place in the feed, so one that is read slowly costs others nothing; one that falls too
far behind is told so and goes on from the newest. A client that takes nothing at all is hung up on (`connections.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.model.host import APPLIED
from reconciler.web.answers import BEFORE_ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import Receive, Scope, Send

    from reconciler.model.host import Happening
    from reconciler.web.pulse import Feed, Pulse

HEARTBEAT = 15.0
"""Seconds without a word after which there is one: proxies and clients take silence for the end."""
RETRY = 1_000
"""Milliseconds that a client waits before it connects again."""
ID = re.compile("([0-9a-f]{8})-([0-9]{1,15})", re.ASCII)
RESET, TOO_OLD, RESTARTED = "reset", "too-old", "restarted"
"""The event that says: what happened in between cannot be told any more, look at all that matters. And why."""
ENCODED = 128
"""Texts that are kept: each happening is put into words once, however many follow."""
HEADERS = {**BEFORE_ALL, "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a stream is about: rows of a kind, or of a name, or both; or all that happens."""

    kind: str = ""
    name: str = ""

    def of(self, happening: Happening) -> Mapping[str, Any] | None:
        """What of it is told; None for nothing."""
        if not (self.kind or self.name):
            return happening.data
        if happening.event != APPLIED:
            return None
        changes = [one for one in happening.data["changes"] if self._is_about(one)]
        return {**happening.data, "changes": changes} if changes or not happening.data["complete"] else None

    def _is_about(self, change: Mapping[str, Any]) -> bool:
        return self.kind.lower() in {"", change["kind"].lower()} and self.name in {"", change["name"]}


class EventStream:
    """A response without end. `told` is what the client says it heard last, empty when it has only come."""

    def __init__(self, pulse: Pulse, choice: Choice, told: str) -> None:
        self._pulse, self._choice = pulse, choice
        self._place, missed = _place(pulse.feed, told)
        self._first = f"retry: {RETRY}\n" + (self._reset(missed) if missed else self._here())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell what happens until the client has gone, or the server stops."""
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            with self._pulse.sleeping() as sleeper:
                leaving = asyncio.ensure_future(_left(receive, sleeper))
                try:
                    await self._follow(send, sleeper, leaving)
                finally:
                    leaving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, send: Send, sleeper: asyncio.Event, leaving: asyncio.Future[None]) -> None:
        await _say(send, self._first)
        while not (leaving.done() or self._pulse.ended):
            sleeper.clear()
            news = self._news()
            if news:
                await _say(send, news)
                continue
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await sleeper.wait()
            except TimeoutError:
                await _say(send, f": still here\n{self._here()}")

    def _news(self) -> str:
        """What has happened since the last time, in the form of the stream."""
        feed = self._pulse.feed
        happened = feed.after(self._place)
        if happened is None:
            self._place = feed.newest
            return self._reset(TOO_OLD)
        if happened:
            self._place = happened[-1].number
        return "".join(self._told(happened))

    def _told(self, happened: Iterable[Happening]) -> Iterable[str]:
        return (_block(self._pulse.feed.run, one, self._choice) for one in happened)

    def _here(self) -> str:
        """The client's place, without an event: what it has to say when it comes again."""
        return f"id: {self._pulse.feed.run}-{self._place}\n\n"

    def _reset(self, reason: str) -> str:
        return f'event: {RESET}\ndata: {{"reason":"{reason}"}}\n{self._here()}'


def _place(feed: Feed, told: str) -> tuple[int, str]:
    """The number to go on after; and why what happened before it cannot be told, empty when nothing is missed."""
    if not told:
        return feed.newest, ""
    found = ID.fullmatch(told)
    if found is None or found[1] != feed.run:
        return feed.newest, RESTARTED
    number = int(found[2])
    return (number, "") if feed.after(number) is not None else (feed.newest, TOO_OLD)


@lru_cache(maxsize=ENCODED)
def _block(run: str, happening: Happening, choice: Choice) -> str:
    """A happening as an event, empty where it is not what the stream is about."""
    data = choice.of(happening)
    if data is None:
        return ""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"event: {happening.event}\ndata: {text}\nid: {run}-{happening.number}\n\n"


async def _say(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})


async def _left(receive: Receive, sleeper: asyncio.Event) -> None:
    """Come to an end, and wake the stream, when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    sleeper.set()
