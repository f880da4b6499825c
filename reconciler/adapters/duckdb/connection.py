"""The file `state.duckdb`: opening it safely, one transaction at a time, and its errors in our words.

Nobody but the file's owner can say what is lost with it, so no remedy deletes it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.machine import READ_ONLY, Cause, explain_os_error, find_cause, is_read_only
from reconciler.errors import BugError, InUse, NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

FILE_NAME = "state.duckdb"
WAL = ".wal"
"""What DuckDB appends to a database's name for the log of what was committed and is not in the file yet."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # a misspelt table must not turn into a Python variable
}

HOLDER = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
"""DuckDB's words on POSIX; Windows does not tell who holds a file."""

IN_USE = ("Could not set lock on file", "being used by another process")
REBUILD = (
    "`reconciler restore` of a backup replaces it and keeps it beside; without one, stop every reconciler, move it and "
    "its .wal aside and sync: git rebuilds it, but for a suspension (suspend again before that sync) and for host "
    "events and live intervals that the history lacks"
)
"""What to do about a store of no use: nothing is destroyed, and what a new store will lack is said."""


class DatabaseFile(Struct, frozen=True):
    """A file, and what the file system says of it.

    `name` is what it is called, `rebuild` what to do if it is of no use. `other`: it is a folder, say. `read_only`: its
    disk is.
    """

    path: Path
    name: str
    rebuild: str = REBUILD
    other: bool = False
    read_only: bool = False


def examine_file(path: Path, name: str, rebuild: str) -> DatabaseFile:
    """Look at a file; what cannot be seen is taken to be well."""
    try:
        other = path.exists() and not path.is_file()
    except OSError:
        other = False
    return DatabaseFile(path, name, rebuild, other, is_read_only(path.parent))


def examine_store(path: Path) -> DatabaseFile:
    """Look at a store's file. What is to be done if it is of no use names the newest backup, where there is one."""
    try:
        backup = max((path.parent / "backups").glob("state-*.duckdb"), default=None)
    except OSError:
        backup = None
    named = REBUILD if backup is None else REBUILD.replace("` of a backup", f" {backup}`")
    return examine_file(path, f"the store {path}", named)


OTHER_VERSION: Final = Cause(
    re.compile("can only read storage versions|newer version of DuckDB|encrypted database"),
    NeedsHuman,
    "another version of DuckDB wrote it, or another program",
    "nothing is wrong with it: update reconciler, which brings a newer DuckDB, or choose another folder with --state",
)
LOG_DAMAGED: Final = Cause(
    re.compile(r"\bWAL\b"),
    NeedsHuman,
    "its log is damaged, or another store's",
    "stop every reconciler, move {log} aside, keep it and sync: the file is then as it was before the newest changes, "
    "and git brings them again; only that log has the host events and live intervals since",
)
DAMAGED: Final = Cause(
    re.compile(
        "corrupt|not a valid DuckDB database|Could not read enough bytes|checksum|Invalid storage version",
        re.IGNORECASE,
    ),
    NeedsHuman,
    "it is damaged or no DuckDB file",
    "{rebuild}",
)
FAILED_INSIDE: Final = Cause(re.compile(""), BugError, "DuckDB fails inside", "if that comes again: {rebuild}")
UNKNOWN: Final = Cause(re.compile(""), RetryLater, "DuckDB says", "see to what it says; the next sync tries again")


def explain_file_error(found: DatabaseFile, error: duckdb.Error, what: str) -> ReconcilerError | None:
    """What the driver's error says of the file, in our words; None where it is not about the file.

    `what` could not be done, as in "cannot open the store …".
    """
    file = found.path
    text = str(error).replace(str(file.parent), "")  # a folder may have any name
    if any(words in text for words in IN_USE):
        return _in_use(found.name, text)
    if found.other:
        return NeedsHuman(f"{what}: it is no file", hint=f"move {file} aside, or choose another folder with --state")
    known = (cause for cause in (OTHER_VERSION, LOG_DAMAGED, DAMAGED) if cause.words.search(text))
    cause = find_cause(text) or next(known, None) or _find_cause_by_type(found, error)
    if cause is None:
        return None
    hint = cause.hint.format(log=f"{file}.wal", rebuild=found.rebuild)
    return cause._replace(hint=hint).raised(what, first_line(error))


def _find_cause_by_type(found: DatabaseFile, error: duckdb.Error) -> Cause | None:
    if isinstance(error, duckdb.SerializationException):
        return DAMAGED
    if isinstance(error, duckdb.InternalException):
        return FAILED_INSIDE
    if isinstance(error, (duckdb.IOException, duckdb.FatalException)) or type(error) is duckdb.Error:
        return READ_ONLY if found.read_only else UNKNOWN
    return None


def _in_use(name: str, text: str) -> InUse:
    holder = HOLDER.search(text)
    who = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
    hint = "wait until it is done, or end it; programs that read beside a daemon open live.duckdb"
    return InUse(f"{name} is in use by {who}", hint=hint)


def explain_open_error(file: Path, error: duckdb.Error) -> ReconcilerError:
    """Why a store's file could not be opened."""
    found = examine_store(file)
    what = f"cannot open {found.name}"
    return explain_file_error(found, error, what) or NeedsHuman(
        f"{what}: {first_line(error)}", hint=f"see to what it says; if the file itself is at fault, {found.rebuild}"
    )


class AlteredStore(NeedsHuman):
    """A table that the store keeps beside the rows, in gitops, is not there, or is another one."""


class StoreConnection:
    """A connection to a store. Errors about its file, and about what only the store itself writes, come out as ours.

    Those about the tables of kinds, which others may alter, stay the driver's: who asks knows what they mean.
    """

    def __init__(self, driver: duckdb.DuckDBPyConnection, file: Path) -> None:
        self._driver, self._file = driver, file

    def __enter__(self) -> StoreConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def execute(self, query: str, parameters: object = None) -> StoreConnection:
        """Run a query, whose result is fetched from here."""
        try:
            self._driver.execute(query, parameters)
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            if "gitops." not in query:
                raise
            message = f"something altered what the store {self._file} keeps in gitops: {first_line(error)}"
            raise AlteredStore(message, hint=examine_store(self._file).rebuild) from error
        except duckdb.Error as error:
            self._raise(error)
        return self

    def executemany(self, query: str, parameters: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each record."""
        try:
            self._driver.executemany(query, parameters)
        except duckdb.Error as error:
            self._raise(error)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All records of the result that are left."""
        try:
            return self._driver.fetchall()
        except duckdb.Error as error:
            self._raise(error)

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """So many records of the result at most; none at its end."""
        try:
            return self._driver.fetchmany(size)
        except duckdb.Error as error:
            self._raise(error)

    def appender(self, table: str, action: Literal["insert", "upsert"] = "insert") -> Any:
        """The driver's, for use in a `transaction`."""
        return self._driver.appender(table, action=action)

    def cursor(self) -> StoreConnection:
        """Another connection to the same store."""
        return StoreConnection(self._driver.cursor(), self._file)

    def begin(self) -> None:
        """Begin a transaction."""
        try:
            self._driver.begin()
        except duckdb.Error as error:  # a disk that failed has ended the use of all connections
            self._raise(error)

    def commit(self) -> None:
        """Make it last."""
        self._driver.commit()

    def rollback(self) -> None:
        """End it, with nothing changed."""
        self._driver.rollback()

    def close(self) -> None:
        """Give the file free."""
        self._driver.close()

    def explain(self, error: duckdb.Error) -> ReconcilerError | None:
        """What an error says of the file; None where it is not about the file."""
        found = examine_store(self._file)
        return explain_file_error(found, error, f"{found.name} cannot be used, nothing was changed")

    def _raise(self, error: duckdb.Error) -> NoReturn:
        ours = self.explain(error)
        if ours is None:
            raise error
        raise ours from error


def open_writable(file: Path) -> StoreConnection:
    """Open the store's file for the one process that writes it, creating it and its folder for their owner only.

    Raises `InUse` while another process has it open, `NeedsHuman` when it cannot be read or is damaged.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = _connect(file, read_only=False)
        file.chmod(0o600)
    except OSError as error:
        raise explain_os_error(f"cannot use the state folder {file.parent}", error) from error
    return connection


def is_there(file: Path) -> bool:
    """Whether there is anything of this name. Raises `NeedsHuman` when its folder may not be looked into."""
    try:
        file.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise explain_os_error(f"cannot use the state folder {file.parent}", error) from error
    return True


def open_readable(file: Path) -> StoreConnection:
    """Open an existing file for reading. It is refused, too, while another process writes it (`InUse`)."""
    return _connect(file, read_only=True)


def _connect(file: Path, *, read_only: bool) -> StoreConnection:
    try:
        driver = duckdb.connect(str(file), read_only=read_only, config=CONFIG)
    except duckdb.Error as error:
        raise explain_open_error(file, error) from error
    connection = StoreConnection(driver, file)
    # Else DuckDB stores aware times in the zone of the machine; GLOBAL, so that cursors have it, too
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def transaction(connection: StoreConnection) -> Iterator[None]:
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
        raise _explain_write_error(connection, error) from error


def _roll_back(connection: StoreConnection) -> None:
    try:
        connection.rollback()
    except (duckdb.TransactionException, duckdb.FatalException):
        """A commit that failed, or a disk that did, has already ended the transaction; that error is on its way."""


def _explain_write_error(connection: StoreConnection, error: duckdb.Error) -> ReconcilerError:
    return connection.explain(error) or BugError(
        f"the store refused a change, nothing was changed: {first_line(error)}"
    )


def fetch_first(
    connection: StoreConnection | duckdb.DuckDBPyConnection, query: str, *parameters: object
) -> tuple[Any, ...] | None:
    """The first record of a query's. A result not read to its end would keep the appender from the connection."""
    return next(iter(connection.execute(query, list(parameters)).fetchall()), None)


def fetch_number(connection: StoreConnection, query: str, *parameters: object) -> int:
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
