"""The database inside the process: in memory, fenced in, and with the rows of the latest request only."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import duckdb

from reconciler.adapters.duckdb.sandbox.messages import MEMORY, Answer, Load

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "memory_limit": MEMORY,
    "temp_directory": "",
    "max_temp_directory_size": "0KB",
    "threads": "1",  # sums of doubles come out the same everywhere, and one core is left to others
}


SAMPLE = ("00000000-0000-4000-8000-000000000000", "{}", 0.5, 1, True, datetime(2026, 1, 1, tzinfo=UTC), None)


class Database:
    """Its tables are made once, and emptied for the next rows: tests of policies ask by the dozen."""

    def __init__(self) -> None:
        _warm_up()
        self.connection = _connect()
        self._is_made = False
        self._filled: tuple[str, ...] = ()

    def load(self, request: Load) -> Answer:
        """Hold these rows, and none of those before."""
        try:
            self._make(request.statements)
            self._fill(request)
        except duckdb.Error as error:
            return Answer(error=str(error))
        return Answer()

    def _make(self, statements: tuple[str, ...]) -> None:
        cleared = tuple(f"TRUNCATE {table}" for table in self._filled)
        for statement in cleared if self._is_made else statements:
            self.connection.execute(statement)
        self._is_made, self._filled = True, ()

    def _fill(self, request: Load) -> None:
        self._filled = tuple(request.rows)
        for table, rows in request.rows.items():
            with self.connection.appender(table) as appender:
                appender.append_rows(rows)


def _warm_up() -> None:
    """Have DuckDB import what it converts values with: later, no file can be opened any more."""
    with closing(_connect()) as connection:
        connection.execute(
            "CREATE TABLE sample (u UUID, j JSON, d DOUBLE, i INTEGER, b BOOLEAN, t TIMESTAMP, v VARCHAR)"
        )
        with connection.appender("sample") as appender:
            appender.append_rows([SAMPLE])
        connection.execute("SELECT i, v, json_serialize_sql('SELECT 1') FROM sample").fetchall()


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config=CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection
