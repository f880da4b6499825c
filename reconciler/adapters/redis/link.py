"""A connection to a server: commands and scripts, no waiting beyond a quarter of a second, nothing tried twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from reconciler.adapters.redis.failures import SETTING, translated
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONNECT_TIMEOUT, ANSWER_TIMEOUT = 0.1, 0.1
"""Seconds to connect, and for each answer: a server that hangs is given up after both, well under 250 ms.

`?socket_timeout=1` in the URL takes the place of the second, for a server far away.
"""
CONNECTIONS = 64
"""At most so many at a time; threads of one process need one each."""

FORM = "write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket"


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script by its text; the server knows it by the digest once it has seen it."""

    text: str
    digest: str


class Link:
    """A server, by a pool of connections that are made when needed. To be closed; safe between threads.

    All calls raise `RetryLater` and `NeedsHuman` as the port says. Answers are bytes, integers and lists of them: what
    others may have written there need not be text.
    """

    def __init__(self, pool: redis.ConnectionPool, server: str) -> None:
        self._client = redis.Redis(connection_pool=pool)
        self._client.response_callbacks.clear()  # answers as the server gives them, whatever the command
        self._execute: Callable[..., Any] = self._client.execute_command
        self._pool = pool
        self.server = server

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._pool.disconnect()

    def ask(self, *command: bytes | str | int) -> Any:
        """What the server answers to a command."""
        with translated(self.server):
            return self._execute(*command)

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
        """What a script answers: all of it happens at once, or nothing."""
        with translated(self.server):
            try:
                return self._execute("EVALSHA", script.digest, len(keys), *keys, *arguments)
            except redis.exceptions.NoScriptError:  # a server that is new, was restarted or flushed
                return self._execute("EVAL", script.text, len(keys), *keys, *arguments)

    def together(self, *commands: Sequence[bytes | str | int]) -> list[Any]:
        """What the server answers to commands that nothing comes between (MULTI)."""
        with translated(self.server):
            pipeline = self._client.pipeline(transaction=True)
            add: Callable[..., Any] = pipeline.execute_command
            for command in commands:
                add(*command)
            return list(pipeline.execute())


def connect(url: str, *, answer_timeout: float = ANSWER_TIMEOUT) -> Link:
    """A link to the server of a URL. Nothing is sent yet. Raises `UsageError` for what is no such URL."""
    try:
        pool = redis.ConnectionPool.from_url(
            url,
            protocol=3,
            decode_responses=False,
            max_connections=CONNECTIONS,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=answer_timeout,
            # A connection that broke while it lay idle is noticed before anything is sent over it. One that breaks
            # later may have done its work: only the caller knows whether it can be asked for again.
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        pool.connection_class(**pool.connection_kwargs)  # what else is wrong with the URL shows here
        server = address(url)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{SETTING} is no URL of a Redis server", hint=FORM) from error
    return Link(pool, server)


def address(url: str) -> str:
    """Where a URL points, without login and password: for messages."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


@lru_cache(maxsize=32)
def script(*names: str) -> Script:
    """A script made of files in `lua/`, one after the other; the first line of the first says what it may do."""
    folder = resources.files("reconciler.adapters.redis") / "lua"
    text = "".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in names)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
