"""What a query reads, as DuckDB's own plan says: the columns that its scans ask for, before anything is optimised away.

From `EXPLAIN (FORMAT json)` of DuckDB 2.0 with one optimiser left on, the one that drops columns nobody uses. The plan
is made on empty tables in another database, so it does not depend on rows.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from reconciler.adapters.sandbox.database import connect, lock
from reconciler.adapters.sandbox.screen import TABLE_FUNCTIONS
from reconciler.tables.duckdb import DESIRED, LIVE, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.adapters.sandbox.database import Place, Reads
    from reconciler.adapters.sandbox.protocol import TablePair

DROPS_COLUMNS = "unused_columns"
SCAN = "SEQ_SCAN"
CONSTANT = frozenset({"CTE_SCAN", "REC_CTE_SCAN", "DELIM_SCAN", "DUMMY_SCAN", "COLUMN_DATA_SCAN", "EMPTY_RESULT"})
"""What a plan may begin with besides tables: values that stand in the query, and what another part of it has read."""
HARMLESS = CONSTANT | {name.upper() for name in TABLE_FUNCTIONS}
POSITION = "rowid"
"""Where a row stands in its table: no plan shows that it is read, and it changes with any other row."""


SAMPLE = ("00000000-0000-4000-8000-000000000000", "{}", 0.5, 1, True, datetime(2026, 1, 1, tzinfo=UTC), None)


class Planner:
    """Plans queries, on tables that it is told of. `connection` is there to be interrupted."""

    def __init__(self) -> None:
        self.connection = connect()
        names = self.connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()
        others = ",".join(name for (name,) in names if name != DROPS_COLUMNS)
        self.connection.execute(f"SET disabled_optimizers = '{others}'")
        lock(self.connection)
        self._statements: tuple[str, ...] = ()
        self._tables: dict[str, tuple[Place, frozenset[str]]] = {}

    def warm_up(self) -> None:
        """Have DuckDB import what it converts values with: later, no file can be opened any more."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(
                "CREATE TEMP TABLE sample (u UUID, j JSON, d DOUBLE, i INTEGER, b BOOLEAN, t TIMESTAMP, v VARCHAR)"
            )
            with cursor.appender("sample") as appender:
                appender.append_rows([SAMPLE])
            cursor.execute("SELECT *, json_serialize_sql('SELECT 1') FROM sample").fetchall()
            cursor.execute("EXPLAIN (FORMAT json) FROM sample").fetchall()

    def learn(self, statements: tuple[str, ...], pairs: Mapping[str, TablePair]) -> None:
        """Have the tables that these statements make; they are the same ones each time."""
        for statement in () if self._statements else statements:
            self.connection.execute(statement)
        self._statements = statements
        self._tables = {
            f"memory.{schema}.{name}": ((schema, pair.table), frozenset(pair.columns))
            for pair in pairs.values()
            for schema in (DESIRED, LIVE)
            for name in (pair.table, quote(pair.table))
        }

    def reads(self, query: str) -> Reads | None:
        """The columns that a query reads, by table; None when there is no telling."""
        if POSITION in query.lower():
            return None
        try:
            ((_, text),) = self.connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()
        except duckdb.Error:
            return None
        columns_by_table: dict[Place, set[str]] = {}
        for node in _leaves(json.loads(text)):
            name, about = node["name"].strip(), node.get("extra_info", {})
            if name in HARMLESS:
                continue
            known = self._tables.get(about.get("Table", "")) if name == SCAN else None
            columns = _listed(about.get("Projections", ""))
            if known is None or not columns <= known[1]:
                return None
            columns_by_table.setdefault(known[0], set()).update(columns)
        return columns_by_table


def _leaves(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        waiting.extend(node["children"])
        if not node["children"]:
            yield node


def _listed(columns: str | list[str]) -> set[str]:
    """One column is told as such, more of them as a list."""
    return set(columns) if isinstance(columns, list) else {columns} - {""}
