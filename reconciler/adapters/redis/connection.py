"""A connection to a server: commands and scripts, no waiting beyond a quarter of a second, nothing tried twice.

What the driver raises is told in words that say what to do.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import redis
from msgspec import Struct
from redis import exceptions as driver
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from reconciler.adapters.redis.faults import NO_CLUSTER, translate_errors
from reconciler.adapters.redis.sentinel import Sentinels, TlsToPrimary, ToPrimary
from reconciler.adapters.redis.url import check_files, format_node, read_url
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.adapters.redis.url import ServerUrl

CONNECT_TIMEOUT, ANSWER_TIMEOUT = 0.1, 0.1
"""Seconds to connect, and for each answer: a server that hangs is given up after both, well under 250 ms.

`?socket_timeout=1` in the URL takes the place of the second, for a server far away.
"""
_NO_PROMPT: dict[bool, dict[str, Any]] = {False: {}, True: {"ssl_password": ""}}
"""What a connection with TLS and one without are given: else a key with a password asks for it at the terminal."""
REFUSALS = "refusals"
"""The file that every script has after its first."""
CONNECTIONS = 64
"""At most so many at a time; threads of one process need one each."""

_OTHER_MODES = {
    b"cluster": ("is a node of a Cluster", NO_CLUSTER),
    b"sentinel": (
        "is a Sentinel",
        "write redis+sentinel://host:26379/mymaster, with the name that it has for the primary",
    ),
}
"""What HELLO says of a server that sessions and the live view cannot be on."""


class Script(Struct, frozen=True):
    """A Lua script by its text; the server knows it by the digest once it has seen it."""

    text: str
    digest: str


class Connection:
    """A server, by a pool of connections that are made when needed. To be closed; safe between threads.

    All calls raise `RetryLater` and `NeedsHuman` as the port says. Answers are bytes, integers and lists of them: what
    others may have written there need not be text.
    """

    def __init__(self, pool: redis.ConnectionPool, server: str, sentinels: Sentinels | None = None) -> None:
        self._client = redis.Redis(connection_pool=pool)
        self._client.response_callbacks.clear()  # answers as the server gives them, whatever the command
        self._execute: Callable[..., Any] = self._client.execute_command
        self._pool = pool
        self.server, self.sentinels = server, sentinels

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._pool.disconnect()

    def ask(self, *command: bytes | str | int) -> Any:
        """What the server answers to a command."""
        with translate_errors(self.server, _name_command(command)):
            return self._execute(*command)

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
        """What a script answers: all of it happens at once, or nothing."""
        with translate_errors(self.server, _conceal(f"a script on {', '.join(keys)}") if keys else ""):
            try:
                return self._execute("EVALSHA", script.digest, len(keys), *keys, *arguments)
            except redis.exceptions.NoScriptError:  # a server that is new, was restarted or flushed
                return self._execute("EVAL", script.text, len(keys), *keys, *arguments)

    def ask_all(self, *commands: Sequence[bytes | str | int]) -> list[Any]:
        """What the server answers to commands that are sent together; those of others may come between."""
        with translate_errors(self.server):
            pipeline = self._client.pipeline(transaction=False)
            add: Callable[..., Any] = pipeline.execute_command
            for command in commands:
                add(*command)
            return list(pipeline.execute())


def connect(url: str, *, answer_timeout: float = ANSWER_TIMEOUT) -> Connection:
    """A link to the server of a URL. Nothing is sent yet.

    Raises `UsageError` for what is no such URL, `NeedsHuman` for files of certificates that cannot be used.
    """
    server = read_url(url)
    check_files(server.options)
    options = {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": answer_timeout,
        # A connection that broke while it lay idle is noticed before anything is sent over it. One that breaks
        # later may have done its work: only the caller knows whether it can be asked for again.
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **_NO_PROMPT[server.tls],
        **server.options,
    }
    sentinels = Sentinels(server, _sentinel_options(server)) if server.service else None
    pool = redis.ConnectionPool(
        **_place(server, sentinels),
        **options,
        protocol=3,
        decode_responses=False,
        max_connections=CONNECTIONS,
        redis_connect_func=_greet,
    )
    return Connection(pool, server.place, sentinels)


def _sentinel_options(server: ServerUrl) -> dict[str, Any]:
    """How Sentinels are asked: with the patience and TLS of the URL, and a login of their own."""
    timeouts = {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": ANSWER_TIMEOUT}
    given = {name: value for name, value in server.options.items() if name.startswith(("socket_", "ssl_"))}
    return {**timeouts, **_NO_PROMPT[server.tls], **given, **server.sentinel_options}


def _place(server: ServerUrl, sentinels: Sentinels | None) -> dict[str, Any]:
    if sentinels is not None:
        return {"connection_class": TlsToPrimary if server.tls else ToPrimary, "sentinels": sentinels}
    if server.socket:
        return {"connection_class": redis.UnixDomainSocketConnection, "path": server.socket}
    ((host, port),) = server.nodes
    return {"connection_class": redis.SSLConnection if server.tls else redis.Connection, "host": host, "port": port}


def _greet(connection: Any) -> None:
    """Log in, and see that the server is one of the right kind. Raises `NeedsHuman` where it is not."""
    try:
        connection.on_connect()
    except driver.RedisError:
        _check_mode(connection)  # a Cluster has one database only, and says so first
        raise
    _check_mode(connection)


def _check_mode(connection: Any) -> None:
    told = connection.handshake_metadata or {}
    does, hint = _OTHER_MODES.get(told.get(b"mode", b""), ("", ""))
    if does:
        connection.disconnect()
        raise NeedsHuman(f"the Redis server at {_peer(connection)} {does}", hint=hint)


def _peer(connection: Any) -> str:
    return connection.path if hasattr(connection, "path") else format_node((connection.host, connection.port))


@lru_cache(maxsize=32)
def script(*names: str) -> Script:
    """A script made of files in `lua/`, one after the other; the first line of the first says what it may do."""
    folder = resources.files("reconciler.adapters.redis") / "lua"
    first, *rest = names
    text = "".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in (first, REFUSALS, *rest))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _name_command(command: Sequence[bytes | str | int]) -> str:
    """`GET config:user:ann`."""
    words = (one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in command[:2])
    return _conceal(" ".join(words))


def _conceal(text: str) -> str:
    """Without the id of a session: whoever has it is signed in."""
    return re.sub(r"\bsession:[^ ,]+", "session:…", text)
