"""The database inside the process: in memory, fenced in, with the rows of two states, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.sandbox.protocol import MEMORY, Answer, ChangedRows
from reconciler.tables.duckdb import DESIRED, LIVE, qualify, quote, quote_list

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reconciler.adapters.sandbox.protocol import Advance, Load, Records, TablePair

    Place = tuple[str, str]
    Reads = Mapping[Place, Collection[str]]

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


MAX_LISTED_IDS = 100
"""Ids up to which it is quicker to write them into a condition than to join them."""

FEW_ROWS = 3
"""Rows up to which it is quicker to insert them one by one than through an appender."""


class Database:
    """Its tables are made once, and emptied for the next rows: tests of policies ask by the dozen.

    `changes` tells what is not as it was; `plain` is a connection without an optimiser. Who gets an error for an answer
    must not go on with this process.
    """

    def __init__(self) -> None:
        self.connection = connect()
        self.plain = self.connection.cursor()
        self.plain.execute("PRAGMA disable_optimizer")
        lock(self.connection)
        self.changes = Changes()
        self.statements: tuple[str, ...] = ()
        self.pairs: Mapping[str, TablePair] = {}
        self._filled: set[str] = set()
        self._statements: dict[str, duckdb.Statement] = {}
        self._done: dict[str, _Done] | None = {}

    def load(self, request: Load) -> Answer:
        """Hold these rows, and none of those before."""
        try:
            self._make(request.statements)
            self.pairs, self._done = request.pairs, {} if request.live is None else None
            for name, rows in request.desired.items():
                self._append(DESIRED, self.pairs[name], rows)
            if request.live is None:
                self._settle_all()
            for name, rows in (request.live or {}).items():
                self._append(LIVE, self.pairs[name], rows)
        except duckdb.Error as error:
            return Answer(error=str(error))
        self.changes.everything()
        return Answer()

    def advance(self, request: Advance) -> Answer:
        """Hold the next two states: the live rows are those of one of the two that are held."""
        try:
            if not request.settled:
                self._take_back()
            elif self._done is None:
                self._settle_all()
                self.changes.everything()
            else:
                self._settle()
            self._done = {name: self._put(name, touched) for name, touched in request.touched.items()}
        except duckdb.Error as error:
            return Answer(error=str(error))
        return Answer()

    def _make(self, statements: tuple[str, ...]) -> None:
        cleared = tuple(f"TRUNCATE {table}" for table in sorted(self._filled))
        for statement in cleared if self.statements else statements:
            self.connection.execute(statement)
        self.statements = statements
        self._filled.clear()

    def _append(self, schema: str, pair: TablePair, rows: Records) -> None:
        if not rows:
            return
        table = qualify(schema, pair.table)
        self._filled.add(table)
        if len(rows) <= FEW_ROWS:
            insert = self._parsed(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})")
            for row in rows:
                self.plain.execute(insert, row)
            return
        with self.connection.appender(table) as appender:
            appender.append_rows(rows)

    def _settle_all(self) -> None:
        """The live tables have what the desired ones have."""
        for pair in self.pairs.values():
            desired, live = qualify(DESIRED, pair.table), qualify(LIVE, pair.table)
            if desired in self._filled or live in self._filled:
                self.connection.execute(f"TRUNCATE {live}")
                self.connection.execute(
                    f"INSERT INTO {live} SELECT {quote_list(pair.columns[: pair.width])} FROM {desired}"
                )
                self._filled.add(live)

    def _settle(self) -> None:
        """What the last step changed is live now."""
        for name, done in (self._done or {}).items():
            pair = self.pairs[name]
            self._delete(LIVE, pair, done.after.ids)
            self._append(LIVE, pair, [row[: pair.width] for row in done.after.rows])
            self.changes.note(LIVE, pair.table, done.columns & {PRESENCE, *pair.columns[: pair.width]})

    def _take_back(self) -> None:
        """What the last step changed is as it was."""
        for name, done in (self._done or {}).items():
            pair = self.pairs[name]
            self._delete(DESIRED, pair, done.before.ids)
            self._append(DESIRED, pair, done.before.rows)
            self.changes.note(DESIRED, pair.table, done.columns)

    def _put(self, name: str, touched: ChangedRows) -> _Done:
        """Change rows of a desired table."""
        pair = self.pairs[name]
        source = f"SELECT {quote_list(pair.columns)} FROM {qualify(DESIRED, pair.table)}"
        before = self._execute_among(source, pair, touched.ids).fetchall()
        self._delete(DESIRED, pair, touched.ids)
        self._append(DESIRED, pair, touched.rows)
        columns = differing(pair.columns, pair.columns.index(pair.key), before, touched.rows)
        self.changes.note(DESIRED, pair.table, columns)
        return _Done(ChangedRows(touched.ids, before), touched, columns)

    def _delete(self, schema: str, pair: TablePair, ids: tuple[str, ...]) -> None:
        self._execute_among(f"DELETE FROM {qualify(schema, pair.table)}", pair, ids)

    def _execute_among(self, text: str, pair: TablePair, ids: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """Execute something for the rows with some ids."""
        where, values = _among(pair, ids)
        if len(ids) <= FEW_ROWS:
            return self.plain.execute(self._parsed(f"{text} {where}"), values)
        return self.connection.execute(f"{text} {where}", values)

    def _parsed(self, text: str) -> duckdb.Statement:
        """A statement about few rows: parsing and optimising it would take longer than executing it."""
        if text not in self._statements:
            (self._statements[text],) = self.plain.extract_statements(text)
        return self._statements[text]


class _Done(Struct, frozen=True):
    """What the last step did to a table: its rows before and after, and the columns in which they differ."""

    before: ChangedRows
    after: ChangedRows
    columns: frozenset[str]


def connect() -> duckdb.DuckDBPyConnection:
    """A database with all fences."""
    connection = duckdb.connect(":memory:", config=CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Let no setting be changed any more."""
    connection.execute("SET lock_configuration = true")


def _among(pair: TablePair, ids: tuple[str, ...]) -> tuple[str, list[Any]]:
    """The condition that a row has one of some ids, and its parameters."""
    key = quote(pair.key)
    if len(ids) > MAX_LISTED_IDS:
        return f"WHERE {key} IN (SELECT unnest(CAST(? AS UUID[])))", [list(ids)]
    return f"WHERE {key} IN ({', '.join('?' * len(ids))})", list(ids)


PRESENCE = ""
"""Stands for which rows there are, among the columns of a table."""


class Changes:
    """A moment for each column of each table: when it last changed."""

    def __init__(self) -> None:
        self.now = 0
        self._loaded = 0
        self._moments: dict[tuple[Place, str], int] = {}

    def everything(self) -> None:
        """Other rows everywhere."""
        self.now += 1
        self._loaded = self.now
        self._moments.clear()

    def note(self, schema: str, table: str, columns: Iterable[str]) -> None:
        """Some columns of a table are not what they were."""
        self.now += 1
        self._moments.update((((schema, table), column), self.now) for column in columns)

    def everything_since(self, moment: int) -> bool:
        """Whether all rows are others since then."""
        return self._loaded > moment

    def since(self, moment: int, reads: Reads) -> bool:
        """Whether anything that is read has changed since then."""
        read = ((place, column) for place, columns in reads.items() for column in (PRESENCE, *columns))
        return any(self._moments.get(one, 0) > moment for one in read)


def differing(
    columns: Sequence[str], key: int, before: Iterable[Sequence[Any]], after: Iterable[Sequence[Any]]
) -> frozenset[str]:
    """The columns in which rows differ, matched by their key; all of them, and `PRESENCE`, when rows came or went.

    A value that is only written in another way may pass for another one.
    """
    was = {row[key]: row for row in map(_comparable, before)}
    now = {row[key]: row for row in map(_comparable, after)}
    if was.keys() != now.keys():
        return frozenset({PRESENCE, *columns})
    pairs = [(was[row], now[row]) for row in now]
    return frozenset(
        column for position, column in enumerate(columns) if any(old[position] != new[position] for old, new in pairs)
    )


def _comparable(row: Sequence[Any]) -> list[str]:
    return list(map(_text, row))


def _text(value: Any) -> str:
    """As text: to Python, 0.0 is -0.0. The database gives UUIDs for texts, and moments (UTC) without their zone."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return repr(str(value) if isinstance(value, UUID) else value)
