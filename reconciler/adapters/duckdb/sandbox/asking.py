"""One policy, run on a connection of its own and inside a read-only transaction that is never committed."""

from __future__ import annotations

import os
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import duckdb

from reconciler.adapters.duckdb.sandbox.messages import COLUMNS, LAST_WORD, LONGEST_CELL, MOST_ROWS, Answer
from reconciler.adapters.duckdb.sandbox.screening import Query, screened

if TYPE_CHECKING:
    from collections.abc import Iterator

    Rows = list[tuple[str | None, ...]]

SEVERITIES = ("error", "warning")
EXAMPLE = "begin with SELECT 'what is wrong' AS message, 'the kind' AS kind, name, 'the field' AS field"
READ_ONLY = "BEGIN TRANSACTION READ ONLY"
ABOVE = 1
"""Lines of ours that stand above the policy's in what is run."""
NULL_MESSAGE = "NULL joined to a text with || makes it NULL: use concat(…), or coalesce(…, '-')"


class Judge:
    """Runs policies on one database. What was found about a text is remembered: tests run each rule several times."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._selections: dict[str, str | Answer] = {}

    def answer(self, sql: str, seconds: float) -> Answer:
        """The rows of a policy, or why there are none."""
        with closing(self._connection.cursor()) as cursor, _deadline(cursor, seconds):
            try:
                selection = self._selections.get(sql) or self._remembered(sql, _prepared(cursor, sql))
                return selection if isinstance(selection, dict) else _rows(cursor, selection)
            except duckdb.InterruptException:
                return Answer(slow=True)
            except duckdb.Error as error:
                return Answer(error=str(error), above=ABOVE)

    def _remembered(self, sql: str, selection: str | Answer) -> str | Answer:
        self._selections[sql] = selection
        return selection


def _prepared(cursor: duckdb.DuckDBPyConnection, sql: str) -> str | Answer:
    """The query that gives the rows of a policy."""
    try:
        query = screened(cursor, sql)
    except duckdb.ParserException as error:
        return Answer(error=str(error), above=0)
    if not isinstance(query, Query):
        return query
    cursor.execute(READ_ONLY)
    columns = [column[0] for column in cursor.execute(f"SELECT * {_found(query.body)} LIMIT 0").description]
    cursor.rollback()
    named = {column.lower(): column for column in reversed(columns)}
    if COLUMNS[0] not in named:
        return _refused(f"there is no column message among {', '.join(columns)}", EXAMPLE)
    return _selection(query.body, named)


def _rows(cursor: duckdb.DuckDBPyConnection, selection: str) -> Answer:
    cursor.execute(READ_ONLY)
    rows = cursor.execute(selection).fetchall()
    return _bad_row(rows) or Answer(rows=rows[:MOST_ROWS], cut=len(rows) > MOST_ROWS)


def _found(body: str) -> str:
    """The policy as a table. It begins on a line of its own: the columns of an error are those of its file."""
    return f"FROM (\n{body}\n) AS found"


def _selection(body: str, named: dict[str, str]) -> str:
    """The columns that count, as text: the worst first, and in an order that is the same everywhere."""
    cells = [
        f"left(CAST(found.{_quoted(named[column])} AS VARCHAR), {LONGEST_CELL})" if column in named else "NULL"
        for column in COLUMNS
    ]
    severity = f"lower({cells[-1]})"
    rank = (
        f"CASE WHEN {cells[0]} IS NULL THEN 0 WHEN {severity} = 'warning' THEN 3 "
        f"WHEN {severity} <> 'error' THEN 1 ELSE 2 END"
    )
    return f"SELECT {', '.join(cells)} {_found(body)} ORDER BY {rank}, 2, 3, 4, 1 LIMIT {MOST_ROWS + 1}"


def _bad_row(rows: Rows) -> Answer | None:
    if not rows:
        return None
    message, *_, severity = rows[0]  # the worst
    if message is None:
        return _refused("the message of a row is NULL", NULL_MESSAGE)
    if severity is not None and severity.lower() not in SEVERITIES:
        return _refused(f"the severity of a row is {severity}", f"write {' or '.join(SEVERITIES)}")
    return None


def _refused(message: str, hint: str) -> Answer:
    return Answer(refused=message, line=1, column=1, hint=hint)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _deadline(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupts what takes too long; if that does not help, ends the process."""
    done = threading.Event()

    def watch() -> None:
        if not done.wait(seconds):
            cursor.interrupt()
            if not done.wait(seconds * (LAST_WORD - 1)):
                os._exit(1)

    thread = threading.Thread(target=watch, name="policy-deadline", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
