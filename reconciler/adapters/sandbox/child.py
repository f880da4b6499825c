"""The process that policies and queries run in: `python -m reconciler.adapters.sandbox.child`.

Requests come pickled on stdin, from the process that started this one; answers go out as JSON, a line each. It ends
when stdin does, and by itself when a policy does not stop. What the system is asked to keep it from holds should
DuckDB's own fences fail; Windows has none of it. Somebody's own query is given copies of the tables, so nothing it
does can reach a row.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import time
from contextlib import closing
from math import ceil
from typing import TYPE_CHECKING, Any

import _duckdb as duckdb

from reconciler.adapters.sandbox.database import Database
from reconciler.adapters.sandbox.deadline import deadline
from reconciler.adapters.sandbox.plans import READ_ONLY
from reconciler.adapters.sandbox.protocol import (
    POLICY_SECONDS,
    Advance,
    Answer,
    Batch,
    FillTable,
    Load,
    PolicyRequest,
    QueryAnswer,
    QueryRequest,
)
from reconciler.adapters.sandbox.runner import PolicyRunner
from reconciler.adapters.sandbox.screen import Planner, find_refused_call
from reconciler.tables.duckdb import qualify, quote
from reconciler.tables.rows import take_fitting, to_json_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    Request = Load | Advance | PolicyRequest | Batch | FillTable | QueryRequest


MAX_BYTES = 2 * 1024**3
"""What the process may allocate in all: four times what DuckDB keeps to, for what it does not count."""

if sys.platform == "win32":

    def limit_memory() -> None:
        """Nothing: DuckDB's own limit and the deadline have to do."""

    def limit_cpu(seconds: float | None) -> None:
        """Nothing: the deadline has to do."""

    def close_doors() -> None:
        """Nothing: DuckDB's own fences have to do."""

    def _is_asked() -> bool:
        """Always, as far as can be told."""
        return True

else:
    import resource
    import select

    def limit_memory() -> None:
        """No more memory than `MAX_QUERY_BYTES`, and no core file of what did not get it."""
        _lower(resource.RLIMIT_DATA, MAX_BYTES)
        _lower(resource.RLIMIT_CORE, 0)

    def limit_cpu(seconds: float | None) -> None:
        """Have the system end this process after so many more seconds of CPU time, rounded up; None: never."""
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        end = hard if seconds is None else ceil(time.process_time() + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (end if hard == resource.RLIM_INFINITY else min(end, hard), hard))

    def close_doors() -> None:
        """No file can be opened from now on, no connection be made, and no byte be written to a file."""
        lowest = os.dup(0)
        os.close(lowest)
        _lower(resource.RLIMIT_NOFILE, lowest)
        _lower(resource.RLIMIT_FSIZE, 0)

    def _is_asked() -> bool:
        """Whether there is a request, or will be none any more."""
        return bool(select.select([sys.stdin], [], [], 0)[0])

    def _lower(what: int, to: int) -> None:
        _, hard = resource.getrlimit(what)
        most = to if hard == resource.RLIM_INFINITY else min(to, hard)
        resource.setrlimit(what, (most, most))


CPU_FACTOR = 6.0
"""How much longer than a policy may take, as a factor, until the system ends a process that should have ended itself.

It may take its time to be looked through, once for what it is and once for what it reads, to be asked for a row, and to
run; and half as long to stop each time.
"""
BLOCK_ROWS = 1_000
WITH_ZONE = "TIME ZONE"
"""In the names of types that DuckDB converts by a module that is not there; in UTC the plain ones say the same."""
WARM_UP_QUERY = (
    "SELECT 1::DECIMAL(9, 2), DATE '2026-01-01', TIME '01:02', TIMESTAMP '2026-01-01', INTERVAL 1 DAY, 'a'::BLOB, "
    "uuid(), [1], {'a': 1}, MAP {'a': 1}, 1::HUGEINT, CAST('{}' AS JSON), 1e0, true, now()::TIMESTAMP"
)


def warm_up(connection: duckdb.DuckDBPyConnection) -> None:
    """Have all be imported that values are converted with: later, no file can be opened any more."""
    with closing(connection.cursor()) as cursor:
        for row in cursor.execute(WARM_UP_QUERY).fetchall():
            to_json_cell(row)


def fill_table(connection: duckdb.DuckDBPyConnection, request: FillTable) -> Answer:
    """Make a table, or add rows to it."""
    try:
        table = qualify(request.schema, request.table)
        if request.columns:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(request.schema)}")
            columns = ", ".join(f"{quote(name)} {type_}" for name, type_ in request.columns)
            connection.execute(f"CREATE TABLE {table} ({columns})")
        if request.rows:
            with connection.appender(table) as appender:
                appender.append_rows(request.rows)
    except duckdb.Error as error:
        return Answer(error=str(error))
    return Answer()


def run_query(connection: duckdb.DuckDBPyConnection, request: QueryRequest) -> QueryAnswer:
    """What the query finds, or why it finds nothing."""
    with closing(connection.cursor()) as cursor, deadline(cursor, request.seconds, time.monotonic):
        try:
            statements = cursor.extract_statements(request.sql)
            if len(statements) != 1 or statements[0].type.name != "SELECT":
                return QueryAnswer(refused=_refusal([statement.type.name for statement in statements]))
            idle = find_refused_call(cursor, statements[0].query)
            if idle:
                return QueryAnswer(refused=f"it calls {idle}")
            cursor.execute(READ_ONLY)
            return _found(_asked(cursor, statements[0]), request)
        except duckdb.InterruptException:
            return QueryAnswer(slow=True)
        except duckdb.Error as error:
            return QueryAnswer(error=str(error))


def _refusal(types: list[str]) -> str:
    if not types:
        return "there is no statement"
    if len(types) > 1:
        return f"there are {len(types)} statements"
    return f"this is a statement of type {types[0]}"


def _asked(cursor: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> duckdb.DuckDBPyConnection:
    """The cursor with the result, its types such as can be converted."""
    result = cursor.execute(statement)
    types = [str(column[1]) for column in result.description]
    if not any(WITH_ZONE in type_ for type_ in types):
        return result
    names = [column[0] for column in result.description]
    places = [f"c{number}" for number in range(len(types))]
    picked = (
        f"{_plain(place, type_)} AS {quote(name)}" for place, type_, name in zip(places, types, names, strict=True)
    )
    body = statement.query.rstrip().rstrip(";")
    return cursor.execute(f"SELECT {', '.join(picked)} FROM (\n{body}\n) AS found({', '.join(places)})")


def _plain(place: str, type_: str) -> str:
    if WITH_ZONE not in type_:
        return place
    return f"{place}::TIMESTAMP" if type_ == f"TIMESTAMP WITH {WITH_ZONE}" else f"{place}::VARCHAR"


def _found(result: duckdb.DuckDBPyConnection, request: QueryRequest) -> QueryAnswer:
    columns = [(str(column[0]), str(column[1])) for column in result.description]
    rows, cut = take_fitting(_rows(result), request.most_rows, request.most_bytes)
    return QueryAnswer(columns=columns, rows=rows, cut=cut)


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while block := result.fetchmany(BLOCK_ROWS):
        for row in block:
            yield tuple(map(to_json_cell, row))


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not look like an answer
    database, planner = Database(), Planner()
    judge = PolicyRunner(database, planner, answers.flush)
    planner.warm_up()
    warm_up(database.connection)
    close_doors()
    for request in _requests(judge):
        for answer in _answers(database, judge, request):
            answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _answers(database: Database, judge: PolicyRunner, request: Request) -> Iterator[Answer | QueryAnswer]:
    if isinstance(request, Batch):
        end = time.process_time() + request.seconds
        for ask in request.asks:
            began = time.process_time()
            limit_cpu(ask.seconds * CPU_FACTOR)
            answer = judge.answer(ask.sql, ask.seconds, ask.columns) if began < end else Answer(late=True)
            limit_cpu(None)
            yield Answer(**answer, seconds=time.process_time() - began)
    elif isinstance(request, PolicyRequest):
        yield judge.answer(request.sql, request.seconds, request.columns)
    elif isinstance(request, QueryRequest):
        yield run_query(database.connection, request)
    elif isinstance(request, FillTable):
        yield fill_table(database.connection, request)
    else:
        yield database.load(request) if isinstance(request, Load) else database.advance(request)


def _requests(judge: PolicyRunner) -> Iterator[Request]:
    while True:
        while not _is_asked() and _looked_ahead(judge):
            pass
        try:
            yield pickle.load(sys.stdin.buffer)  # noqa: S301  our own process is at the other end
        except EOFError:
            return


def _looked_ahead(judge: PolicyRunner) -> bool:
    limit_cpu(POLICY_SECONDS * CPU_FACTOR)
    looked = judge.look_ahead(POLICY_SECONDS)
    limit_cpu(None)
    return looked


if __name__ == "__main__":
    main()
