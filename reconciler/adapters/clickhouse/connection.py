"""A connection to either engine, embedded or a server: where it is, what it is asked, and what its failures mean."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error, ProgrammingError

from reconciler import canonical
from reconciler.adapters.clickhouse.errors import SERVER_LOG, WAITING, first_line, translate_errors
from reconciler.adapters.clickhouse.server import (
    CONSISTENT_READS,
    COPY_SETTINGS,
    check_certificates,
    definition_settings,
    insert_settings,
    parse_url,
)
from reconciler.adapters.machine import explain_os_error, find_cause, find_refusal
from reconciler.backoff import Backoff
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.ledger.connection import CHDB_FOLDER, ProbeAnswer
from reconciler.tables.clickhouse import (
    DEFAULT_DATABASE,
    ONE_SERVER,
    OWN_TABLES,
    alter_table,
    comment_table,
    create_database,
    create_table,
    drop_table,
    quote,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.query import QueryResult

    from reconciler.adapters.clickhouse.server import Address, Server
    from reconciler.tables.clickhouse import ColumnChange, Placement, Table

ROW_FORMAT = "JSONCompactEachRow"
_DRIVER_LOG = logging.NullHandler()


INSERT_ATTEMPTS = 8
OTHER_INSERT = 286
"""UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE: of one that is under way, or waits for a replica that is down"""
NOT_THERE = frozenset({60, 81})
"""UNKNOWN_TABLE, UNKNOWN_DATABASE"""
SHARDS = "SELECT uniqExact(shard_num) FROM system.clusters WHERE cluster = {cluster:String}"
ANY_VERSION = "SELECT 1 FROM {database:Identifier}.config_versions LIMIT 1"
ON_ONE_SERVER = """
SELECT name FROM system.tables
WHERE database = {database:String} AND name IN {tables:Array(String)} AND startsWith(engine, 'Replacing')
ORDER BY name LIMIT 1
"""

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


class Terms(NamedTuple):
    """How tables are kept, for how many seconds nothing may be heard, and what is called when there is no answer."""

    placement: Placement
    silence: int
    on_absence: Callable[[], None]


EMBEDDED_TERMS = Terms(ONE_SERVER, 0, lambda: None)


class Connection:
    """A client and what it is called in messages. `database` is the one everything happens in."""

    drift_of_kind = """
      arrayFilter(row -> JSONExtractString(row, 'kind') = {kind:String} AND ({every:Bool}
        OR JSONType(row, 'id') = 'Null' OR JSONExtractString(row, 'id') IN {ids:Array(String)}),
        JSONExtractArrayRaw(detail, 'rows'))"""

    def __init__(
        self, client: Client, place: str, database: str, remedy: str = SERVER_LOG, terms: Terms = EMBEDDED_TERMS
    ) -> None:
        self._client = client
        self.place, self.remedy = place, remedy
        self.database = database
        self._placement = terms.placement
        self._insert_settings = insert_settings(terms.placement, terms.silence)
        self._definition_settings = definition_settings(terms.placement, terms.silence)
        self._on_absence = terms.on_absence

    def close(self) -> None:
        """Give the engine's folder or the server's connections free."""
        self._client.close()

    def ask(self, query: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a SELECT; `{name:Type}` in it is bound to the parameter of that name, or the database's."""
        with self._translated():
            rows: Sequence[Sequence[Any]] = self._query(query, parameters).result_rows
            return rows

    def ask_named(self, query: str, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """The rows of a SELECT by column."""
        with self._translated():
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
            self._translated(),
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
        """Only when it is missing: a login that may not create databases can still be given one.

        Raises `NeedsHuman` for a cluster that does not exist or spreads rows over shards.
        """
        if self._placement.cluster:
            self._check_cluster(self._placement.cluster)
        if not self.ask(DATABASES)[0][0]:
            self._define(create_database(self.database, self._placement))

    def create(self, table: Table) -> None:
        """Create a table if it is missing."""
        self._define(create_table(self.database, table, self._placement))

    def comment(self, table: Table) -> None:
        """Give a table that exists its comment."""
        self._define(comment_table(self.database, table, self._placement))

    def alter(self, table: str, change: ColumnChange) -> None:
        """Add a column to a table, or give it a wider type."""
        self._define(alter_table(self.database, table, change, self._placement))

    def drop(self, table: str) -> None:
        """Remove a table."""
        self._define(drop_table(self.database, table, self._placement))

    def insert(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows in `ROW_FORMAT`. Raw, as the driver's own conversion imports pandas first (0.25 s).

        Replicas take one insert into a table at a time: while another host's is under way, this waits a little.
        """
        body, pauses = lines(rows), Backoff(first=0.05, longest=1.0)
        with self._translated():
            for attempt in range(INSERT_ATTEMPTS):
                try:
                    self._client.raw_insert(
                        self._name(table.name), list(table.columns), body, self._insert_settings, ROW_FORMAT
                    )
                except Error as error:
                    if error.code != OTHER_INSERT or attempt == INSERT_ATTEMPTS - 1:
                        raise
                    time.sleep(pauses.next())
                else:
                    return

    def check_replica(self) -> None:
        """Raise `RetryLater` where a replica lacks versions that others have, `NeedsHuman` where it is no replica."""
        for (table,) in self.ask(ON_ONE_SERVER, tables=sorted(OWN_TABLES)):
            raise NeedsHuman(
                f"{self.place} has {self.database}.{table} for itself: it was made without engine=Replicated",
                hint="leave engine out of history.url, or name another database: its history begins anew from git",
            )
        with self._translated():
            try:
                self._query(ANY_VERSION, {})
            except Error as error:
                if error.code not in NOT_THERE:
                    raise

    def _check_cluster(self, cluster: str) -> None:
        ((shards,),) = self.ask(SHARDS, cluster=cluster)
        if not shards:
            raise NeedsHuman(
                f"{self.place} knows no cluster {cluster}",
                hint="`SELECT cluster FROM system.clusters` lists those that there are",
            )
        if shards > 1:
            raise NeedsHuman(
                f"the cluster {cluster} has {shards} shards, and a history is not spread over shards",
                hint="name a cluster of one shard, whose replicas are all the hosts",
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with translate_errors(self.place, self.remedy):
                yield
        except RetryLater:
            self._on_absence()
            raise

    def copy_rows(self, table: Table, column: str, old: str, new: str) -> None:
        """Insert the rows with one value in a column once more with another one, in the order of the key."""
        names, key = (", ".join(map(quote, some)) for some in (table.columns, table.key))
        shown = ", ".join("{new:String}" if name == column else quote(name) for name in table.columns)
        found = f"FROM {self._name(table.name)} FINAL WHERE {quote(column)} = {{old:String}} ORDER BY {key}"
        statement = f"INSERT INTO {self._name(table.name)} ({names}) SELECT {shown} {found}"
        with self._translated():
            settings = self._insert_settings | COPY_SETTINGS
            self._client.command(statement, parameters={"old": old, "new": new}, settings=settings)

    def _name(self, table: str) -> str:
        return f"{quote(self.database)}.{quote(table)}"

    def _define(self, statement: str) -> None:
        """Run a statement about tables. Where a host of the cluster is down, it carries it out when it is back."""
        with self._translated():
            try:
                self._client.command(statement, settings=self._definition_settings)
            except Error as error:
                if error.code not in WAITING or not self._definition_settings:
                    raise
                raise RetryLater(
                    f"{self.place} waits for other hosts to change their tables: {first_line(error)}",
                    hint="every host of the cluster has to run when tables are made or changed; what is left then "
                    "goes on by itself",
                ) from error

    def _query(self, query: str, parameters: dict[str, object]) -> QueryResult:
        return self._client.query(query, parameters={"database": self.database, **parameters})


_FIRST: dict[tuple[Address, ...], int] = {}
"""Which of several addresses is asked first: the one that answered last, or the one after it that failed since."""


def connect_server(server: Server, timeouts: Timeouts) -> Connection:
    """Connect to the first address that answers.

    Raises `RetryLater` or `NeedsHuman` where none does, `UsageError` for a file that is no certificate.
    """
    if server.certificates:
        check_certificates(server.certificates)
    addresses = server.addresses
    failures: list[ReconcilerError] = []
    first = _FIRST.get(addresses, 0)
    for place in (*range(first, len(addresses)), *range(first)):
        try:
            connection = _connect(server, place, timeouts)
        except ReconcilerError as error:
            failures.append(error)
        else:
            _FIRST[addresses] = place
            return connection
    raise _no_address(failures)


def _no_address(failures: Sequence[ReconcilerError]) -> ReconcilerError:
    """What to say of all of them: a human is needed where one says so; with the others it may be a matter of time."""
    if len(failures) == 1:
        return failures[0]
    worst = next((error for error in failures if isinstance(error, NeedsHuman)), failures[-1])
    return type(worst)("; ".join(map(str, failures)), hint=worst.hint)


def _connect(server: Server, place: int, timeouts: Timeouts) -> Connection:
    _quiet()
    address, addresses = server.addresses[place], server.addresses
    certificates, placement = server.certificates, server.placement
    told = f"the ClickHouse server at {address}"
    with translate_errors(told):
        client = clickhouse_connect.get_client(
            interface="http" if certificates is None else "https",
            host=address.host,
            port=address.port,
            username=server.login,
            password=server.password,
            ca_cert=(certificates and certificates.authority) or None,
            client_cert=(certificates and certificates.own) or None,
            client_cert_key=(certificates and certificates.own_key) or None,
            tls_mode="strict" if server.password else None,  # with one, the certificate does not log in by itself
            settings=CONSISTENT_READS if placement.replicated else None,
            connect_timeout=timeouts.connect,
            send_receive_timeout=timeouts.read,
            tz_mode="aware",
            autogenerate_session_id=False,  # a session would stay locked by a query that hangs
            show_clickhouse_errors="scrub",
            dedicated_pool=True,
        )

    def turn_away() -> None:
        _FIRST[addresses] = (place + 1) % len(addresses)

    connection = Connection(client, told, server.database, terms=Terms(placement, timeouts.read, turn_away))
    if placement.replicated:
        try:
            connection.check_replica()
        except ReconcilerError:
            connection.close()
            raise
    return connection


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
        raise NeedsHuman(f"{what}, it is damaged: {first_line(error)}", hint=_rebuild(folder)) from error
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
