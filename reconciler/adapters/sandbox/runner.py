"""One policy or measure, run on a connection of its own and inside a read-only transaction that is never committed."""

from __future__ import annotations

import time
from contextlib import closing
from math import isfinite
from typing import TYPE_CHECKING, TypeVar

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.sandbox.deadline import deadline
from reconciler.adapters.sandbox.plans import READ_ONLY, KeptPlans
from reconciler.adapters.sandbox.protocol import MAX_CELL, MAX_ROWS, READINGS, VIOLATIONS, Answer
from reconciler.adapters.sandbox.screen import ScreenedPolicy, screen_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.adapters.sandbox.database import Database, Reads
    from reconciler.adapters.sandbox.screen import Planner

    Rows = list[tuple[str | None, ...]]
    Asked = tuple[str, tuple[str, ...]]

T = TypeVar("T")

SEVERITIES = ("error", "warning")
EXAMPLES = {
    VIOLATIONS: "begin with SELECT 'what is wrong' AS message, 'the kind' AS kind, name, 'the field' AS field",
    READINGS: "begin with SELECT 'what is measured' AS label, sum(…) AS value, 'the unit' AS unit",
}
ABOVE = 1
"""Lines of ours that stand above the policy's in what is run."""
MAX_REMEMBERED = 1_000
"""Texts of which something is remembered."""
MAX_ROWS_REMEMBERED = 100
"""Rows of a verdict that is worth the memory."""
RUNS_BEFORE_LOOK = 2
"""How often a policy is run before it is looked up what it reads, which takes longer: no plan asks so often."""
NULL_MESSAGE = "NULL joined to a text with || makes it NULL: use concat(…), or coalesce(…, '-')"


class Prepared(Struct, frozen=True):
    """A policy as it is run: `text` gives the columns that count, `any` one row of them, `all` the rows in order."""

    text: str
    any: str
    all: str


class KnownVerdict(Struct, frozen=True):
    """A verdict, the moment of the tables that it was given on, and how many there were of this policy."""

    answer: Answer
    moment: int
    times: int


class PolicyRunner:
    """Runs policies on one database. What was found about a text is remembered, and so is its verdict.

    A policy that reads nothing which has changed since its last verdict is not run: it asks for nothing else, so it
    would say the same.
    """

    def __init__(self, database: Database, planner: Planner, flush: Callable[[], None] = lambda: None) -> None:
        """`flush` sends off the answers so far: the process may not survive the next query."""
        self._flush = flush
        self._database = database
        self._planner = planner
        self._plans = KeptPlans(database.plain)
        self._prepared: dict[Asked, Prepared | Answer] = {}
        self._first: dict[Asked, duckdb.Statement] = {}
        self._given: dict[Asked, KnownVerdict] = {}
        self._reads: dict[Asked, Reads | None] = {}

    def answer(self, sql: str, seconds: float, columns: tuple[str, ...] = VIOLATIONS) -> Answer:
        """The rows of a policy or measure, or why there are none. It may take so many seconds of CPU time."""
        asked = (sql, columns)
        before = self._given.get(asked)
        answer = self._again(asked, seconds) or self._run(asked, seconds)
        if "rows" in answer and len(answer["rows"]) <= MAX_ROWS_REMEMBERED:
            now, times = self._database.changes.now, before.times if before else 0
            _keep(self._given, asked, KnownVerdict(answer, now, times + 1))
        return answer

    def _again(self, asked: Asked, seconds: float) -> Answer | None:
        """The last verdict, if it still holds."""
        given, prepared = self._given.get(asked), self._prepared.get(asked)
        if given is None or not isinstance(prepared, Prepared) or self._database.changes.everything_since(given.moment):
            return None
        if asked not in self._reads and given.times < RUNS_BEFORE_LOOK:
            return None
        reads = self._reads[asked] if asked in self._reads else self._look(asked, prepared, seconds)
        if reads is None or self._database.changes.since(given.moment, reads):
            return None
        return given.answer

    def look_ahead(self, seconds: float) -> bool:
        """Look what one policy reads that will be asked again; False when all is known."""
        for asked, given in self._given.items():
            prepared = self._prepared.get(asked)
            if given.times >= RUNS_BEFORE_LOOK and asked not in self._reads and isinstance(prepared, Prepared):
                self._look(asked, prepared, seconds)
                return True
        return False

    def _look(self, asked: Asked, prepared: Prepared, seconds: float) -> Reads | None:
        self._flush()
        if not self._reads:
            self._planner.learn(self._database.statements, self._database.pairs)
        with deadline(self._planner.connection, seconds, time.process_time):
            return _keep(self._reads, asked, self._planner.reads(prepared.text))

    def _run(self, asked: Asked, seconds: float) -> Answer:
        self._flush()
        if asked in self._prepared:
            prepared = self._prepared[asked]
        else:
            prepared = self._timed(seconds, lambda cursor: _keep(self._prepared, asked, _prepared(cursor, *asked)))
        if not isinstance(prepared, Prepared):
            return prepared
        return self._measured(prepared, seconds) if asked[1] == READINGS else self._judged(asked, prepared, seconds)

    def _measured(self, prepared: Prepared, seconds: float) -> Answer:
        return self._timed(seconds, lambda cursor: _rows(cursor, prepared.all, _bad_reading))

    def _judged(self, asked: Asked, prepared: Prepared, seconds: float) -> Answer:
        found = self._plans.finds_any(prepared.any, seconds)
        if found is False:
            return Answer(rows=[], cut=False)
        return self._timed(seconds, lambda cursor: self._violations(cursor, asked, prepared, found=found))

    def _violations(
        self, cursor: duckdb.DuckDBPyConnection, asked: Asked, prepared: Prepared, *, found: bool | None
    ) -> Answer:
        """The rows, by plans for the tables as they are; `found` says that there are some, if that is known."""
        if found is None:
            if asked not in self._first:
                (statement,) = cursor.extract_statements(prepared.any)
                _keep(self._first, asked, statement)
            if _is_quiet(cursor, self._first[asked]):
                return Answer(rows=[], cut=False)
        return _rows(cursor, prepared.all, _bad_row)

    def _timed(self, seconds: float, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T | Answer:
        """What comes of work on a connection of its own, or why nothing does."""
        with closing(self._database.connection.cursor()) as cursor, deadline(cursor, seconds, time.process_time):
            try:
                return work(cursor)
            except duckdb.InterruptException:
                return Answer(slow=True)
            except duckdb.Error as error:
                return Answer(error=str(error), above=ABOVE)


def _keep(memory: dict[Asked, T], asked: Asked, value: T) -> T:
    """Remember a value, and not too many: a process may live for months."""
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[asked] = value
    return value


def _prepared(cursor: duckdb.DuckDBPyConnection, sql: str, wanted: tuple[str, ...]) -> Prepared | Answer:
    """The queries that give the rows of a policy or measure."""
    try:
        query = screen_policy(cursor, sql)
    except duckdb.ParserException as error:
        return Answer(error=str(error), above=0)
    if not isinstance(query, ScreenedPolicy):
        return query
    named = _by_name(query.columns or ())
    if wanted[0] not in named:
        cursor.execute(READ_ONLY)
        columns = [column[0] for column in cursor.execute(f"SELECT * {_found(query.body)} LIMIT 0").description]
        cursor.rollback()
        named = _by_name(columns)
        if wanted[0] not in named:
            return _refused(f"there is no column {wanted[0]} among {', '.join(columns)}", EXAMPLES[wanted])
    selection, order = _selection(query.body, named, wanted)
    return Prepared(selection, f"{selection} LIMIT 1", f"{selection} {order}")


def _by_name(columns: Sequence[str]) -> dict[str, str]:
    """Columns by their names in lower case; of two the first."""
    return {column.lower(): column for column in reversed(columns)}


def _is_quiet(cursor: duckdb.DuckDBPyConnection, first: duckdb.Statement) -> bool:
    """Whether there is no row. Why there would be an error is told by the whole query, as it always was."""
    cursor.execute(READ_ONLY)
    try:
        rows = cursor.execute(first).fetchall()
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        rows = None
    cursor.rollback()
    return rows == []


def _rows(
    cursor: duckdb.DuckDBPyConnection,
    selection: str,
    find_bad: Callable[[Rows], Answer | None],
) -> Answer:
    cursor.execute(READ_ONLY)
    rows = cursor.execute(selection).fetchall()
    return find_bad(rows) or Answer(rows=rows[:MAX_ROWS], cut=len(rows) > MAX_ROWS)


def _found(body: str) -> str:
    """The policy as a table. It begins on a line of its own: the columns of an error are those of its file."""
    return f"FROM (\n{body}\n) AS found"


def _selection(body: str, named: dict[str, str], wanted: tuple[str, ...]) -> tuple[str, str]:
    """The columns that count, as text; and what puts the worst first, in an order that is the same everywhere."""
    cells = [
        f"left(CAST(found.{_quoted(named[column])} AS VARCHAR), {MAX_CELL})" if column in named else "NULL"
        for column in wanted
    ]
    selection = f"SELECT {', '.join(cells)} {_found(body)}"
    if wanted == READINGS:
        return selection, f"ORDER BY 2, 3, 1 LIMIT {MAX_ROWS + 1}"
    severity = f"lower({cells[VIOLATIONS.index('severity')]})"
    rank = (
        f"CASE WHEN {cells[0]} IS NULL THEN 0 WHEN {severity} = 'warning' THEN 3 "
        f"WHEN {severity} <> 'error' THEN 1 ELSE 2 END"
    )
    return selection, f"ORDER BY {rank}, 2, 3, 4, 1 LIMIT {MAX_ROWS + 1}"


def _bad_row(rows: Rows) -> Answer | None:
    if not rows:
        return None
    message, _, _, _, severity, *_ = rows[0]  # the worst
    if message is None:
        return _refused("the message of a row is NULL", NULL_MESSAGE)
    if severity is not None and severity.lower() not in SEVERITIES:
        return _refused(f"the severity of a row is {severity}", f"write {' or '.join(SEVERITIES)}")
    return None


def _bad_reading(rows: Rows) -> Answer | None:
    for value, *_ in rows:
        if value is not None and not _is_number(value):
            return _refused(f"the value of a row is {value}", "the value of a measure is a number; its unit is unit")
    return None


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _refused(message: str, hint: str) -> Answer:
    return Answer(refused=message, line=1, column=1, hint=hint)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
