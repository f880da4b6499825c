"""One connection to either engine, with the three things the ledger does: ask, command, insert."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ProgrammingError

from reconciler.adapters.clickhouse.failures import translated
from reconciler.adapters.clickhouse.lock import holder
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.tables.clickhouse import DEFAULT_DATABASE, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.query import QueryResult

    from reconciler.adapters.clickhouse.address import Server

ROW_FORMAT = "JSONCompactEachRow"
_INSERT_SETTINGS = {
    "precise_float_parsing": 1,  # the fast parser is off by a bit in the last place for one number in six
    "async_insert": 0,  # when the call returns, the rows are there
}
_DRIVER_LOG = logging.NullHandler()


class Timeouts(NamedTuple):
    """Whole seconds to wait for a connection, and for a server to say anything."""

    connect: int
    read: int


PATIENT = Timeouts(connect=5, read=60)


class Found(NamedTuple):
    """Columns as name and type, and rows."""

    columns: tuple[tuple[str, str], ...]
    rows: Sequence[Sequence[Any]]


class Connection:
    """A client and what it is called in messages. `database` is the one everything happens in."""

    def __init__(self, client: Client, place: str, database: str) -> None:
        self._client = client
        self.place = place
        self.database = database

    def close(self) -> None:
        """Give the engine's folder or the server's connections free."""
        self._client.close()

    def ask(self, query: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a SELECT; `{name:Type}` in it is bound to the parameter of that name, or the database's."""
        with translated(self.place):
            rows: Sequence[Sequence[Any]] = self._query(query, parameters).result_rows
            return rows

    def ask_named(self, query: str, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """The rows of a SELECT by column."""
        with translated(self.place):
            return tuple(self._query(query, parameters).named_results())

    def run(self, query: str, settings: Mapping[str, object], *, database: bool = False, **parameters: object) -> Found:
        """What a SELECT that somebody else wrote finds. Errors come as the driver has them: some are about the query.

        With `database` the tables that it names are looked for in the ledger's.
        """
        self._client.database = self.database if database else self._client.database
        result = self._client.query(query, parameters=parameters or None, settings=dict(settings))
        types = (type_.name for type_ in result.column_types)
        return Found(tuple(zip(result.column_names, types, strict=True)), result.result_rows)

    def blocks(self, query: str, **parameters: object) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows of a SELECT a block at a time: all of them may be more than there is memory for."""
        with (
            translated(self.place),
            self._client.query_row_block_stream(query, parameters={"database": self.database, **parameters}) as stream,
        ):
            yield from stream

    def explain(self, statement: str) -> str:
        """The syntax tree of a statement, a line for each node. Nothing of it is run; errors as with `run`."""
        told = self._client.raw_query(f"EXPLAIN AST {statement}")  # a format would be taken for the statement's
        return told.decode("utf-8", "replace")

    def command(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        with translated(self.place):
            self._client.command(statement)

    def insert(self, table: str, columns: Sequence[str], rows: bytes) -> None:
        """Insert rows in `ROW_FORMAT`. Raw, as the driver's own conversion imports pandas first (0.25 s)."""
        with translated(self.place):
            name = f"{quoted(self.database)}.{quoted(table)}"
            self._client.raw_insert(name, columns, rows, settings=_INSERT_SETTINGS, fmt=ROW_FORMAT)

    def _query(self, query: str, parameters: dict[str, object]) -> QueryResult:
        return self._client.query(query, parameters={"database": self.database, **parameters})


def connect_server(server: Server, timeouts: Timeouts) -> Connection:
    """Connect to a server. Raises `RetryLater` or `NeedsHuman`."""
    _quiet()
    place = f"the ClickHouse server at {server}"
    with translated(place):
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
    process = holder(folder)
    if process is not None:
        raise _held(place, process)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        client = clickhouse_connect.get_client(
            interface="chdb", path=str(folder), tz_mode="aware", show_clickhouse_errors="scrub"
        )
    except ImportError as error:
        raise NeedsHuman(
            "the embedded history engine (chDB) is not installed",
            hint='pip install "reconciler[embedded]" (not on Windows), or set history.url to clickhouse://… or none',
        ) from error
    except OSError as error:
        raise NeedsHuman(
            f"{place} cannot be made: {error.strerror}", hint="check state.dir and its permissions"
        ) from error
    except ProgrammingError as error:
        process = holder(folder)
        if process is not None:
            raise _held(place, process) from error
        raise NeedsHuman(
            f"{place} cannot be opened: {error}",
            hint="it can be deleted: the next sync records everything again from git",
        ) from error
    return Connection(client, place, DEFAULT_DATABASE)


def _held(place: str, process: str) -> RetryLater:
    return RetryLater(
        f"{place} is in use by process {process}", hint="one process at a time can have it open: wait, or stop that one"
    )


def _quiet() -> None:
    """The driver logs what it raises as well; without any handler that would land on stderr."""
    logging.getLogger("clickhouse_connect").addHandler(_DRIVER_LOG)
