"""A whole database file copied to another, safely, and files that are only there when they are whole.

The store's own connection may reach no file but its own, so another one makes the copy, on which nobody's SQL but this
is ever run. It holds the lock of what it reads: nobody writes meanwhile. Copying the bytes would not do: what was
committed may still stand in the log beside the file, and closing a file that DuckDB has open gives up its lock (POSIX).
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from reconciler.adapters.duckdb.connection import CONFIG, DAMAGED, first_line, not_opened, open_readable
from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RetryLater
from reconciler.tables.duckdb import qualified, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNFENCED = {key: value for key, value in CONFIG.items() if key != "enable_external_access"}
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""The disk, or our share of it, is full."""

Fingerprint = dict[str, tuple[Any, ...]]
"""For each table its statement, its indexes, how many rows it has and a hash of them all."""


def copy(source: Path, target: Path) -> Fingerprint:
    """Copy a database to a new file, readable by its owner only and on the disk for good; the contents of both.

    Whatever has the target's name is replaced, but only once the source is locked. Raises `RetryLater` while the source
    is in use or when the disk is full, `NeedsHuman` when it is damaged, `BugError` when this process has it open.
    """
    config = {**UNFENCED, "temp_directory": f"{target}.tmp"}
    with writing(target), duckdb.connect(":memory:", config=config) as connection:
        _attach(connection, source)
        remove(target)
        try:
            before = _fingerprint(connection, "source")
            connection.execute(f"ATTACH '{_escaped(target)}' AS target")
            connection.execute("COPY FROM DATABASE source TO target")
            connection.execute("DETACH target")
        except duckdb.Error as error:
            raise _not_copied(source, target, error) from error
    with writing(target):
        target.chmod(0o600)
        with target.open("rb+") as written:
            os.fsync(written.fileno())
    if contents(target) != before:
        raise BugError(f"the copy {target} is not what {source} is")
    return before


def contents(file: Path) -> Fingerprint:
    """What a database file holds, every row of it read. Raises like `open_readable`."""
    connection = open_readable(file)
    with connection:
        try:
            (database,) = connection.execute("SELECT current_database()").fetchall()[0]
            return _fingerprint(connection, database)
        except duckdb.Error as error:
            raise not_opened(file, error) from error


def remove(file: Path) -> None:
    """Delete a database file, and whatever DuckDB left beside it."""
    for found in file.parent.glob(f"{file.name}*"):
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)


def settle(folder: Path) -> None:
    """Make names that changed in a folder last. Windows does so by itself."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Errors of the operating system as ours."""
    try:
        yield
    except OSError as error:
        raise _not_written(file, error) from error


def _not_written(file: Path, error: OSError) -> ReconcilerError:
    message = f"cannot write {file}: {(error.strerror or str(error)).lower()}; the store is as it was"
    if error.errno in FULL:
        return RetryLater(message, hint="free some disk space, then try again")
    return NeedsHuman(message, hint="make the state folder writable for whoever runs this")


def _attach(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    try:
        connection.execute(f"ATTACH '{_escaped(source)}' AS source")
    except duckdb.ResourceInUseException as error:
        raise BugError(f"{source} is open in this process, which has to close it first") from error
    except duckdb.Error as error:
        raise not_opened(source, error) from error


def _not_copied(source: Path, target: Path, error: duckdb.Error) -> ReconcilerError:
    if any(words in str(error) for words in DAMAGED):
        return not_opened(source, error)
    return RetryLater(
        f"the copy {target} could not be written, the store is as it was: {first_line(error)}",
        hint="free some disk space, then try again",
    )


def _fingerprint(connection: duckdb.DuckDBPyConnection, database: str) -> Fingerprint:
    tables = connection.execute(
        "SELECT schema_name, table_name, sql, (SELECT list(i.sql ORDER BY i.sql) FROM duckdb_indexes() AS i "
        "WHERE i.database_name = t.database_name AND i.schema_name = t.schema_name AND i.table_name = t.table_name) "
        "FROM duckdb_tables() AS t WHERE database_name = ? ORDER BY ALL",
        [database],
    ).fetchall()
    found: Fingerprint = {}
    for schema, table, statement, indexes in tables:
        place = f"{quoted(database)}.{qualified(schema, table)}"
        records = connection.execute(f"SELECT count(*), sum(hash(t)) FROM {place} AS t").fetchall()
        found[f"{schema}.{table}"] = (statement, str(indexes), *records[0])
    return found


def _escaped(file: Path) -> str:
    return str(file).replace("'", "''")
