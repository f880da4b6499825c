"""The file `state.duckdb`: opening it safely, one transaction at a time, and its errors in our words."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from reconciler.errors import BugError, InUse, NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = "state.duckdb"

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # a misspelt table must not turn into a Python variable
}

HOLDER = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
"""DuckDB's words on POSIX; Windows does not tell who holds a file."""

IN_USE = ("Could not set lock on file", "being used by another process")
FULL = ("No space left on device", "not enough space on the disk")
DAMAGED = ("not a valid DuckDB database", "Corrupt database file", "Could not read enough bytes", "checksum")
REBUILD = "stop every reconciler, delete this file and sync again: git rebuilds it"


def open_writable(file: Path) -> duckdb.DuckDBPyConnection:
    """Open the store's file for the one process that writes it, creating it and its folder for their owner only.

    Raises `InUse` while another process has it open, `NeedsHuman` when it cannot be read or is damaged.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = _connect(file, read_only=False)
        file.chmod(0o600)
    except OSError as error:
        raise NeedsHuman(
            f"cannot use the state folder {file.parent}: {error.strerror}",
            hint="make it writable for whoever runs this, or choose another folder with --state",
        ) from error
    return connection


def open_readable(file: Path) -> duckdb.DuckDBPyConnection:
    """Open an existing file for reading. It is refused, too, while another process writes it (`InUse`)."""
    return _connect(file, read_only=True)


def _connect(file: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(file), read_only=read_only, config=CONFIG)
    except duckdb.Error as error:
        raise explain_open_error(file, error) from error
    # Else DuckDB stores aware times in the zone of the machine; GLOBAL, so that cursors have it, too
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


def explain_open_error(file: Path, error: duckdb.Error) -> ReconcilerError:
    """Why a store's file could not be opened: in use, damaged, or what else the driver says."""
    text = str(error)
    if any(words in text for words in IN_USE):
        holder = HOLDER.search(text)
        who = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
        return InUse(
            f"the store {file} is in use by {who}", hint="wait until it is done, or end it if it should not be running"
        )
    if any(words in text for words in FULL):
        return RetryLater(
            f"cannot open the store {file}: {first_line(error)}", hint="free some disk space; the next sync tries again"
        )
    if any(words in text for words in DAMAGED):
        return NeedsHuman(f"the store {file} is damaged or no DuckDB file: {first_line(error)}", hint=REBUILD)
    return NeedsHuman(
        f"cannot open the store {file}: {first_line(error)}",
        hint=f"see to what it says; if the file itself is at fault, {REBUILD}",
    )


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that is done inside happens, or nothing. Errors of the driver come out as ours."""
    try:
        connection.begin()
        try:
            yield
            connection.commit()
        except BaseException:
            _roll_back(connection)
            raise
    except duckdb.Error as error:
        raise _explain_write_error(error) from error


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except (duckdb.TransactionException, duckdb.FatalException):
        """A commit that failed, or a disk that did, has already ended the transaction; that error is on its way."""


def _explain_write_error(error: duckdb.Error) -> ReconcilerError:
    if isinstance(error, (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)):
        return RetryLater(
            f"the store could not write, nothing was changed: {first_line(error)}",
            hint="free some disk space or memory; the next sync tries again",
        )
    return BugError(f"the store refused a change, nothing was changed: {first_line(error)}")


def fetch_first(connection: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> tuple[Any, ...] | None:
    """The first record of a query's. A result not read to its end would keep the appender from the connection."""
    return next(iter(connection.execute(query, list(parameters)).fetchall()), None)


def fetch_number(connection: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> int:
    """The number that a query is for."""
    record = fetch_first(connection, query, *parameters)
    assert record is not None
    return int(record[0])


def first_line(error: duckdb.Error) -> str:
    """What a DuckDB error says, without the advice and the excerpts that follow."""
    return str(error).partition("\n")[0].strip()


UNREADABLE_ERRORS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException)
"""What DuckDB says of a table that is not there, and of columns that are not, or are of another type."""
HEAL = "`reconciler drift` tells what was altered, `reconciler drift --heal` puts it right"


@contextmanager
def reading_live_tables() -> Iterator[None]:
    """Live rows are read. Raises `NeedsHuman` when their table is not such that they can be."""
    try:
        yield
    except UNREADABLE_ERRORS as error:
        raise NeedsHuman(
            f"a live table was altered, its rows cannot be read: {first_line(error)}", hint=HEAL
        ) from error


@contextmanager
def reading_desired_tables() -> Iterator[None]:
    """What git says is read. Raises `NeedsHuman` when its tables are not such that it can be."""
    try:
        yield
    except UNREADABLE_ERRORS as error:
        raise NeedsHuman(f"the store cannot tell what git says: {first_line(error)}", hint=REBUILD) from error
