"""What the driver's exceptions mean: a server that cannot answer now, or one that will not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from clickhouse_connect.driver.exceptions import Error, ProgrammingError
from urllib3.exceptions import SSLError

from reconciler.adapters.machine import find_cause
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGIN = frozenset({192, 193, 194, 516})
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED"""
_RIGHTS = frozenset({81, 164, 497})
"""UNKNOWN_DATABASE, READONLY, ACCESS_DENIED"""
WAITING = frozenset({159, 341})
"""TIMEOUT_EXCEEDED, UNFINISHED"""
_REPLICAS = frozenset({254, 279, 285, 286, 289, 319})
"""NO_ACTIVE_REPLICAS, ALL_CONNECTION_TRIES_FAILED, TOO_FEW_LIVE_REPLICAS, UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE,
REPLICA_IS_NOT_IN_QUORUM, UNKNOWN_STATUS_OF_INSERT"""
_PASSING = frozenset({202, 203, 209, 210, 236, 241, 242, 243, 252, 373, 394, 425, 439, 999}) | WAITING | _REPLICAS
"""Timeouts, too many queries or parts, network, memory, disk space, read-only replica, shutdown, keeper.

Numbers: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
"""
SERVER_ERRORS = _LOGIN | _PASSING
"""Errors that are not about what was asked."""
_LONGEST = 300
SERVER_LOG = "look the error up in the server's log"


class Meaning(NamedTuple):
    """What errors of some numbers say to a caller: `says` follows the ledger's place."""

    codes: frozenset[int]
    error: type[ReconcilerError]
    says: str
    hint: str


_MEANINGS = (
    Meaning(
        _LOGIN,
        NeedsHuman,
        "refused the login",
        "check the login and the password in history.url (reserved characters as %XX)",
    ),
    Meaning(
        _RIGHTS,
        NeedsHuman,
        "does not let this login do that",
        "create the database, and grant what docs/deploy.md lists for a login of its own",
    ),
    Meaning(
        _REPLICAS,
        RetryLater,
        "has too few replicas at hand, or lacks what they have",
        "more than half of the replicas have to run; nothing is lost: git holds the history",
    ),
    Meaning(_PASSING, RetryLater, "cannot answer now", "nothing is lost: git holds the history"),
)


@contextmanager
def translate_errors(place: str, remedy: str = SERVER_LOG) -> Iterator[None]:
    """Turn the driver's exceptions into `RetryLater` or `NeedsHuman`; `place` says which ledger, without secrets."""
    try:
        yield
    except Error as error:
        raise explain_error(place, error, remedy) from error


def explain_error(place: str, error: Error, remedy: str = SERVER_LOG) -> ReconcilerError:
    """What the driver's exception says to a caller; `remedy` is for what nobody knows the cause of."""
    for meaning in _MEANINGS:
        if error.code in meaning.codes:
            return meaning.error(f"{place} {meaning.says}: {first_line(error)}", hint=meaning.hint)
    if error.code is not None:
        what, said, cause = f"{place} failed", first_line(error), find_cause(str(error))
        return NeedsHuman(f"{what}: {said}", hint=remedy) if cause is None else cause.raised(what, said)
    if isinstance(error, ProgrammingError):
        return NeedsHuman(
            f"{place} does not let this login do that: {first_line(error)}",
            hint="a login has to be able to change the settings that the program sends; docs/deploy.md lists them",
        )
    if _by_tls(error):
        return NeedsHuman(
            f"{place} cannot be trusted, or does not speak TLS: {_reason(error)}",
            hint="check the server's certificate (a private authority's is ca_cert=FILE), and the port: clickhouses:// "
            "is TLS, clickhouse:// is not",
        )
    return RetryLater(
        f"{place} did not answer: {_reason(error)}",
        hint="check that the server runs and can be reached; what is missing is recorded when it is back",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind one: urllib3 keeps the telling one as the `reason` of its last."""
    at: BaseException | None = error
    while at is not None:
        yield at
        reason = getattr(at, "reason", None)
        at = reason if isinstance(reason, BaseException) else at.__cause__


def _by_tls(error: Error) -> bool:
    return any(isinstance(cause, SSLError) for cause in _causes(error))


def _reason(error: Error) -> str:
    return _shortened(str(list(_causes(error))[-1]))


def first_line(error: Error) -> str:
    """The first line of what it says."""
    return _shortened(str(error))


def _shortened(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
