"""The ledger in a file of DuckDB's: a history without a server, where no ClickHouse engine exists.

A row is written over the one with its key, so that each is there once. One process has the file at a time; within it,
whoever opens it shares it.
"""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import _duckdb as duckdb

from reconciler.adapters.duckdb.connection import (
    CONFIG,
    examine_file,
    explain_file_error,
    fetch_first,
    first_line,
)
from reconciler.adapters.duckdb.dialect import (
    DRIFT_OF_KIND,
    MACRO_STATEMENTS,
    to_records,
    translate,
)
from reconciler.adapters.duckdb.query import query_history
from reconciler.adapters.machine import explain_os_error
from reconciler.adapters.sandbox.protocol import FillTable
from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.ledger.connection import DUCKDB_FILE, ProbeAnswer
from reconciler.ledger.ledger import SqlLedger
from reconciler.ledger.offered import VERSIONS, duckdb_type
from reconciler.tables.clickhouse import VERSIONS_TABLE
from reconciler.tables.duckdb import qualify, quote, quote_list, spell_in_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.ledger.connection import RecordedBranch
    from reconciler.ledger.offered import OfferedTable
    from reconciler.model.rows import QueryLimits, QueryResult
    from reconciler.ports import Clock
    from reconciler.tables.clickhouse import ColumnChange, Table

OWN_SCHEMA = "gitops"
TABLES = "main"
AT_ONCE = 5_000
"""Rows read at a time."""
COLUMNS = f"{OWN_SCHEMA}.columns"
"""What the columns of the ledger's tables are there for: their types in ClickHouse, whose are finer."""
SET_UP = f"""
CREATE SCHEMA IF NOT EXISTS {OWN_SCHEMA};
CREATE TABLE IF NOT EXISTS {COLUMNS} (table_name VARCHAR, column_name VARCHAR, type VARCHAR);
"""
CATALOG = f"""
SELECT table_name, column_name, type, (
  SELECT coalesce(any_value(comment), '') FROM duckdb_tables()
  WHERE database_name = current_database() AND schema_name = '{TABLES}' AND table_name = '{VERSIONS_TABLE}'
) FROM {COLUMNS} ORDER BY rowid
"""
REBUILD = (
    "stop every reconciler, move it and its .wal aside, keep them and sync: git has every version; only those files "
    "have the host events and live intervals of more than a week ago, and those of other branches"
)
"""What to do about a file of no use."""
INCOMING = quote("incoming rows")
_WRITING = threading.Lock()
"""Two that write at once could both find a row missing."""


def open_ledger(folder: Path, recorded: RecordedBranch, clock: Clock) -> DuckDBLedger:
    """Open the ledger of one repository and branch in a state folder.

    Raises `RetryLater` while another process has it open, `NeedsHuman` when it cannot be read or is damaged.
    """
    return DuckDBLedger.opened(HistoryFile(folder / DUCKDB_FILE), recorded, clock)


def probe(folder: Path) -> ProbeAnswer:
    """What the engine of a state folder's history says of itself. Raises as `open_ledger` does."""
    with closing(HistoryFile(folder / DUCKDB_FILE)) as opened:
        ((version,),) = opened.ask("SELECT version()")
        return ProbeAnswer(opened.place, f"DuckDB {version.removeprefix('v')}", datetime.now(UTC))


class DuckDBLedger(SqlLedger):
    """The same, with queries that somebody else wrote: on copies, in the sandbox."""

    _connection: HistoryFile

    def query(self, sql: str, limits: QueryLimits) -> QueryResult:
        """What a query finds in tables of this repository and branch."""
        tables = list(self.offered())
        if VERSIONS_TABLE in sql.lower():
            tables += (table._replace(name=VERSIONS_TABLE) for table in tables if table.name == VERSIONS)
        return query_history(partial(self._copy, tables, sql.lower()), sql, limits)

    def _copy(self, tables: Iterable[OfferedTable], text: str) -> Iterator[FillTable]:
        """All tables, and the rows of those that a query names: there is no other way to them."""
        for table in tables:
            yield FillTable(TABLES, table.name, table.columns, ())
            if spell_in_query(table.name) in text:
                for block in self._blocks(table):
                    yield FillTable(TABLES, table.name, (), block)


class HistoryFile:
    """The open file. Implements the ledger's `Connection`."""

    database = TABLES
    drift_of_kind = DRIFT_OF_KIND

    def __init__(self, file: Path) -> None:
        self.place, self._file = f"the history in {file}", file
        self._connection = self._open(file)

    def _open(self, file: Path) -> duckdb.DuckDBPyConnection:
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._explained():
                connection = duckdb.connect(str(file), config=CONFIG)
                connection.execute(MACRO_STATEMENTS)
            file.chmod(0o600)
        except OSError as error:
            raise explain_os_error(f"{self.place} cannot be made", error) from error
        return connection

    def close(self) -> None:
        """Give the file free."""
        self._connection.close()

    def ask(self, query: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """The rows of a SELECT."""
        result = self._execute(self._connection, query, parameters)
        with self._explained():
            return result.fetchall()

    def ask_named(self, query: str, **parameters: object) -> Sequence[Mapping[str, Any]]:
        """The rows of a SELECT by column."""
        result = self._execute(self._connection, query, parameters)
        names = [column[0] for column in result.description]
        with self._explained():
            return [dict(zip(names, record, strict=True)) for record in result.fetchall()]

    def blocks(self, query: str, **parameters: object) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows of a SELECT a block at a time, while other things are asked."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(MACRO_STATEMENTS)
            result = self._execute(cursor, query, parameters)
            while block := self._fetch(result):
                yield block

    def catalog(self) -> Iterable[tuple[str, str, str, str]]:
        """Table, column and type of each column there is, and the comment on the table of versions."""
        with self._explained():
            has_columns = "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = 'columns'"
            if fetch_first(self._connection, has_columns, OWN_SCHEMA) is None:
                return []
            records: list[tuple[str, str, str, str]] = self._connection.execute(CATALOG).fetchall()
            return records

    def make_database(self) -> None:
        """Create what remembers the types."""
        with self._explained():
            self._connection.execute(SET_UP)

    def create(self, table: Table) -> None:
        """Create a table if it is missing."""
        columns = ", ".join(f"{quote(name)} {duckdb_type(type_)}" for name, type_ in table.columns.items())
        name = qualify(TABLES, table.name)
        with self._writing():
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
            if table.comment:
                self._comment(table)
            self._forget(table.name)
            with self._connection.appender(COLUMNS) as appender:
                appender.append_rows([(table.name, *column) for column in table.columns.items()])

    def comment(self, table: Table) -> None:
        """Give a table that exists its comment."""
        with self._writing():
            self._comment(table)

    def alter(self, table: str, change: ColumnChange) -> None:
        """Add a column to a table, or give it a wider type."""
        column, type_ = quote(change.column), duckdb_type(change.type)
        if change.is_new:
            what = f"ADD COLUMN IF NOT EXISTS {column} {type_}{_default(change.type)}"
        else:
            what = f"ALTER COLUMN {column} SET DATA TYPE {type_}"
        with self._writing():
            self._connection.execute(f"ALTER TABLE {qualify(TABLES, table)} {what}")
            if change.is_new:
                self._connection.execute(f"INSERT INTO {COLUMNS} VALUES (?, ?, ?)", [table, change.column, change.type])
            else:
                self._connection.execute(
                    f"UPDATE {COLUMNS} SET type = ? WHERE table_name = ? AND column_name = ?",
                    [change.type, table, change.column],
                )

    def drop(self, table: str) -> None:
        """Remove a table."""
        with self._writing():
            self._connection.execute(f"DROP TABLE {qualify(TABLES, table)}")
            self._forget(table)

    def insert(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows, each over the one that it replaces."""
        name, columns = qualify(TABLES, table.name), quote_list(table.columns)
        with self._writing():
            self._connection.execute(f"CREATE TEMP TABLE {INCOMING} AS SELECT {columns} FROM {name} LIMIT 0")
            with self._connection.appender('temp.main."incoming rows"') as appender:
                appender.append_rows(to_records(rows))
            self._merge(table)

    def copy_rows(self, table: Table, column: str, old: str, new: str) -> None:
        """Insert the rows with one value in a column once more with another one."""
        name, columns, where = qualify(TABLES, table.name), quote_list(table.columns), quote(column)
        with self._writing():
            self._connection.execute(
                f"CREATE TEMP TABLE {INCOMING} AS SELECT {columns} FROM {name} WHERE {where} = ?", [old]
            )
            self._connection.execute(f"UPDATE {INCOMING} SET {where} = ?", [new])
            self._merge(table)

    def _merge(self, table: Table) -> None:
        """Put the incoming rows into a table."""
        name, key = qualify(TABLES, table.name), quote_list(table.key)
        same = " AND ".join(f"{name}.{quote(part)} = {INCOMING}.{quote(part)}" for part in table.key)
        version = quote(table.version) if table.version else ""
        newer = f" AND {INCOMING}.{version} >= {name}.{version}" if version else ""
        order = f"{version} DESC, rowid DESC" if version else "rowid DESC"
        self._connection.execute(
            f"MERGE INTO {name} "
            f"USING (SELECT DISTINCT ON ({key}) * FROM {INCOMING} ORDER BY {order}) AS {INCOMING} ON {same} "
            f"WHEN MATCHED{newer} THEN UPDATE BY NAME WHEN NOT MATCHED THEN INSERT BY NAME"
        )
        self._connection.execute(f"DROP TABLE {INCOMING}")

    def _comment(self, table: Table) -> None:
        self._connection.execute(f"COMMENT ON TABLE {qualify(TABLES, table.name)} IS '{table.comment}'")

    def _forget(self, table: str) -> None:
        self._connection.execute(f"DELETE FROM {COLUMNS} WHERE table_name = ?", [table])

    def _execute(
        self, connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object]
    ) -> duckdb.DuckDBPyConnection:
        statement, bound = translate(query, {"database": self.database, **parameters})
        with self._explained():
            return connection.execute(statement, bound)

    def _fetch(self, result: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        with self._explained():
            return result.fetchmany(AT_ONCE)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """All that is done inside happens, or nothing."""
        with _WRITING, self._explained():
            self._connection.begin()
            try:
                yield
                self._connection.commit()
            except BaseException:
                _roll_back(self._connection)
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise explain_error(self._file, error) from error


EMPTY = {
    "VARCHAR": "''",
    "BOOLEAN": "false",
    "TIMESTAMP": "TIMESTAMP '1970-01-01'",
    "UUID": f"'{UUID(int=0)}'",
    "VARCHAR[]": "[]",
}


def _default(type_: str) -> str:
    """What the rows before have in a column that is added, as ClickHouse has it: NULL only where the type says so."""
    return "" if type_.startswith("Nullable(") else f" DEFAULT {EMPTY.get(duckdb_type(type_), '0')}"


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except (duckdb.TransactionException, duckdb.FatalException):
        """The error that is on its way has ended the transaction already."""


def explain_error(file: Path, error: duckdb.Error) -> ReconcilerError:
    """What a failure of the file's means."""
    found = examine_file(file, f"the history in {file}", REBUILD)
    return explain_file_error(found, error, f"{found.name} cannot be used, nothing was changed") or NeedsHuman(
        f"{found.name} failed: {first_line(error)}", hint="see to what it says"
    )
