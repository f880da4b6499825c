"""A connection to either engine, embedded or a server: where it is, what it is asked, and what its failures mean."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error, ProgrammingError
from urllib3.exceptions import SSLError

from reconciler import canonical
from reconciler.adapters.machine import explain_os_error, find_cause, find_refusal
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, UsageError
from reconciler.ledger.connection import CHDB_FOLDER, ProbeAnswer
from reconciler.tables.clickhouse import (
    DEFAULT_DATABASE,
    alter_table,
    comment_table,
    create_database,
    create_table,
    quote,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.query import QueryResult

    from reconciler.tables.clickhouse import ColumnChange, Table

EMBEDDED = "chdb"
_PORTS = {"clickhouse": 8123, "clickhouses": 8443}
_HINT = "history.url is chdb, duckdb, clickhouse://login:password@host:8123/database, clickhouses://… (TLS), or none"


@dataclass(frozen=True, slots=True)
class Server:
    """A ClickHouse server's HTTP interface. The password stays out of the repr, as out of everything else."""

    host: str
    port: int
    login: str
    password: str = field(repr=False)
    database: str
    secure: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_url(url: str) -> Server | None:
    """The server a URL names, None for the embedded engine. Raises `UsageError`, never quoting the URL."""
    if url == EMBEDDED:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError("history.url cannot be read: its host or port is malformed", hint=_HINT) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError("history.url names no ClickHouse server", hint=_HINT)
    return Server(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        login=unquote(parts.username or "") or "default",
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or DEFAULT_DATABASE,
        secure=parts.scheme == "clickhouses",
    )


ROW_FORMAT = "JSONCompactEachRow"
_INSERT_SETTINGS = {
    "precise_float_parsing": 1,  # the fast parser is off by a bit in the last place for one number in six
    "async_insert": 0,  # when the call returns, the rows are there
}
_COPY_SETTINGS = {
    "send_progress_in_http_headers": 1,  # so that a long statement is not taken for a server that hangs
    "max_insert_threads": 1,  # keeps the order
}
_DRIVER_LOG = logging.NullHandler()


DATABASES = "SELECT count() FROM system.databases WHERE name = {database:String}"

CATALOG = """
WITH (
  SELECT any(comment) FROM system.tables WHERE database = {database:String} AND name = 'config_versions'
) AS mark
SELECT table, name, type, mark FROM system.columns WHERE database = {database:String}
"""


class Timeouts(NamedTuple):
    """Whole seconds to wait for a connection, and for a server to say anything."""

    connect: int
    read: int


DEFAULT_TIMEOUTS = Timeouts(connect=5, read=60)


SERVER_LOG = "look the error up in the server's log"


class QueryRows(NamedTuple):
    """Columns as name and type, and rows."""

    columns: tuple[tuple[str, str], ...]
    rows: Sequence[Sequence[Any]]


@lru_cache(maxsize=4096)
def _moment(value: object) -> str:
    """A moment in ClickHouse's words. Remembered: the rows of a commit share their times."""
    assert isinstance(value, datetime)
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


_ENCODER = json.JSONEncoder(default=_moment, ensure_ascii=False, allow_nan=False)


def lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as the insert format wants them: one JSON array a line, UTF-8.

    A lone surrogate (half a character, or a byte of a path that is not UTF-8) has no UTF-8 form: it becomes U+FFFD.
    """
    text = "\n".join(map(_ENCODER.encode, rows))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()


class Connection:
    """A client and what it is called in messages. `database` is the one everything happens in."""

    drift_of_kind = """
      arrayFilter(row -> JSONExtractString(row, 'kind') = {kind:String} AND ({every:Bool}
        OR JSONType(row, 'id') = 'Null' OR JSONExtractString(row, 'id') IN {ids:Array(String)}),
        JSONExtractArrayRaw(detail, 'rows'))"""

    def __init__(self, client: Client, place: str, database: str, remedy: str = SERVER_LOG) -> None:
        self._client = client
        self.place, self.remedy = place, remedy
        self.database = database

    def close(self) -> None:
        """Give the engine's folder or the server's connections free."""
        self._client.close()

    def ask(self, query: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a SELECT; `{name:Type}` in it is bound to the parameter of that name, or the database's."""
        with translate_errors(self.place, self.remedy):
            rows: Sequence[Sequence[Any]] = self._query(query, parameters).result_rows
            return rows

    def ask_named(self, query: str, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """The rows of a SELECT by column."""
        with translate_errors(self.place, self.remedy):
            return tuple(self._query(query, parameters).named_results())

    def run(
        self, query: str, settings: Mapping[str, object], *, in_database: bool = False, **parameters: object
    ) -> QueryRows:
        """What a SELECT that somebody else wrote finds. Errors come as the driver has them: some are about the query.

        With `in_database` the tables that it names are looked for in the ledger's.
        """
        self._client.database = self.database if in_database else self._client.database
        result = self._client.query(query, parameters=parameters or None, settings=dict(settings))
        types = (type_.name for type_ in result.column_types)
        return QueryRows(tuple(zip(result.column_names, types, strict=True)), result.result_rows)

    def blocks(self, query: str, **parameters: object) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows of a SELECT a block at a time: all of them may be more than there is memory for."""
        with (
            translate_errors(self.place, self.remedy),
            self._client.query_row_block_stream(query, parameters={"database": self.database, **parameters}) as stream,
        ):
            yield from stream

    def explain(self, statement: str) -> str:
        """The syntax tree of a statement, a line for each node. Nothing of it is run; errors as with `run`."""
        tree = self._client.raw_query(f"EXPLAIN AST {statement}")  # a format would be taken for the statement's
        return tree.decode("utf-8", "replace")

    def catalog(self) -> Iterable[tuple[str, str, str, str]]:
        """Table, column and type of each column there is, and the comment on the table of versions."""
        return [(table, name, type_, mark) for table, name, type_, mark in self.ask(CATALOG)]

    def make_database(self) -> None:
        """Only when it is missing: a login that may not create databases can still be given one."""
        if not self.ask(DATABASES)[0][0]:
            self._command(create_database(self.database))

    def create(self, table: Table) -> None:
        """Create a table if it is missing."""
        self._command(create_table(self.database, table))

    def comment(self, table: Table) -> None:
        """Give a table that exists its comment."""
        self._command(comment_table(self.database, table))

    def alter(self, table: str, change: ColumnChange) -> None:
        """Add a column to a table, or give it a wider type."""
        self._command(alter_table(self.database, table, change))

    def drop(self, table: str) -> None:
        """Remove a table."""
        self._command(f"DROP TABLE {self._name(table)}")

    def insert(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows in `ROW_FORMAT`. Raw, as the driver's own conversion imports pandas first (0.25 s)."""
        with translate_errors(self.place, self.remedy):
            self._client.raw_insert(
                self._name(table.name), list(table.columns), lines(rows), settings=_INSERT_SETTINGS, fmt=ROW_FORMAT
            )

    def copy_rows(self, table: Table, column: str, old: str, new: str) -> None:
        """Insert the rows with one value in a column once more with another one, in the order of the key."""
        names, key = (", ".join(map(quote, some)) for some in (table.columns, table.key))
        shown = ", ".join("{new:String}" if name == column else quote(name) for name in table.columns)
        found = f"FROM {self._name(table.name)} FINAL WHERE {quote(column)} = {{old:String}} ORDER BY {key}"
        statement = f"INSERT INTO {self._name(table.name)} ({names}) SELECT {shown} {found}"
        with translate_errors(self.place):
            self._client.command(statement, parameters={"old": old, "new": new}, settings=_COPY_SETTINGS)

    def _name(self, table: str) -> str:
        return f"{quote(self.database)}.{quote(table)}"

    def _command(self, statement: str) -> None:
        with translate_errors(self.place, self.remedy):
            self._client.command(statement)

    def _query(self, query: str, parameters: dict[str, object]) -> QueryResult:
        return self._client.query(query, parameters={"database": self.database, **parameters})


def connect_server(server: Server, timeouts: Timeouts) -> Connection:
    """Connect to a server. Raises `RetryLater` or `NeedsHuman`."""
    _quiet()
    place = f"the ClickHouse server at {server}"
    with translate_errors(place):
        client = clickhouse_connect.get_client(
            interface="https" if server.secure else "http",
            host=server.host,
            port=server.port,
            username=server.login,
            password=server.password,
            connect_timeout=timeouts.connect,
            send_receive_timeout=timeouts.read,
            tz_mode="aware",
            autogenerate_session_id=False,  # a session would stay locked by a query that hangs
            show_clickhouse_errors="scrub",
            dedicated_pool=True,
        )
    return Connection(client, place, server.database)


def open_embedded(folder: Path) -> Connection:
    """Open the embedded engine on its folder. Raises `RetryLater` when another process has it open."""
    _quiet()
    place = f"the embedded history in {folder}"
    try:
        process = find_engine_holder(folder)
        if process is not None:
            raise _held(place, process)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        client = clickhouse_connect.get_client(
            interface="chdb", path=str(folder), tz_mode="aware", show_clickhouse_errors="scrub"
        )
    except ImportError as error:
        raise NeedsHuman(
            "the embedded history engine (chDB) is not installed",
            hint='pip install "reconciler[embedded]" (not on Windows), or set history.url to duckdb, which begins anew '
            "from git, to clickhouse://… or none",
        ) from error
    except OSError as error:
        raise explain_os_error(f"{place} cannot be opened", error) from error
    except ProgrammingError as error:
        process = find_engine_holder(folder)
        if process is not None:
            raise _held(place, process) from error
        what = f"{place} cannot be opened"
        cause = find_cause(str(error)) or find_refusal(folder)
        if cause is not None:
            raise cause.raised(what, "the engine does not start") from error
        raise NeedsHuman(f"{what}, it is damaged: {_first_line(error)}", hint=_rebuild(folder)) from error
    return Connection(client, place, DEFAULT_DATABASE, f"if it is damaged: {_rebuild(folder)}")


def _rebuild(folder: Path) -> str:
    return (
        f"stop every reconciler, move {folder} aside, keep it and sync: git has every version; only that folder has "
        "the host events and live intervals of more than a week ago, and those of other branches"
    )


def _held(place: str, process: str) -> RetryLater:
    return RetryLater(
        f"{place} is in use by process {process}", hint="one process at a time can have it open: wait, or stop that one"
    )


def _quiet() -> None:
    """The driver logs what it raises as well; without any handler that would land on stderr."""
    logging.getLogger("clickhouse_connect").addHandler(_DRIVER_LOG)


_LOGIN = frozenset({192, 193, 194, 516})
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED"""
_RIGHTS = frozenset({81, 164, 497})
"""UNKNOWN_DATABASE, READONLY, ACCESS_DENIED"""
_PASSING = frozenset({159, 202, 203, 209, 210, 236, 241, 242, 243, 252, 319, 373, 394, 425, 439, 999})
"""Timeouts, too many queries or parts, network, memory, disk space, read-only replica, shutdown, keeper.

Numbers: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
"""
_LONGEST = 300
SERVER_ERRORS = _LOGIN | _PASSING
"""Errors that are not about what was asked."""


@contextmanager
def translate_errors(place: str, remedy: str = SERVER_LOG) -> Iterator[None]:
    """Turn the driver's exceptions into `RetryLater` or `NeedsHuman`; `place` says which ledger, without secrets."""
    try:
        yield
    except Error as error:
        raise explain_error(place, error, remedy) from error


def explain_error(place: str, error: Error, remedy: str = SERVER_LOG) -> ReconcilerError:
    """What the driver's exception says to a caller; `remedy` is for what nobody knows the cause of."""
    if error.code in _LOGIN:
        return NeedsHuman(
            f"{place} refused the login: {_first_line(error)}",
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
        what, said, cause = f"{place} failed", _first_line(error), find_cause(str(error))
        return NeedsHuman(f"{what}: {said}", hint=remedy) if cause is None else cause.raised(what, said)
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


if sys.platform == "win32":

    def _is_locked(file: IO[bytes]) -> bool:
        """It is not: the engine does not exist for Windows."""
        return False

else:
    import fcntl

    def _is_locked(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def find_engine_holder(folder: Path) -> str | None:
    """The id of another process that has the folder open ("?" when it cannot be told), None when nobody has."""
    status = folder / "status"
    if not status.exists():
        return None
    with status.open("rb") as file:
        if not _is_locked(file):
            return None
        matched = re.search(rb"PID: (\d+)", file.read())
    process = matched[1].decode() if matched else "?"
    return None if process == str(os.getpid()) else process


def open_history(url: str, folder: Path, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Connection:
    """Open the engine of the setting history.url; `folder` is the state folder, in which chDB has `history/`.

    Raises `UsageError` for a URL that names nothing, `RetryLater` when the engine is in use or the server does not
    answer, `NeedsHuman` for a refused login or a missing engine.
    """
    server = parse_url(url)
    return connect_server(server, timeouts) if server else open_embedded(folder / CHDB_FOLDER)


PROBE_TIMEOUTS = Timeouts(connect=5, read=10)


def probe(url: str, folder: Path) -> ProbeAnswer:
    """Ask the engine of the setting history.url; `folder` is the state folder. Raises as `open_history` does."""
    with closing(open_history(url, folder, PROBE_TIMEOUTS)) as connection:
        ((version, now),) = connection.ask("SELECT version(), now64(6, 'UTC')")
        return ProbeAnswer(connection.place, f"ClickHouse {version}", canonical.utc(now))
