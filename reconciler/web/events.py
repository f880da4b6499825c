"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): what happens, as it happens.

A stream holds nothing but its place in the log of events, so a slow reader costs others nothing. One that falls too
far behind is sent a reset and goes on from the newest. A client that takes nothing at all is disconnected (`server`).
"""

from __future__ import annotations

import asyncio
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from starlette.requests import Request  # noqa: TC002  Starlette looks at the annotation

from reconciler.model.host import APPLIED
from reconciler.service.endpoint import MAX_TEXT
from reconciler.service.endpoints import ENDPOINTS
from reconciler.web.api import read_parameters
from reconciler.web.http import NO_STORE, unprocessable
from reconciler.web.waiting import wake_on_disconnect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from reconciler.model.host import StreamEvent
    from reconciler.service.events import EventBuffer
    from reconciler.web.waiting import EventHub


WATCH = "/v1/watch"
HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent: proxies and clients take silence for the end."""
RETRY = 1_000
"""Milliseconds that a client waits before it connects again."""
ID = re.compile("([0-9a-f]{8})-([0-9]{1,15})", re.ASCII)
RESET, TOO_OLD, RESTARTED = "reset", "too-old", "restarted"
"""The event after which a client has to read everything again, as some events cannot be sent any more; and why."""
CACHED_BLOCKS = 128
"""Encoded events that are kept: each is encoded once, however many clients follow."""
HEADERS = {**NO_STORE, "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}


class EventFilter(Struct, frozen=True):
    """The rows that a stream is about: of a kind, of a name, or of both; or everything."""

    kind: str = ""
    name: str = ""

    def select(self, event: StreamEvent) -> Mapping[str, Any] | None:
        """What the stream shows of an event; None for nothing."""
        if not (self.kind or self.name):
            return event.data
        if event.event != APPLIED:
            return None
        changes = [change for change in event.data["changes"] if self._matches(change)]
        return {**event.data, "changes": changes} if changes or not event.data["complete"] else None

    def _matches(self, change: Mapping[str, Any]) -> bool:
        return self.kind.lower() in {"", change["kind"].lower()} and self.name in {"", change["name"]}


class EventStream:
    """A response without end. `last_id` is the newest id that the client has, empty for a new one."""

    def __init__(self, hub: EventHub, filter_: EventFilter, last_id: str) -> None:
        self._hub, self._filter = hub, filter_
        self._number, missed = _resume(hub.events, last_id)
        self._first = f"retry: {RETRY}\n" + (self._reset(missed) if missed else self._position())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client has gone, or the server stops."""
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            with self._hub.waiter() as waiter:
                leaving = asyncio.ensure_future(wake_on_disconnect(receive, waiter))
                try:
                    await self._follow(send, waiter, leaving)
                finally:
                    leaving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, send: Send, waiter: asyncio.Event, leaving: asyncio.Future[None]) -> None:
        await _send_text(send, self._first)
        while not (leaving.done() or self._hub.ended):
            waiter.clear()
            text = self._new_events()
            if text:
                await _send_text(send, text)
                continue
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await waiter.wait()
            except TimeoutError:
                await _send_text(send, f": still here\n{self._position()}")

    def _new_events(self) -> str:
        """The events since the last call, as blocks of the stream."""
        log = self._hub.events
        events = log.after(self._number)
        if events is None:
            self._number = log.newest
            return self._reset(TOO_OLD)
        if events:
            self._number = events[-1].number
        return "".join(_format_block(log.run, event, self._filter) for event in events)

    def _position(self) -> str:
        """The id to resume from, without an event."""
        return f"id: {self._hub.events.run}-{self._number}\n\n"

    def _reset(self, reason: str) -> str:
        return f'event: {RESET}\ndata: {{"reason":"{reason}"}}\n{self._position()}'


def _resume(log: EventBuffer, last_id: str) -> tuple[int, str]:
    """The number to go on after, and why events before it cannot be sent; empty when none is missed."""
    if not last_id:
        return log.newest, ""
    match = ID.fullmatch(last_id)
    if match is None or match[1] != log.run:
        return log.newest, RESTARTED
    number = int(match[2])
    return (number, "") if log.after(number) is not None else (log.newest, TOO_OLD)


@lru_cache(maxsize=CACHED_BLOCKS)
def _format_block(run: str, event: StreamEvent, filter_: EventFilter) -> str:
    """An event as a block of the stream, empty where it is not what the stream is about."""
    data = filter_.select(event)
    if data is None:
        return ""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"event: {event.event}\ndata: {text}\nid: {run}-{event.number}\n\n"


async def _send_text(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})


class WatchHandler:
    """Answers `/v1/watch` with streams of events."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.path == WATCH)

    async def watch(self, request: Request) -> EventStream:
        """What happens from now on, or from where the client was."""
        query = read_parameters(self._endpoint, request)
        for name, text in query.items():
            if len(text) > MAX_TEXT:
                raise unprocessable(f"{name} is longer than {MAX_TEXT} characters")
        self._hub.admit("end some of their streams")
        last_id = request.headers.get("last-event-id") or query.get("last_event_id", "")
        return EventStream(self._hub, EventFilter(query.get("kind", ""), query.get("name", "")), last_id)
