"""The connection for sessions that a daemon's threads share. It fails at once while Redis is away."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.sessions import make_sessions
from reconciler.errors import RetryLater
from reconciler.service.sessions import RowsUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.sessionlayout import SessionLayout

RETRY_PAUSE = 0.25
"""Seconds for which a server that did not answer is not asked again by more than one call."""


class SharedSessions:
    """A context manager around the connection. `url` says where the server is, and raises as it likes."""

    def __init__(self, url: Callable[[], str], layout: SessionLayout, idle_timeout: float) -> None:
        self._find_url, self._layout, self._idle_timeout = url, layout, idle_timeout
        self._lock = threading.Lock()
        self._link: Connection | None = None
        self._url = ""
        self._away: tuple[RetryLater, float] | None = None

    def __enter__(self) -> SharedSessions:
        return self

    def __exit__(self, *_: object) -> None:
        if self._link is not None:
            self._link.close()

    @contextmanager
    def open(self) -> Iterator[RedisSessions]:
        """The sessions. Raises `RetryLater` while the server is away."""
        self._check()
        try:
            yield make_sessions(self._connect(), self._layout, self._idle_timeout)
        except RowsUnavailable:
            raise
        except RetryLater as error:
            self._away = error, time.monotonic() + RETRY_PAUSE
            raise
        self._away = None

    def _check(self) -> None:
        """Raise what was raised a moment ago; after that, one call finds out for all others whether it still holds."""
        with self._lock:
            if self._away is None:
                return
            error, until = self._away
            if time.monotonic() > until:
                self._away = error, time.monotonic() + RETRY_PAUSE
                return
        raise RetryLater(str(error), hint=error.hint) from error

    def _connect(self) -> Connection:
        url = self._find_url()
        with self._lock:
            if self._link is None or self._url != url:
                if self._link is not None:
                    self._link.close()
                self._link, self._url = connect(url), url
            return self._link
