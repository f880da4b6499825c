"""What a policy is refused for before it runs: being more than one SELECT, and asking for more than the two states.

A commit is judged by its two states alone: on every host, today and when the history is read again in a year. So a
policy may not ask for the time, for chance or for the machine. DuckDB's own syntax tree is looked through for that.

DuckDB's functions that would let a policy judge one commit in two ways, and the few that may stand in a FROM clause.

From `duckdb_functions()` of DuckDB 2.0: those whose stability is VOLATILE or CONSISTENT_WITHIN_QUERY, and the macros
that call them; `error` is none of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from reconciler.adapters.sandbox.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_SELECT = "a policy is one SELECT"
STATES = "judge by desired.… and main.… alone, so that every host judges a commit alike, and again in a year"
WRITERS = frozenset({"INSERT_QUERY_NODE", "UPDATE_QUERY_NODE", "DELETE_QUERY_NODE", "MERGE_QUERY_NODE"})


@dataclass(frozen=True, slots=True)
class ScreenedPolicy:
    """A policy's text; `body` is its one statement without the semicolons that may follow it."""

    sql: str
    body: str


@dataclass(frozen=True, slots=True)
class _Token:
    """Where a token begins, in bytes of UTF-8, and whether it is a semicolon."""

    offset: int
    ends: bool


def screen_policy(connection: duckdb.DuckDBPyConnection, sql: str) -> ScreenedPolicy | Answer:
    """The query, or why it is not run. Raises `duckdb.Error` for what DuckDB cannot parse."""
    statements, tokens = connection.extract_statements(sql), _tokens(sql)
    if not statements:
        return _refused(f"there is no statement in this file, and {ONE_SELECT}", sql, 0)
    if len(statements) > 1:
        return _refused(f"there are {len(statements)} statements in this file, and {ONE_SELECT}", sql, _second(tokens))
    kind = statements[0].type.name
    if kind != "SELECT":
        return _refused(f"this is a statement of type {kind}, and {ONE_SELECT}", sql, tokens[0].offset)
    body = _body(sql, tokens)
    return _objection(connection, sql, body) or ScreenedPolicy(sql, body)


def _objection(connection: duckdb.DuckDBPyConnection, sql: str, body: str) -> Answer | None:
    ((text,),) = connection.execute("SELECT json_serialize_sql(?)", [body]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        return _refused("this is nested too deeply to be looked through", sql, 0)
    if tree["error"]:
        return _refused(f"{tree['error_message']}: {ONE_SELECT}", sql, 0)
    return next((found for node in _nodes(tree) if (found := _against(node, sql)) is not None), None)


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
    **dict.fromkeys(CHANCE, "asks for chance"),
    **dict.fromkeys(MACHINE, "asks for the machine"),
}
"""What speaks against each of them."""
