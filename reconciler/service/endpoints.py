"""The only list of addresses: routes, the OpenAPI document and the commands' HTTP client are made from it.

The dashboard's pages are not in it; they are for people. `Services` answers the same calls in this process.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

from reconciler import answers, reviews
from reconciler.report.halts import Halts
from reconciler.report.history import Blame
from reconciler.report.kinds import Kinds as KindList
from reconciler.report.queries import QueryResult, Tables
from reconciler.report.rows import Uses
from reconciler.report.sessions import Ended
from reconciler.report.sessions import Sessions as SessionList
from reconciler.report.why import WhyCommit, WhyResource
from reconciler.service.endpoint import (
    AT,
    BASE,
    CURSOR,
    FILTER_PARAMETERS,
    FLAG,
    FORMAT,
    HEAD,
    JSON,
    LABELS,
    LAST_EVENT_ID,
    LAST_EVENT_ID_HEADER,
    LIMIT,
    METADATA,
    NO_QUERY,
    OF_BRANCH,
    OF_FIELD,
    OF_HISTORY,
    OF_HOST,
    ONLY_KIND,
    ONLY_NAME,
    OWNER,
    PAGE_LIMIT,
    QUERY,
    ROW_FILTERS,
    ROW_LIMIT,
    SESSION_LIMIT,
    SORT,
    Endpoint,
    Field,
    Role,
    Runs,
    check_rows,
    text,
    whole_number,
)
from reconciler.service.halts import HaltList
from reconciler.service.history import History
from reconciler.service.host import Host
from reconciler.service.kinds import Kinds
from reconciler.service.operations import OPERATIONS
from reconciler.service.rows import Plans, Rows
from reconciler.service.sessions import Sessions
from reconciler.service.sql import MAX_ROWS, Sql
from reconciler.service.why import Why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Json = dict[str, Any]


LIVE, PAST, NOW, SESSIONS, SQL, PROBES = (
    "Live rows",
    "The past",
    "This host",
    "Sessions",
    "Queries",
    "Probes",
)
FILES: Mapping[str, Json] = {"text/csv": text(), "application/vnd.apache.parquet": text(), JSON: {}}


def _read(path: str, call: Callable[..., Any], answer: Any, tag: str, summary: str, **more: Any) -> Endpoint:
    """A read that carries a tag and can be waited for."""
    return Endpoint("GET", path, call, summary, tag, answer, tagged=True, waits=True, **more)


def _session(method: str, path: str, call: Callable[..., Any], answer: Any, summary: str, **more: Any) -> Endpoint:
    defaults: Json = {"role": Role.OPERATE if method == "POST" else Role.READ, "runs": Runs.SESSIONS}
    return Endpoint(method, path, call, summary, SESSIONS, answer, **defaults | more)


class Delivery(answers.Answer, frozen=True):
    """What became of a webhook."""

    result: Literal["accepted", "pong", "ignored"]


UNKNOWN_FILTER, UNKNOWN_PARAMETER = "filter", "parameter"

ENDPOINTS: Final = (
    _read("/v1/status", Host.status, answers.Status, NOW, "How this host stands", weak=True),
    _read("/v1/halts", HaltList.all, Halts, NOW, "What is halted, and when a drill last proved that halting works"),
    _read("/v1/kinds", Kinds.all, KindList, LIVE, "The kinds there are"),
    _read("/v1/kinds/{kind}", Kinds.schema, dict, LIVE, "The JSON Schema of a kind"),
    _read(
        "/v1/resources/{kind}",
        Rows.page,
        answers.RowsPage,
        LIVE,
        "The live rows of a kind, or as they were",
        params=(AT, PAGE_LIMIT, CURSOR, OF_HOST, OF_BRANCH, LABELS, ROW_FILTERS, SORT, METADATA),
    ),
    _read(
        "/v1/resources/{kind}/{name}",
        Rows.row,
        answers.Rows,
        LIVE,
        "A live row, or as it was",
        params=(AT, OF_HOST, OF_BRANCH, METADATA),
    ),
    _read(
        "/v1/resources/{kind}/{name}/uses",
        Rows.uses,
        Uses,
        LIVE,
        "What refers to a resource",
        params=(AT, OF_HOST, OF_BRANCH),
        slow=True,
    ),
    _read("/v1/drift", Rows.drift, answers.Drift, LIVE, "Where the live rows are not what git says", slow=True),
    _read(
        "/v1/plan", Plans.ahead, reviews.Plan, LIVE, "What the branch's head would change in the live rows", slow=True
    ),
    _read(
        "/v1/resources/{kind}/{name}/history",
        History.changes,
        answers.Changes,
        PAST,
        "Every change of a resource",
        params=(LIMIT, CURSOR, OF_HOST, OF_BRANCH),
        slow=True,
    ),
    _read(
        "/v1/resources/{kind}/{name}/blame",
        History.blame,
        Blame,
        PAST,
        "For each field the commit that last set it",
        params=(OF_HOST, OF_BRANCH),
        slow=True,
    ),
    _read(
        "/v1/history",
        History.newest,
        answers.Changes,
        PAST,
        "The newest changes of all",
        params=(LIMIT, CURSOR, OF_HOST, OF_BRANCH),
        slow=True,
    ),
    _read(
        "/v1/versions",
        History.versions,
        answers.Versions,
        PAST,
        "The recorded commits, newest first",
        params=(*FILTER_PARAMETERS, LIMIT, CURSOR, OF_HOST, OF_BRANCH),
        slow=True,
        refuses=UNKNOWN_FILTER,
    ),
    _read(
        "/v1/versions/{revision}",
        History.version,
        answers.VersionWithChanges,
        PAST,
        "A commit, what it changed, and what became of it",
        params=(OF_HOST, OF_BRANCH),
        slow=True,
    ),
    _read(
        "/v1/why/{revision}",
        Why.commit,
        WhyCommit,
        PAST,
        "What became of a commit, why, and what to do",
        slow=True,
    ),
    _read(
        "/v1/why/{kind}/{name}",
        Why.resource,
        WhyResource,
        PAST,
        "Why a live resource has its values",
        params=(OF_FIELD,),
        slow=True,
    ),
    _read(
        "/v1/diff",
        History.diff,
        reviews.Diff,
        PAST,
        "Compare two commits or points in time",
        params=(BASE, HEAD, OF_HOST, OF_BRANCH),
        slow=True,
    ),
    Endpoint(
        "GET",
        "/v1/watch",
        None,
        "What happens, as it happens",
        NOW,
        media={"text/event-stream": text()},
        params=(ONLY_KIND, ONLY_NAME, LAST_EVENT_ID),
        headers=(LAST_EVENT_ID_HEADER,),
        runs=Runs.LOOP,
        refuses=UNKNOWN_PARAMETER,
    ),
    *OPERATIONS,
    _session(
        "GET",
        "/v1/sessions",
        Sessions.page,
        SessionList,
        "The sessions of an owner, the one used last first",
        params=(OWNER, SESSION_LIMIT, CURSOR),
        tagged=True,
        runs=Runs.OWNERS,
        refuses=UNKNOWN_PARAMETER,
    ),
    _session(
        "GET",
        "/v1/sessions/{session_id}",
        Sessions.get,
        answers.Session,
        "A session",
        tagged=True,
        also=(HTTPStatus.NOT_FOUND,),
    ),
    _session(
        "POST",
        "/v1/sessions",
        Sessions.create,
        answers.Session,
        "Begin a session",
        body=(),
        status=HTTPStatus.CREATED,
        runs=Runs.OWNERS,
    ),
    _session(
        "POST",
        "/v1/sessions/{session_id}/touch",
        Sessions.touch,
        answers.Session,
        "Use a session",
        also=(HTTPStatus.NOT_FOUND,),
    ),
    _session(
        "POST",
        "/v1/sessions/{session_id}/expire",
        Sessions.expire,
        answers.Session,
        "End a session",
        also=(HTTPStatus.NOT_FOUND,),
    ),
    _session(
        "POST",
        "/v1/sessions/expire",
        Sessions.expire_all,
        Ended,
        "End all sessions of an owner",
        params=(OWNER,),
        runs=Runs.OWNERS,
        refuses=UNKNOWN_PARAMETER,
    ),
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
    Endpoint(
        "GET",
        "/metrics",
        None,
        "Figures for Prometheus",
        PROBES,
        media={"text/plain": text(), "application/openmetrics-text": text()},
        runs=Runs.LOOP,
    ),
    Endpoint(
        "GET",
        "/healthz",
        Host.health,
        "Whether every thread gives signs of life",
        PROBES,
        answers.Health,
        role=Role.OPEN,
        runs=Runs.LOOP,
        unavailable="stuck",
    ),
    Endpoint(
        "GET",
        "/readyz",
        Host.readiness,
        "Whether the first reconcile has ended",
        PROBES,
        answers.Ready,
        role=Role.OPEN,
        runs=Runs.LOOP,
        unavailable="not-ready",
    ),
    Endpoint(
        "POST",
        "/webhooks/{secret}",
        None,
        "A delivery of a forge",
        PROBES,
        Delivery,
        role=Role.SIGNED,
        runs=Runs.LOOP,
        also=(HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND),
    ),
    Endpoint(
        "GET",
        "/openapi.json",
        None,
        "This document",
        PROBES,
        media={JSON: {"type": "object", "additionalProperties": {}}},
        tagged=True,
        waits=True,
    ),
    Endpoint("GET", "/docs", None, "This document as a page", PROBES, media={"text/html": text()}, tagged=True),
)


def find_endpoint(call: Callable[..., Any]) -> Endpoint:
    """The address that a call is answered at; of two the one that takes a body."""
    return max(
        (endpoint for endpoint in ENDPOINTS if endpoint.call is call), key=lambda endpoint: endpoint.body is not None
    )
