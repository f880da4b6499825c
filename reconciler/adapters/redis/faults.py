"""What a driver raises, in words that say what to do; the server's reason is passed on."""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import exceptions as driver

from reconciler.adapters.redis.url import SETTING
from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = "Redis server"
NO_CLUSTER = (
    "use one server, with replicas and Sentinels if you like: a Cluster spreads keys over servers, "
    "and programs rely on the names of ours"
)

TLS_MISSING = "; a server that wants TLS (rediss://) or a certificate (ssl_certfile) ends connections without it"
TLS_SILENCE = "see that it runs, is not overloaded, and speaks TLS: rediss:// is for what does"
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
    "NOREPLICAS": ("has too few replicas and takes no writes", "it is failing over, or needs a replica to be started"),
    "MASTERDOWN": ("has lost its primary", "it is failing over"),
    "LOADING": ("is loading its data", "it is there again by itself"),
    "NOQUORUM": ("could not fail over", "start more Sentinels, or lower its quorum"),
    "max number of clients": ("has too many clients", "raise its maxclients, or end some of them"),
}
_HUMAN_WORDS = {
    "HELLO must be called": ("wants a password", f"write it in {SETTING}: redis://:password@host:6379"),
    "Authentication required": ("wants a password", f"write it in {SETTING}: redis://:password@host:6379"),
    "o permissions": ("does not allow this login what is needed", "give it the rights that docs/sessions.md lists"),
    "WRONGTYPE": ("holds something else under our keys", f"give reconciler a database of its own: {SETTING} …/1"),
    **dict.fromkeys(("CROSSSLOT", "MOVED", "CLUSTERDOWN", "in cluster mode"), ("is a node of a Cluster", NO_CLUSTER)),
    "without any password configured": ("has no password", f"leave the password out of {SETTING}"),
    "invalid username-password": ("refuses the password", f"correct it in {SETTING}, which may be file:/path"),
    "DB index": ("has no such database", f"correct the number at the end of {SETTING}"),
    "unknown command": ("is too old", "use Redis 7.0, Valkey 7.2 or newer"),
}
"""Parts of what a server says, as the driver passes it on: without `ERR`. The first that is in it counts."""


@contextmanager
def translate_errors(server: str, asked: str = "", called: str = SERVER) -> Iterator[None]:
    """Raise ours for the driver's errors, with the server's reason. `server` is its address, without a password.

    `asked` is what was asked for, where the reason may be about a key that it does not name; `called` is what it is.
    """
    try:
        yield
    except driver.RedisError as error:
        raise _translate(error, f"{called} at {server}", asked) from error
    except OSError as error:
        raise _unreachable(f"{called} at {server}", error) from error


def is_silence(error: ReconcilerError) -> bool:
    """Whether it was raised because nothing was answered in time: not because a server is away, or says no."""
    return isinstance(error.__cause__, (driver.TimeoutError, TimeoutError))


def _translate(error: driver.RedisError, server: str, asked: str) -> ReconcilerError:
    """`server` is what it is and where."""
    message = str(error)
    reason = _reason(error, message, asked)
    for kind, does, hint in _LATER:
        if isinstance(error, kind):
            is_tls = "handshake" in _cause(error)
            return RetryLater(f"the {server} {does}{reason}", hint=TLS_SILENCE if is_tls else hint)
    for words, raised in ((_HUMAN_WORDS, NeedsHuman), (_LATER_WORDS, RetryLater)):
        for word, (does, hint) in words.items():
            if word in message:
                return raised(f"the {server} {does}{reason}", hint=hint)
    if isinstance(error, driver.AuthenticationError):
        return NeedsHuman(f"the {server} refuses the login{reason}", hint=f"correct it in {SETTING}")
    if isinstance(error, driver.InvalidResponse):
        return NeedsHuman(f"the {server} answers as no Redis server does", hint=f"see which port {SETTING} names")
    if isinstance(error, driver.ConnectionError):
        return _untrusted(server, error) or _unreachable(server, error)
    return BugError(f"the {server} refused a command{reason}")


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


def _unreachable(server: str, error: Exception) -> RetryLater:
    word, _, place = server.partition(" at ")
    cause = _cause(error)
    tls = TLS_MISSING if any(map(cause.__contains__, _ENDED)) else ""
    hint = f"see that it runs and that {SETTING} names it{tls}; the live rows do not need it ({cause})"
    return RetryLater(f"no {word} answers at {place}", hint=hint)


_ENDED = ("closed by server", "reset by peer", "broken pipe", "eof occurred")
_MISMATCH = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_TLS_WORDS = {
    "WRONG_VERSION_NUMBER": ("speaks no TLS", "write redis:// in place of rediss://, or the port that has TLS"),
    "RECORD_LAYER_FAILURE": ("speaks no TLS", "write redis:// in place of rediss://, or the port that has TLS"),
    "CERTIFICATE_REQUIRED": ("wants a certificate", f"name it in {SETTING}: ?ssl_certfile=FILE&ssl_keyfile=FILE"),
    "ALERT_UNKNOWN_CA": ("does not trust our certificate", "have it signed by a CA that the server knows"),
    "ALERT_BAD_CERTIFICATE": ("does not take our certificate", "have it signed by a CA that the server knows"),
    "HANDSHAKE_FAILURE": ("takes no TLS that this machine speaks", "see its tls-protocols and tls-ciphers"),
}
"""Parts of what OpenSSL calls a failure."""


def _untrusted(server: str, error: Exception) -> NeedsHuman | None:
    """What is wrong between the two about TLS, if that is what the error is about."""
    cause = next((one for one in (error.__cause__, error.__context__) if isinstance(one, ssl.SSLError)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _MISMATCH:
            hint = f"write the name that the certificate has in {SETTING}, or ssl_check_hostname=false"
            return NeedsHuman(f"the {server} has a certificate for another name: {cause.verify_message}", hint=hint)
        hint = f"name the file of the CA that signed it in {SETTING}: ?ssl_ca_certs=FILE"
        return NeedsHuman(f"the {server} has a certificate that is not trusted: {cause.verify_message}", hint=hint)
    reason = (cause.reason or "") if cause else ""
    does, hint = next((words for part, words in _TLS_WORDS.items() if part in reason), ("", ""))
    return NeedsHuman(f"the {server} {does}", hint=hint) if does else None


def _cause(error: Exception) -> str:
    """The system's words for it, which the driver wraps."""
    inner = error.__cause__ or error.__context__
    cause = inner if isinstance(inner, OSError) else error
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(words).lower().rstrip(".")
