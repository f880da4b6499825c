"""Waiting on the event loop for calls on other threads, queued operations and news, always with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import CancelledError
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.web.http import RETRY_AFTER, HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future

    from starlette.types import Receive

    from reconciler.service.events import EventBuffer

T = TypeVar("T")
LATER = {"retry-after": str(RETRY_AFTER)}
MAX_WAITERS = 1_500
"""Streams, and others who wait for news, at once. A server takes 2,000 connections: requests must still get through."""
DELAY_EACH = 0.00004
"""Seconds for which news is held back for each waiter: a third of what it takes to send it to one.

A commit is several events within some milliseconds. Sending the first to a thousand would hold up the commit itself.
"""


class EventHub:
    """Wakes those who wait for news. All but its making is for the event loop's thread."""

    def __init__(self, events: EventBuffer) -> None:
        self.events = events
        self.ended = False
        self._waking = False
        self._waiters: set[asyncio.Event] = set()

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Hear of events inside the block, on the loop that runs."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(self._wake_later)

        unsubscribe = self.events.subscribe(wake)
        try:
            yield
        finally:
            unsubscribe()

    @property
    def waiters(self) -> int:
        """How many wait for news."""
        return len(self._waiters)

    def admit(self, hint: str) -> None:
        """Raise `HttpError` (503) when there is no room for one more to wait. `hint` is what can be done instead."""
        if self.waiters >= MAX_WAITERS:
            message = f"{MAX_WAITERS:,} wait for news here, and there is room for no more"
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "retry-later", message, hint=hint, headers=LATER)

    @contextlib.contextmanager
    def waiter(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something has happened, and when the server stops."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    def end(self) -> None:
        """The server stops: whoever waits need not."""
        self.ended = True
        self._wake()

    def _wake_later(self) -> None:
        """Wake all a little later, if they are many: what happens next goes out with this, once to each."""
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_later(len(self._waiters) * DELAY_EACH, self._wake)

    def _wake(self) -> None:
        self._waking = False
        for waiter in self._waiters:
            waiter.set()


class Waiting:
    """Ends all waits at once when the server stops. To be used on the event loop's thread."""

    def __init__(self, hub: EventHub) -> None:
        self.hub = hub
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer everybody who waits, and everybody who comes: the daemon is stopping."""
        self._stopping.set()
        self.hub.end()

    async def call(self, work: Callable[[], T], deadline: float, executor: Executor | None = None) -> T:
        """What a call returns on another thread. Nobody waits for it longer than `deadline` seconds."""
        calling = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(executor, work))
        await self._until(calling, deadline)
        return calling.result()

    async def result(self, future: Future[T], deadline: float, too_late: Exception | None = None) -> T:
        """What a queued operation gives. Who gives up waiting does not cancel it: it may be half done.

        `too_late` is raised after the deadline, instead of a 504.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        future.add_done_callback(wake)
        await self._until(asyncio.ensure_future(done.wait()), deadline, too_late)
        try:
            return future.result(timeout=0)
        except CancelledError:
            raise _stopping() from None

    async def _until(self, wanted: asyncio.Future[Any], deadline: float, too_late: Exception | None = None) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({wanted, stopping}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return
            raise _stopping() if stopping.done() else too_late or _too_late(deadline)
        finally:
            wanted.cancel()
            stopping.cancel()


async def wake_on_disconnect(receive: Receive, waiter: asyncio.Event) -> None:
    """Return, and wake who waits, when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    waiter.set()


def _stopping() -> HttpError:
    hint = "ask again when the daemon runs again"
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "the daemon is stopping", hint=hint, headers=LATER)


def _too_late(deadline: float) -> HttpError:
    message = f"the daemon has not got to it within {deadline:g} s"
    hint = "it may still get to it: `reconciler status` shows what came of it"
    return HttpError(HTTPStatus.GATEWAY_TIMEOUT, "retry-later", message, hint=hint, headers=LATER)
