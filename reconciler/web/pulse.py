"""What happens on the host, heard on the thread that serves everybody: a thousand may wait for it at no cost."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from reconciler.web.answers import RETRY_AFTER, HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.host import Happening


MOST = 1_500
"""Streams, and others who wait for news, at once. A server takes 2,000 connections: requests must still get through."""
EACH = 0.00004
"""Seconds for which news is held back for each who waits: a third of what it takes to tell one.

A commit is several events within some milliseconds. Telling a thousand of the first would hold up the commit itself.
"""


class Feed(Protocol):
    """What happened in this run of the daemon, `run`; `newest` is the number of the newest happening."""

    run: str

    @property
    def newest(self) -> int:
        """The number of the newest happening, 0 before the first."""
        ...

    def after(self, number: int) -> tuple[Happening, ...] | None:
        """What happened after the one with this number; None when some of it is kept no longer, or never was."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` on any thread whenever something has happened; gives what ends that."""
        ...


class Pulse:
    """Wakes who waits for news. All but its making is for the event loop's thread."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.ended = False
        self._gathering = False
        self._sleepers: set[asyncio.Event] = set()

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Hear of what happens inside, on the loop that runs."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(self._gather)

        leave = self.feed.subscribe(wake)
        try:
            yield
        finally:
            leave()

    @property
    def version(self) -> int:
        """A number that grows with everything that happens."""
        return self.feed.newest

    @property
    def sleepers(self) -> int:
        """How many wait for news."""
        return len(self._sleepers)

    def admit(self, hint: str) -> None:
        """Raise `HttpError` (503) when there is no room for one more to wait. `hint` is what can be done instead."""
        if self.sleepers >= MOST:
            message = f"{MOST:,} wait for news here, and there is room for no more"
            headers = {"retry-after": str(RETRY_AFTER)}
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "retry-later", message, hint=hint, headers=headers)

    async def changed(self, since: int, timeout: float) -> int:
        """The version, as soon as it is another one than `since`, after `timeout` seconds, or when the server stops."""
        with self.sleeping() as sleeper:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    while self.version == since and not self.ended:
                        sleeper.clear()
                        await sleeper.wait()
            return self.version

    @contextlib.contextmanager
    def sleeping(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something has happened, and when the server stops."""
        sleeper = asyncio.Event()
        self._sleepers.add(sleeper)
        try:
            yield sleeper
        finally:
            self._sleepers.discard(sleeper)

    def end(self) -> None:
        """The server stops: whoever waits need not."""
        self.ended = True
        self._wake()

    def _gather(self) -> None:
        """Wake all a little later, if they are many: what happens next is then told with this, once to each."""
        if not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_later(len(self._sleepers) * EACH, self._wake)

    def _wake(self) -> None:
        self._gathering = False
        for sleeper in self._sleepers:
            sleeper.set()
