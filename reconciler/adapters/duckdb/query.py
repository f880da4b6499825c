"""Somebody's query on the live rows: run in a sandbox of its own, on copies of the tables that it names.

The store itself is out of its reach: while it runs nothing is read there, and whatever it does ends with its process.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

from reconciler.adapters.sandbox.faults import CANDIDATES, NO_MEMORY, PREFIX, find_place
from reconciler.adapters.sandbox.process import Process
from reconciler.adapters.sandbox.protocol import MEMORY, FillTable, QueryRequest
from reconciler.errors import UsageError
from reconciler.ledger.offered import TABLES_ONLY
from reconciler.model.rows import MAX_QUERY_BYTES, CutBy, QueryResult
from reconciler.policy import escape_line
from reconciler.tables.rows import export_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.sandbox.protocol import QueryAnswer
    from reconciler.kinds.kind import Kinds
    from reconciler.model.rows import QueryLimits

    Fills = Iterable[FillTable]

ONE_SELECT = "a query is one SELECT; everything else is done by commits"
NO_FILES = "a query sees the tables of main, desired and gitops, and no file"
SMALLER = "look for less at a time: LIMIT, WHERE, fewer columns"


def query_rows(
    open_reader: Callable[[], AbstractContextManager[DuckDBReader | None]],
    bundled: Kinds,
    sql: str,
    limits: QueryLimits,
) -> QueryResult:
    """What a query finds in the live rows. Before there are any, the tables of the bundled kinds are empty."""

    def copy_tables() -> Iterator[FillTable]:
        with open_reader() as reader:
            yield from _empty_tables(bundled) if reader is None else reader.copies(sql)

    return run_query(copy_tables, sql, limits)


def _empty_tables(kinds: Kinds) -> Iterator[FillTable]:
    for kind in kinds:
        columns = export_columns(kind)
        yield FillTable("main", kind.table, columns[: len(kind.columns) + 2], ())
        yield FillTable("desired", kind.table, columns, ())


def query_history(copies: Callable[[], Fills], sql: str, limits: QueryLimits) -> QueryResult:
    """The same in copies of the history's tables."""
    return run_query(copies, sql, limits, _hint_of_history)


def run_query(
    copies: Callable[[], Fills], sql: str, limits: QueryLimits, hint: Callable[[str, str], str] | None = None
) -> QueryResult:
    """What a query finds. `copies` reads the tables, once the process is there: they are not held open longer.

    `hint` makes one of an error's text and the query. Raises `UsageError` for what cannot be run, or takes too long or
    too much; `RetryLater` where there is no memory.
    """
    with closing(Process()) as process:
        for fill in copies():
            process.fill(fill)
        seen = process.look(QueryRequest(sql, limits.seconds, limits.rows, MAX_QUERY_BYTES))
    if seen is None:
        message = (
            f"the query used more memory than the {MEMORY} there is for it, or did not stop after {limits.seconds:g} s"
        )
        raise UsageError(message, hint=SMALLER)
    if "rows" not in seen:
        raise _error(seen, sql, limits, hint or _hint)
    columns = tuple((name, type_) for name, type_ in seen["columns"])
    return QueryResult(columns, tuple(map(tuple, seen["rows"])), CutBy(seen["cut"]) if seen["cut"] else None)


def _error(seen: QueryAnswer, sql: str, limits: QueryLimits, hint: Callable[[str, str], str]) -> UsageError:
    if seen.get("slow"):
        return UsageError(f"the query took more than {limits.seconds:g} s and was stopped", hint=SMALLER)
    if "refused" in seen:
        return UsageError(f"the query was not run: {seen['refused']}", hint=ONE_SELECT)
    text = seen["error"]
    if NO_MEMORY in text:
        return UsageError(
            f"the query used more memory than there is for it ({MEMORY}, its tables included)", hint=SMALLER
        )
    line, column = find_place(text, sql, 0)
    message = escape_line(PREFIX.sub("", text.partition("\n")[0])).rstrip(".!")
    return UsageError(f"the query cannot be run: line {line}, column {column}: {message}", hint=hint(text, sql))


HISTORY_TABLES = re.compile(r"Table with name (?:config_)?(?:versions|host_events|live_intervals) does not exist")
OF_HISTORY = "that is a table of the history: add --history (over HTTP, history=true)"
OF_FINAL = re.compile(r"""(at or near|Duplicate alias) "FINAL"|\(use: 'FINAL\\.""", re.IGNORECASE)
NO_TABLE = re.compile(r'Referenced table "(?:[^"]*\.)?(?P<name>\w+)" not found')
"""What DuckDB says of FINAL, which it takes for an alias: the table has no other name then."""
NO_FINAL = "leave out FINAL, which is ClickHouse's: each live row is there once"


MISSING_TABLE = re.compile(r"Table with name \S+ does not exist")
ONCE = "leave out FINAL, which is ClickHouse's: these tables have each row once"


def _hint_of_history(text: str, sql: str) -> str:
    if _is_of_final(text.partition("\nLINE ")[0], sql):
        return ONCE
    if MISSING_TABLE.search(text) or "disabled by configuration" in text:
        return TABLES_ONLY
    return _hint(text, sql)


def _hint(text: str, sql: str) -> str:
    if HISTORY_TABLES.search(text):
        return OF_HISTORY
    if _is_of_final(text.partition("\nLINE ")[0], sql):
        return NO_FINAL
    if "read-only mode" in text:
        return ONE_SELECT
    if "disabled by configuration" in text:
        return NO_FILES
    candidates = CANDIDATES.search(text)
    return f"did you mean {escape_line(candidates['names'])}?" if candidates else ""


def _is_of_final(says: str, sql: str) -> bool:
    """Whether FINAL is why a query failed; what follows a table's name is an alias to DuckDB."""
    if OF_FINAL.search(says):
        return True
    missing = NO_TABLE.search(says)
    return missing is not None and re.search(rf'\b{missing["name"]}"?\s+FINAL\b', sql, re.IGNORECASE) is not None
