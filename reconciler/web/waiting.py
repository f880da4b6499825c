"""Waiting for the daemon on the thread that serves everybody: blocking nobody, within deadlines, not past its end."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import CancelledError
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.web.answers import RETRY_AFTER, HttpError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from reconciler.web.pulse import Pulse

T = TypeVar("T")
LATER = {"retry-after": str(RETRY_AFTER)}


class Waiting:
    """Ends all waits at once when the server stops. To be used on the event loop's thread.

    `pulse` is what to wait on for something to happen.
    """

    def __init__(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer everybody who waits, and everybody who comes: the daemon is stopping."""
        self._stopping.set()
        self.pulse.end()

    async def call(self, work: Callable[[], T], deadline: float) -> T:
        """What a call returns, made on another thread. Nobody waits for it longer than `deadline` seconds."""
        calling = asyncio.ensure_future(asyncio.to_thread(work))
        await self._until(calling, deadline)
        return calling.result()

    async def answer(self, future: Future[T], deadline: float) -> T:
        """What a queued operation comes to. Who gives up waiting does not cancel it: it may be half done."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        future.add_done_callback(wake)
        await self._until(asyncio.ensure_future(done.wait()), deadline)
        try:
            return future.result(timeout=0)
        except CancelledError:
            raise _stopping() from None

    async def _until(self, wanted: asyncio.Future[Any], deadline: float) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({wanted, stopping}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return
            raise _stopping() if stopping.done() else _too_late(deadline)
        finally:
            wanted.cancel()
            stopping.cancel()


def _stopping() -> HttpError:
    hint = "ask again when the daemon runs again"
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "the daemon is stopping", hint=hint, headers=LATER)


def _too_late(deadline: float) -> HttpError:
    message = f"the daemon has not got to it within {deadline:g} s"
    hint = "it may still get to it: `reconciler status` shows what came of it"
    return HttpError(HTTPStatus.GATEWAY_TIMEOUT, "retry-later", message, hint=hint, headers=LATER)
