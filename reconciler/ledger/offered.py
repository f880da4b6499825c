"""The tables that other people's queries and exports see: those of one repository and branch, each row that counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reconciler.tables.clickhouse import (
    EVENTS_TABLE,
    INTERVALS_TABLE,
    OWN_TABLES,
    VERSIONS_TABLE,
    kind_of_table,
    quote,
    recorded_column,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Tables = Mapping[str, Mapping[str, str]]

VERSIONS = "versions"
"""What the table of versions is called here."""
TABLES_ONLY = "a query sees versions, host_events, live_intervals and the tables of the kinds, each by its name alone"
HIDDEN = ("generation",)
COUNTS = "mainline AND NOT orphaned AND status = 'VALID'"
ORDERS = {
    VERSIONS: ("height", "commit_sha"),
    EVENTS_TABLE: ("host", "store", "seq"),
    INTERVALS_TABLE: ("host", "live_from", "seq"),
}
OF_REPOSITORY = "repository = {repository:String}"
"""A host may have followed another branch: its intervals tell which."""
WRAPPED = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
ARRAY = re.compile(r"Array\((.*)\)")
DUCKDB_TYPES = {
    "String": "VARCHAR",
    "UUID": "UUID",
    "Float64": "DOUBLE",
    "Int64": "BIGINT",
    "Int16": "SMALLINT",
    "UInt8": "UTINYINT",
    "UInt32": "UINTEGER",
    "UInt64": "UBIGINT",
    "Bool": "BOOLEAN",
    "DateTime64(6, 'UTC')": "TIMESTAMP",
}


class OfferedTable(NamedTuple):
    """A table: what it is called, its columns as name and DuckDB type, and the query and order of its rows."""

    name: str
    columns: tuple[tuple[str, str], ...]
    query: str
    order: str


def list_tables(database: str, tables: Tables, versions: str) -> Iterator[OfferedTable]:
    """All that there is. `versions` is what gives the versions; the queries are bound as that is."""
    versions = _rows(versions, tables[VERSIONS_TABLE])
    if VERSIONS not in tables:
        yield OfferedTable(VERSIONS, _columns(tables[VERSIONS_TABLE]), versions, _ordered(ORDERS[VERSIONS]))
    if EVENTS_TABLE in tables:
        events = _rows(_table(database, EVENTS_TABLE), tables[EVENTS_TABLE])
        yield OfferedTable(EVENTS_TABLE, _columns(tables[EVENTS_TABLE]), events, _ordered(ORDERS[EVENTS_TABLE]))
    if INTERVALS_TABLE in tables:
        columns = tables[INTERVALS_TABLE]
        shown = tuple(
            (name, duckdb_type(type_)) for name, type_ in columns.items() if name not in (*HIDDEN, "repository")
        )
        names = ", ".join(quote(name) for name, _ in shown)
        intervals = f"SELECT {names} FROM {_table(database, INTERVALS_TABLE)} WHERE {OF_REPOSITORY}"  # noqa: S608  names only, quoted
        yield OfferedTable(INTERVALS_TABLE, shown, intervals, _ordered(ORDERS[INTERVALS_TABLE]))
    counting = f"SELECT commit_sha FROM ({versions}) WHERE {COUNTS}"  # noqa: S608  of our own making
    for table, columns in sorted(tables.items()):
        kind = kind_of_table(table, columns) if table not in OWN_TABLES else None
        if kind is not None:
            commit = recorded_column("commit_sha", columns)
            query = f"{_rows(_table(database, table), columns)} AND {commit} IN ({counting})"
            order = _ordered((recorded_column("height", columns), kind.key))
            yield OfferedTable(table, _columns(columns), query, order)


def _table(database: str, table: str) -> str:
    return f"{quote(database)}.{quote(table)} FINAL"


def _rows(source: str, columns: Mapping[str, str]) -> str:
    shown = ", ".join(quote(name) for name, _ in _columns(columns))
    repository, branch = (recorded_column(name, columns) for name in ("repository", "branch"))
    ours = f"{repository} = {{repository:String}} AND {branch} = {{branch:String}}"
    return f"SELECT {shown} FROM {source} WHERE {ours}"  # noqa: S608  names only, quoted


def _columns(columns: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    left_out = {*HIDDEN, *(recorded_column(name, columns) for name in ("repository", "branch"))}
    return tuple((name, duckdb_type(type_)) for name, type_ in columns.items() if name not in left_out)


def duckdb_type(type_: str) -> str:
    """DuckDB's type for one of ClickHouse's."""
    while wrapped := WRAPPED.fullmatch(type_):
        type_ = wrapped[1]
    if matched := ARRAY.fullmatch(type_):
        return f"{duckdb_type(matched[1])}[]"
    return DUCKDB_TYPES.get(type_, "VARCHAR")


def _ordered(columns: tuple[str, ...]) -> str:
    return "ORDER BY " + ", ".join(map(quote, columns))
