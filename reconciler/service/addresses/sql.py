"""Queries, and whole tables as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.report.queries import QueryResult, Tables
from reconciler.service.endpoint import (
    FLAG,
    FORMAT,
    JSON,
    NO_QUERY,
    OF_HISTORY,
    QUERY,
    ROW_LIMIT,
    SQL,
    Endpoint,
    Field,
    Runs,
    check_rows,
    text,
    whole_number,
)
from reconciler.service.limits import MAX_ROWS
from reconciler.service.sql import Sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = dict[str, Any]

FILES: Mapping[str, Json] = {"text/csv": text(), "application/vnd.apache.parquet": text(), JSON: {}}
ENDPOINTS: Final = (
    Endpoint(
        "GET",
        "/v1/sql",
        Sql.query,
        "Run one SELECT",
        SQL,
        QueryResult,
        params=(QUERY, OF_HISTORY, ROW_LIMIT),
        runs=Runs.QUERY,
        tagged=True,
        slow=True,
    ),
    Endpoint(
        "POST",
        "/v1/sql",
        Sql.query,
        "Run one SELECT",
        SQL,
        QueryResult,
        body=(
            Field("query", str, text(minLength=1), required=True, missing=NO_QUERY),
            Field("history", bool, FLAG),
            Field("limit", int, whole_number(MAX_ROWS), check=check_rows),
        ),
        runs=Runs.QUERY,
        slow=True,
    ),
    Endpoint(
        "GET",
        "/v1/export",
        Sql.tables,
        "The tables that can be exported",
        SQL,
        Tables,
        params=(OF_HISTORY,),
        runs=Runs.QUERY,
        tagged=True,
        slow=True,
    ),
    Endpoint(
        "GET",
        "/v1/export/{table}",
        Sql.export,
        "A whole table as a file",
        SQL,
        params=(FORMAT, OF_HISTORY),
        media=FILES,
        runs=Runs.EXPORT,
        slow=True,
    ),
)
