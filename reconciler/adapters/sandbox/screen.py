"""What a policy is refused for before it runs, and what a query reads.

A policy may only be one SELECT. A commit is judged by its two states alone: on every host, today and when the history
is read again in a year. So a policy may not ask for the time, for chance or for the machine. DuckDB's own syntax tree
is looked through for that, for functions that would let a policy judge one commit in two ways, and for what may stand
in a FROM clause. They are from `duckdb_functions()` of DuckDB 2.0: those whose stability is VOLATILE or
CONSISTENT_WITHIN_QUERY, and the macros that call them; `error` is none of them.

What a query reads is in DuckDB's plan: the columns that its scans ask for, before anything is optimised away. It is
from `EXPLAIN (FORMAT json)` with one optimiser left on, the one that drops columns nobody uses, and is made on empty
tables in another database, so it does not depend on rows.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.sandbox.database import connect, lock
from reconciler.adapters.sandbox.protocol import Answer
from reconciler.tables.duckdb import DESIRED, LIVE, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.adapters.sandbox.database import Place, Reads
    from reconciler.adapters.sandbox.protocol import TablePair


ONE_SELECT = "a policy is one SELECT"
STATES = "judge by desired.… and main.… alone, so that every host judges a commit alike, and again in a year"
WRITERS = frozenset({"INSERT_QUERY_NODE", "UPDATE_QUERY_NODE", "DELETE_QUERY_NODE", "MERGE_QUERY_NODE"})


MATCHED_BY_PLACE = frozenset({"UNION", "EXCEPT", "INTERSECT"})
"""What joins two queries and gives the columns of the first."""
SPREADING = frozenset({"columns", "unnest"})
"""Calls that may give more columns than one."""


class ScreenedPolicy(Struct, frozen=True):
    """A policy's one statement, without the semicolons that may follow it.

    `columns` are those that it gives, where its text alone says so; None where that depends on the tables.
    """

    body: str
    columns: tuple[str, ...] | None


class _Token(Struct, frozen=True):
    """Where a token begins, in bytes of UTF-8, and whether it is a semicolon."""

    offset: int
    ends: bool


def screen_policy(connection: duckdb.DuckDBPyConnection, sql: str) -> ScreenedPolicy | Answer:
    """The query, or why it is not run. Raises `duckdb.Error` for what DuckDB cannot parse."""
    tokens = _tokens(sql)
    ((text,),) = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        tree = {"error": True, "error_message": "this is nested too deeply to be looked through"}
    if tree["error"] or len(tree["statements"]) != 1:
        return _no_select(connection, sql, tokens, tree)
    objection = next((found for node in _nodes(tree) if (found := _against(node, sql)) is not None), None)
    return objection or ScreenedPolicy(_body(sql, tokens), find_columns(tree["statements"][0]["node"]))


def _no_select(
    connection: duckdb.DuckDBPyConnection, sql: str, tokens: list[_Token], tree: Mapping[str, Any]
) -> Answer:
    """Why this is not one SELECT. DuckDB only says so after it has parsed it once more, which takes as long again."""
    statements = connection.extract_statements(sql)
    if not statements:
        return _refused(f"there is no statement in this file, and {ONE_SELECT}", sql, 0)
    if len(statements) > 1:
        return _refused(f"there are {len(statements)} statements in this file, and {ONE_SELECT}", sql, _second(tokens))
    kind = statements[0].type.name
    if kind != "SELECT":
        return _refused(f"this is a statement of type {kind}, and {ONE_SELECT}", sql, tokens[0].offset)
    return _refused(f"{tree['error_message']}: {ONE_SELECT}", sql, 0)


def find_columns(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The columns that a node of a syntax tree gives, where its text alone says so.

    Binding a query to learn its columns takes DuckDB as long as running it.
    """
    if node["type"] == "SET_OPERATION_NODE" and node["setop_type"] in MATCHED_BY_PLACE:
        return find_columns(node["children"][0] if node["children"] else node["left"])
    if node["type"] != "SELECT_NODE":
        return None
    columns = tuple(map(_name_of, node["select_list"]))
    different = {column.lower() for column in columns}
    return columns if "" not in columns and len(different) == len(columns) else None


def _name_of(item: Mapping[str, Any]) -> str:
    """The name of one column; empty where it has none, or may be several."""
    if any(node.get("class") == "STAR" or node.get("function_name") in SPREADING for node in _nodes(item)):
        return ""
    return str(item["alias"] or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else ""))


NO_CALLS_OF_QUERIES = frozenset({"sleep_ms", "pg_sleep", "query", "json_execute_serialized_sql"})
"""What keeps a core's place and does nothing, and what runs SQL that was put together as text, and so may do that."""


def find_refused_call(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The function that somebody's own query, one SELECT, calls and may not call; empty for none."""
    ((text,),) = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        tree = {"error": True}
    if tree["error"]:  # DuckDB makes no tree of DESCRIBE and its like: no name of these may stand in them at all
        return next((name for name in sorted(NO_CALLS_OF_QUERIES) if re.search(rf"\b{name}\b", sql, re.I)), "")
    names = (str(node.get("function_name", "")).lower() for node in _nodes(tree))
    return next((name for name in names if name in NO_CALLS_OF_QUERIES), "")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the syntax tree, in no particular order."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _against(node: dict[str, Any], sql: str) -> Answer | None:
    kind, place = node.get("type"), node.get("query_location", 0)
    if kind in WRITERS:
        return _refused("a policy only reads: it may not insert, update or delete", sql, 0)
    if kind == "TABLE_FUNCTION" and (name := str(node["function"]["function_name"]).lower()) not in TABLE_FUNCTIONS:
        return _refused(f"{name}(…) cannot be used in a policy", sql, place, STATES)
    if node.get("sample"):
        return _refused("a sample is another one each time", sql, place, STATES)
    name = _called(node)
    return _refused(f"{name} {REFUSED_FUNCTIONS[name]}", sql, place, STATES) if name in REFUSED_FUNCTIONS else None


def _called(node: dict[str, Any]) -> str:
    """The function that a node calls; some are called like columns."""
    if node.get("class") == "COLUMN_REF":
        name = str(node["column_names"][-1]).lower()
        return name if name in CALLED_BARE and len(node["column_names"]) == 1 else ""
    if node.get("class") != "FUNCTION":
        return ""
    name = str(node["function_name"]).lower()
    return TODAY if name == AGE and len(node["arguments"]) == 1 else name


def _tokens(sql: str) -> list[_Token]:
    """The tokens, comments left out."""
    data = sql.encode()
    return [
        _Token(offset, data[offset : offset + 1] == b";")
        for offset, kind in duckdb.tokenize(sql)
        if kind != duckdb.token_type.comment
    ]


def _body(sql: str, tokens: list[_Token]) -> str:
    end = None
    for token in reversed(tokens):
        if not token.ends:
            break
        end = token.offset
    return sql.encode()[:end].decode()


def _second(tokens: list[_Token]) -> int:
    """Where the second statement begins."""
    first_end = next((position for position, token in enumerate(tokens) if token.ends), 0)
    return next((token.offset for token in tokens[first_end:] if not token.ends), 0)


def _refused(message: str, sql: str, offset: int, hint: str = "") -> Answer:
    data = sql.encode()
    before = data[: offset if offset <= len(data) else 0].decode("utf-8", "ignore")
    return Answer(refused=message, line=before.count("\n") + 1, column=len(before) - before.rfind("\n"), hint=hint)


TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each", "json_tree"})
"""These look at nothing but their arguments. Others read files, settings, or SQL that was put together as text."""

CALLED_BARE = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
"""SQL calls these without parentheses, like columns."""

TODAY = "today"
AGE = "age"
"""With one argument it is the time from there to today."""

TIME = CALLED_BARE | {
    TODAY,
    "ago",
    "current_localtime",
    "current_localtimestamp",
    "get_current_time",
    "get_current_timestamp",
    "now",
    "pg_conf_load_time",
    "pg_postmaster_start_time",
    "transaction_timestamp",
}
CHANCE = frozenset({"gen_random_uuid", "random", "setseed", "uuid", "uuidv4", "uuidv7"})
MACHINE = frozenset(
    {
        "current_connection_id",
        "current_query",
        "current_query_id",
        "current_setting",
        "current_transaction_id",
        "currval",
        "getvariable",
        "json_serialize_plan",
        "nextval",
        "pg_sleep",
        "setval",
        "sleep_ms",
        "stats",
        "txid_current",
        "vector_type",
        "version",
        "write_log",
    }
)
REFUSED_FUNCTIONS = {
    **dict.fromkeys(TIME, "asks for the time"),
    **dict.fromkeys(CHANCE, "uses random numbers"),
    **dict.fromkeys(MACHINE, "asks for the machine"),
}
"""Why each of them is refused."""


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
