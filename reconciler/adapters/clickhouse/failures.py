"""What the driver's exceptions mean to a caller: try later, or call a human."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import Error
from urllib3.exceptions import SSLError

from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGIN = frozenset({192, 193, 194, 516})
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED"""
_RIGHTS = frozenset({81, 164, 497})
"""UNKNOWN_DATABASE, READONLY, ACCESS_DENIED"""
_PASSING = frozenset({159, 202, 203, 209, 210, 236, 241, 242, 243, 252, 319, 373, 394, 425, 439, 999})
"""Timeouts, too many queries or parts, network, memory, disk space, read-only replica, shutdown, keeper.

Numbers: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
"""
_LONGEST = 300
IN_THE_WAY = _LOGIN | _PASSING
"""Errors that are not about what was asked."""


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn the driver's exceptions into `RetryLater` or `NeedsHuman`; `place` says which ledger, without secrets."""
    try:
        yield
    except Error as error:
        raise meaning(place, error) from error


def meaning(place: str, error: Error) -> ReconcilerError:
    """What the driver's exception says to a caller."""
    if error.code in _LOGIN:
        return NeedsHuman(
            f"{place} refused the login",
            hint="check the login and the password in history.url (reserved characters as %XX)",
        )
    if error.code in _RIGHTS:
        return NeedsHuman(
            f"{place} does not let this login do that: {_first_line(error)}",
            hint="create the database, or grant it CREATE, ALTER, SELECT and INSERT on it",
        )
    if error.code in _PASSING:
        return RetryLater(
            f"{place} cannot answer now: {_first_line(error)}", hint="nothing is lost: git holds the history"
        )
    if error.code is not None:
        return NeedsHuman(f"{place} failed: {_first_line(error)}", hint="look the error up in the server's log")
    if _by_tls(error):
        return NeedsHuman(
            f"{place} cannot be trusted, or does not speak TLS: {_reason(error)}",
            hint="check the server's certificate, and the port: clickhouses:// is TLS, clickhouse:// is not",
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


def _first_line(error: Error) -> str:
    return _shortened(str(error))


def _shortened(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
