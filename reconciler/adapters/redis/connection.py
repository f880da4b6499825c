"""A connection to a server: commands and scripts, no waiting beyond a quarter of a second, nothing tried twice.

What the driver raises is told in words that say what to do.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
from msgspec import Struct
from redis import exceptions as driver
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONNECT_TIMEOUT, ANSWER_TIMEOUT = 0.1, 0.1
"""Seconds to connect, and for each answer: a server that hangs is given up after both, well under 250 ms.

`?socket_timeout=1` in the URL takes the place of the second, for a server far away.
"""
REFUSALS = "refusals"
"""The file that every script has after its first."""
CONNECTIONS = 64
"""At most so many at a time; threads of one process need one each."""

URL_HINT = "write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket"


class Script(Struct, frozen=True):
    """A Lua script by its text; the server knows it by the digest once it has seen it."""

    text: str
    digest: str


class Connection:
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
        raise UsageError(f"{SETTING} is no URL of a Redis server", hint=URL_HINT) from error
    return Connection(pool, server)


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
    first, *rest = names
    text = "".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in (first, REFUSALS, *rest))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


SETTING = "redis.url"

_LATER = (
    (driver.OutOfMemoryError, "is out of memory", "give it more maxmemory, or the live view less cache_size_mb"),
    (driver.ReadOnlyError, "is a replica and takes no writes", "it is failing over, or redis.url names the wrong one"),
    (driver.BusyLoadingError, "is loading its data", "it is there again by itself"),
    (driver.MasterDownError, "has lost its primary", "it is failing over"),
    (driver.MaxConnectionsError, "is asked too much at a time", "try again in a moment"),
    (driver.TimeoutError, "does not answer in time", "see that it runs and is not overloaded"),
)
"""Failures that pass: the class, what the server does, and what to do about it. The first that fits counts."""

_LATER_WORDS = {
    "MISCONF": ("cannot save to its disk and takes no writes", "see to the disk of the server"),
    "BUSY": ("is busy with somebody's script", "see what runs there, or end it: SCRIPT KILL"),
    "TRYAGAIN": ("is moving data", "it is there again by itself"),
    "NOREPLICAS": ("has too few replicas and takes no writes", "it is failing over"),
    "MASTERDOWN": ("has lost its primary", "it is failing over"),
    "LOADING": ("is loading its data", "it is there again by itself"),
    "max number of clients": ("has too many clients", "raise its maxclients, or end some of them"),
}
_HUMAN_WORDS = {
    "HELLO must be called": ("wants a password", f"write it in {SETTING}: redis://:password@host:6379"),
    "Authentication required": ("wants a password", f"write it in {SETTING}: redis://:password@host:6379"),
    "o permissions": ("does not allow this login what is needed", "give it the rights that docs/sessions.md lists"),
    "WRONGTYPE": ("holds something else under our keys", f"give reconciler a database of its own: {SETTING} …/1"),
    "CROSSSLOT": ("is a cluster", "use a standalone server, with replicas if you like"),
    "MOVED": ("is a cluster", "use a standalone server, with replicas if you like"),
    "without any password configured": ("has no password", f"leave the password out of {SETTING}"),
    "invalid username-password": ("refuses the password", f"correct it in {SETTING}, which may be file:/path"),
    "DB index": ("has no such database", f"correct the number at the end of {SETTING}"),
    "unknown command": ("is too old", "use Redis 7.0, Valkey 7.2 or newer"),
}
"""Parts of what a server says, as the driver passes it on: without `ERR`. The first that is in it counts."""


@contextmanager
def translate_errors(server: str, asked: str = "") -> Iterator[None]:
    """Raise ours for the driver's errors, with the server's reason. `server` is its address, without a password.

    `asked` is what was asked for, where the reason may be about a key that it does not name.
    """
    try:
        yield
    except driver.RedisError as error:
        raise _translate(error, server, asked) from error
    except OSError as error:
        raise _unreachable(server, error) from error


def is_silence(error: ReconcilerError) -> bool:
    """Whether it was raised because nothing was answered in time: not because a server is away, or says no."""
    return isinstance(error.__cause__, (driver.TimeoutError, TimeoutError))


def _translate(error: driver.RedisError, server: str, asked: str) -> ReconcilerError:
    message = str(error)
    reason = _reason(error, message, asked)
    for kind, does, hint in _LATER:
        if isinstance(error, kind):
            return RetryLater(f"the Redis server at {server} {does}{reason}", hint=hint)
    for words, raised in ((_HUMAN_WORDS, NeedsHuman), (_LATER_WORDS, RetryLater)):
        for word, (does, hint) in words.items():
            if word in message:
                return raised(f"the Redis server at {server} {does}{reason}", hint=hint)
    if isinstance(error, driver.AuthenticationError):
        return NeedsHuman(f"the Redis server at {server} refuses the login{reason}", hint=f"correct it in {SETTING}")
    if isinstance(error, driver.ConnectionError):
        return _unreachable(server, error)
    return BugError(f"the Redis server at {server} refused a command{reason}")


_NO_REASON = (driver.TimeoutError, driver.MaxConnectionsError)
"""These are the driver's own, and say no more than we do."""
_LONGEST_REASON = 300
_AROUND_REASON = re.compile(r"^ACL failure in script: |,? (?:with args beginning with|script: ).*$", re.DOTALL)
"""What stands around the server's reason: that it came in a script, and which; the arguments of a command."""


def _reason(error: driver.RedisError, message: str, asked: str) -> str:
    """`: ` and what the server says, on one line; empty where it said nothing."""
    if isinstance(error, _NO_REASON):
        return ""
    first = next(iter(_AROUND_REASON.sub("", message).splitlines()), "")
    reason = "".join(one if one.isprintable() else "?" for one in first)[:_LONGEST_REASON].strip().rstrip(".")
    about = f" ({asked})" if asked and reason.endswith("to access a key") else ""
    return f": {reason}{about}" if reason else ""


def _name_command(command: Sequence[bytes | str | int]) -> str:
    """`GET config:user:ann`."""
    words = (one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in command[:2])
    return _conceal(" ".join(words))


def _conceal(text: str) -> str:
    """Without the id of a session: whoever has it is signed in."""
    return re.sub(r"\bsession:[^ ,]+", "session:…", text)


def _unreachable(server: str, error: Exception) -> RetryLater:
    return RetryLater(
        f"no Redis server answers at {server}",
        hint=f"see that it runs and that {SETTING} names it; the live rows do not need it ({_cause(error)})",
    )


def _cause(error: Exception) -> str:
    """The system's words for it, which the driver wraps."""
    inner = error.__cause__ or error.__context__
    cause = inner if isinstance(inner, OSError) else error
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(words).lower().rstrip(".")
