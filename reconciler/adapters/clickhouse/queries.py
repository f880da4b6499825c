"""Somebody's query on the history: one SELECT, on the rows of one repository and branch, each once."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from clickhouse_connect.driver.exceptions import Error

from reconciler.adapters.clickhouse import screening
from reconciler.adapters.clickhouse.failures import IN_THE_WAY, meaning
from reconciler.adapters.clickhouse.offering import VERSIONS, Offered, offered
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.rows import MOST_BYTES, Queried, Sheet
from reconciler.policy import plain
from reconciler.tables.clickhouse import VERSIONS_TABLE, quoted
from reconciler.tables.rows import cell, fitting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.adapters.clickhouse.catalog import Catalog
    from reconciler.adapters.clickhouse.connection import Connection
    from reconciler.model.rows import Limits

MEMORY = 1024**3
LATE, LARGE = frozenset({159, 160}), frozenset({241, 396, 307})
"""TIMEOUT_EXCEEDED, TOO_SLOW; MEMORY_LIMIT_EXCEEDED, TOO_MANY_ROWS_OR_BYTES, TOO_MANY_BYTES"""
SMALLER = "look for less at a time: LIMIT, WHERE, fewer columns"
ONE_STATEMENT = "SELECT formatQuerySingleLine({sql:String})"
FUNCTIONS = "SELECT name, alias_to, {categories}, toString(origin), is_aggregate FROM system.functions"
HAS_CATEGORIES = (
    "SELECT count() FROM system.columns WHERE database = 'system' AND table = 'functions' AND name = 'categories'"
)
TABLE_FUNCTIONS = "SELECT name FROM system.table_functions"
DATABASES = "SELECT name FROM system.databases"

SAYS = re.compile(
    r"(?:Received ClickHouse exception, code: \d+, server response: )?"
    r"(?:Code: \d+\. )?(?:DB::Exception: )*(?P<says>.*)",
    re.DOTALL,
)
AFTER = re.compile(r"(?:: |\. )?(?:In scope .*|While .*|Expected one of.*|\(version .*|\([A-Z_]+\)\s*)$", re.DOTALL)
"""What ClickHouse adds to what it says: the query, as it is run, and the error's name."""


class OwnQueries:
    """The part of a ledger that runs what somebody else wrote."""

    _connection: Connection
    _catalog: Catalog
    _ours: Mapping[str, str]

    def query(self, sql: str, limits: Limits) -> Queried:
        """What a query finds in `versions`, `host_events` and the tables of the kinds.

        Raises `UsageError` for what cannot be run, or takes too long or too much.
        """
        if not self._catalog.columns(VERSIONS_TABLE):
            raise UsageError("the history is empty", hint="`reconciler sync` records every commit of the branch")
        try:
            statement = self._screened(sql)
            return self._found(statement, limits)
        except Error as error:
            raise _understood(error, self._connection.place, limits) from error

    def _screened(self, sql: str) -> str:
        """The query as ClickHouse itself writes it: one statement, without comments."""
        ((statement,),) = self._connection.run(ONE_STATEMENT, {"readonly": 1}, sql=sql).rows
        screening.check(self._connection.explain(str(statement)), self._engine())
        return str(statement)

    def _engine(self) -> screening.Engine:
        run = self._connection.run
        ((has_categories,),) = run(HAS_CATEGORIES, {}).rows
        functions = FUNCTIONS.format(categories="categories" if has_categories else "''")
        table_functions = [str(name) for (name,) in run(TABLE_FUNCTIONS, {}).rows]
        databases = [str(name) for (name,) in run(DATABASES, {}).rows]
        return screening.engine(run(functions, {}).rows, table_functions, databases)

    def _found(self, statement: str, limits: Limits) -> Queried:
        text = statement.lower()
        tables = {one.name: one.query for one in self._offered() if one.name.lower() in text}
        if VERSIONS in tables:
            tables[VERSIONS_TABLE] = tables[VERSIONS]
        settings = {
            "max_execution_time": math.ceil(limits.seconds),
            "max_memory_usage": MEMORY,
            "max_result_bytes": 4 * MOST_BYTES,
            "result_overflow_mode": "throw",
            "readonly": 1,  # the last: after it no setting can be changed
        }
        named = ",\n".join(f"{quoted(name)} AS ({query})" for name, query in tables.items())
        whole = f"{f'WITH {named}' if named else ''}\nSELECT * FROM (\n{statement}\n) LIMIT {limits.rows + 1}"
        found = self._connection.run(whole, settings, database=True, **self._ours)
        rows = (tuple(map(cell, row)) for row in found.rows)
        kept, cut = fitting(rows, limits.rows, MOST_BYTES)
        return Queried(found.columns, tuple(kept), cut)

    def sheets(self) -> dict[str, Sheet]:
        """All tables for files, by name; their rows are to be read while the ledger is open."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return {}
        return {one.name: Sheet(one.name, one.columns, self._blocks(one)) for one in self._offered()}

    def _blocks(self, table: Offered) -> Iterator[list[tuple[Any, ...]]]:
        for block in self._connection.blocks(f"{table.query} {table.order}", **self._ours):
            yield [tuple(str(value) if isinstance(value, UUID) else value for value in row) for row in block]

    def _offered(self) -> Iterator[Offered]:
        return offered(self._connection.database, self._catalog.tables())


def _understood(error: Error, place: str, limits: Limits) -> ReconcilerError:
    if error.code in LATE:
        return UsageError(f"the query took more than {limits.seconds:g} s and was stopped", hint=SMALLER)
    if error.code in LARGE:
        return UsageError("the query used more memory than there is for it, or found too much", hint=SMALLER)
    if error.code is None or error.code in IN_THE_WAY:
        return meaning(place, error)
    found = SAYS.match(str(error))
    says = AFTER.sub("", found["says"] if found else str(error))
    return UsageError(f"the query cannot be run: {plain(says)[:500].rstrip(' .!')}", hint=_hint(says))


def _hint(says: str) -> str:
    if "readonly mode" in says:
        return screening.ONE_SELECT
    if "Unknown table" in says:
        return screening.TABLES_ONLY
    return ""
