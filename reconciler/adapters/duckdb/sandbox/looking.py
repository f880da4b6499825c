"""Somebody's own query, inside the process: it is given copies of the tables, so nothing it does can reach a row."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb

from reconciler.adapters.duckdb.sandbox.asking import READ_ONLY, deadline
from reconciler.adapters.duckdb.sandbox.messages import Answer, Seen
from reconciler.tables.duckdb import qualified, quoted
from reconciler.tables.rows import cell, fitting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.duckdb.sandbox.messages import Fill, Look

BLOCK = 1_000
WITH_ZONE = "TIME ZONE"
"""In the names of types that DuckDB converts by a module that is not there; in UTC the plain ones say the same."""
WARMING = (
    "SELECT 1::DECIMAL(9, 2), DATE '2026-01-01', TIME '01:02', TIMESTAMP '2026-01-01', INTERVAL 1 DAY, 'a'::BLOB, "
    "uuid(), [1], {'a': 1}, MAP {'a': 1}, 1::HUGEINT, CAST('{}' AS JSON), 1e0, true, now()::TIMESTAMP"
)


def warm_up(connection: duckdb.DuckDBPyConnection) -> None:
    """Have all be imported that values are converted with: later, no file can be opened any more."""
    with closing(connection.cursor()) as cursor:
        for row in cursor.execute(WARMING).fetchall():
            cell(row)


def fill(connection: duckdb.DuckDBPyConnection, request: Fill) -> Answer:
    """Make a table, or add rows to it."""
    try:
        table = qualified(request.schema, request.table)
        if request.columns:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(request.schema)}")
            columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in request.columns)
            connection.execute(f"CREATE TABLE {table} ({columns})")
        if request.rows:
            with connection.appender(table) as appender:
                appender.append_rows(request.rows)
    except duckdb.Error as error:
        return Answer(error=str(error))
    return Answer()


def look(connection: duckdb.DuckDBPyConnection, request: Look) -> Seen:
    """What the query finds, or why it finds nothing."""
    with closing(connection.cursor()) as cursor, deadline(cursor, request.seconds):
        try:
            statements = cursor.extract_statements(request.sql)
            if len(statements) != 1 or statements[0].type.name != "SELECT":
                return Seen(refused=_refusal([one.type.name for one in statements]))
            cursor.execute(READ_ONLY)
            return _found(_asked(cursor, statements[0]), request)
        except duckdb.InterruptException:
            return Seen(slow=True)
        except duckdb.Error as error:
            return Seen(error=str(error))


def _refusal(types: list[str]) -> str:
    if not types:
        return "there is no statement"
    if len(types) > 1:
        return f"there are {len(types)} statements"
    return f"this is a statement of type {types[0]}"


def _asked(cursor: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> duckdb.DuckDBPyConnection:
    """The cursor with the result, its types such as can be converted."""
    found = cursor.execute(statement)
    types = [str(column[1]) for column in found.description]
    if not any(WITH_ZONE in type_ for type_ in types):
        return found
    names = [column[0] for column in found.description]
    places = [f"c{number}" for number in range(len(types))]
    picked = (
        f"{_plain(place, type_)} AS {quoted(name)}" for place, type_, name in zip(places, types, names, strict=True)
    )
    body = statement.query.rstrip().rstrip(";")
    return cursor.execute(f"SELECT {', '.join(picked)} FROM (\n{body}\n) AS found({', '.join(places)})")


def _plain(place: str, type_: str) -> str:
    if WITH_ZONE not in type_:
        return place
    return f"{place}::TIMESTAMP" if type_ == f"TIMESTAMP WITH {WITH_ZONE}" else f"{place}::VARCHAR"


def _found(result: duckdb.DuckDBPyConnection, request: Look) -> Seen:
    columns = [(str(column[0]), str(column[1])) for column in result.description]
    rows, cut = fitting(_rows(result), request.most_rows, request.most_bytes)
    return Seen(columns=columns, rows=rows, cut=cut)


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while block := result.fetchmany(BLOCK):
        for row in block:
            yield tuple(map(cell, row))
