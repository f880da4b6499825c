"""What the driver raises, in words that say what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import exceptions as driver

from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "o permissions": ("does not allow this login what is needed", "allow it scripts, and the keys of docs/sessions.md"),
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
def translated(server: str) -> Iterator[None]:
    """Raise ours for the driver's errors. `server` is its address, without a password."""
    try:
        yield
    except driver.RedisError as error:
        raise _translation(error, server) from error
    except OSError as error:
        raise _away(server, error) from error


def is_silence(error: ReconcilerError) -> bool:
    """Whether it was raised because nothing was answered in time: not because a server is away, or says no."""
    return isinstance(error.__cause__, (driver.TimeoutError, TimeoutError))


def _translation(error: driver.RedisError, server: str) -> ReconcilerError:
    for kind, does, hint in _LATER:
        if isinstance(error, kind):
            return RetryLater(f"the Redis server at {server} {does}", hint=hint)
    said = str(error)
    for words, raised in ((_HUMAN_WORDS, NeedsHuman), (_LATER_WORDS, RetryLater)):
        for word, (does, hint) in words.items():
            if word in said:
                return raised(f"the Redis server at {server} {does}", hint=hint)
    if isinstance(error, driver.AuthenticationError):
        return NeedsHuman(f"the Redis server at {server} refuses the login", hint=f"correct it in {SETTING}")
    if isinstance(error, driver.ConnectionError):
        return _away(server, error)
    return BugError(f"the Redis server at {server} refused a command: {said}")


def _away(server: str, error: Exception) -> RetryLater:
    return RetryLater(
        f"no Redis server answers at {server}",
        hint=f"see that it runs and that {SETTING} names it; the live rows do not need it ({_cause(error)})",
    )


def _cause(error: Exception) -> str:
    """The system's words for it, which the driver wraps."""
    inner = error.__cause__ or error.__context__
    found = inner if isinstance(inner, OSError) else error
    words = getattr(found, "strerror", None) or str(found) or type(found).__name__
    return str(words).lower().rstrip(".")
