"""The addresses there are: one entry each. The document, its page and the test that holds them to the router read it.

A new route needs its entry here, and, where its answer has a shape of its own, that shape in `shapes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from reconciler.web.openapi.parameters import so_many
from reconciler.web.openapi.shapes import FLAG, Shape, by_name, named, text

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"
OPEN, READ, OPERATE, SIGNED = "open", "read", "operate", "signed"
"""What an address needs: nothing, to read, to operate, a signature."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An address. `answer` is by media type; `query` and `headers` name those of `parameters.py`.

    `body` has the fields that a client may send, `needed` those that it has to. `also` are statuses besides those that
    all addresses of its sort have, `tagged` ones carry an ETag, and `waited` ones can be waited for.
    """

    method: str
    path: str
    summary: str
    group: str
    answer: Mapping[str, Shape]
    needs: str = READ
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: Mapping[str, Shape] | None = None
    needed: tuple[str, ...] = ()
    status: int = HTTPStatus.OK
    also: tuple[int, ...] = ()
    tagged: bool = False
    waited: bool = False
    required: tuple[str, ...] = field(default=())
    """Of the parameters in the query, those that may not be left out."""


BY = text("who asks", maxLength=500)
LIVE, PAST, NOW, WORK, SESSIONS, SQL, PROBES = (
    "Live rows",
    "The past",
    "This host",
    "Operations",
    "Sessions",
    "Queries",
    "Probes",
)


def _json(name: str) -> dict[str, Shape]:
    return {JSON: named(name)}


def _read(path: str, summary: str, group: str, shape: str, *query: str, required: tuple[str, ...] = ()) -> Entry:
    """A read that carries a tag and can be waited for."""
    return Entry("GET", path, summary, group, _json(shape), query=query, tagged=True, waited=True, required=required)


def _operation(path: str, summary: str, shape: str, needed: tuple[str, ...] = (), **fields: Shape) -> Entry:
    return Entry("POST", path, summary, WORK, _json(shape), OPERATE, body={**fields, "by": BY}, needed=needed)


FILTERS = ("author", "of_kind", "of_name", "since", "until", "status")
PAGED = ("limit", "cursor")
FILES = {"text/csv": text(), "application/vnd.apache.parquet": text(), JSON: {}}

ENTRIES: Final = (
    _read("/v1/status", "How this host stands", NOW, "Status"),
    _read("/v1/kinds", "The kinds there are", LIVE, "Kinds"),
    _read("/v1/kinds/{kind}", "The JSON Schema of a kind", LIVE, "KindSchema"),
    _read("/v1/resources/{kind}", "The live rows of a kind, or as they were", LIVE, "RowsPage", "at", "page", "cursor"),
    _read("/v1/resources/{kind}/{name}", "A live row, or as it was", LIVE, "Rows", "at"),
    _read("/v1/drift", "Where the live rows are not what git says", LIVE, "Drift"),
    _read("/v1/plan", "What the branch's head would change in the live rows", LIVE, "Plan"),
    _read("/v1/resources/{kind}/{name}/history", "Every change of a resource", PAST, "Changes", *PAGED),
    _read("/v1/resources/{kind}/{name}/blame", "For each field the commit that last set it", PAST, "Blame"),
    _read("/v1/history", "The newest changes of all", PAST, "Changes", *PAGED),
    _read("/v1/versions", "The recorded commits, newest first", PAST, "Versions", *FILTERS, *PAGED),
    _read("/v1/versions/{revision}", "A commit, and what it changed", PAST, "VersionWithChanges"),
    _read(
        "/v1/diff",
        "What is otherwise at one point than at another",
        PAST,
        "Diff",
        "base",
        "head",
        required=("base", "head"),
    ),
    Entry(
        "GET",
        "/v1/watch",
        "What happens, as it happens",
        NOW,
        {"text/event-stream": text()},
        query=("only_kind", "only_name", "last_event_id"),
        headers=("last-event-id",),
    ),
    _operation(
        "/v1/sync",
        "Reconcile once; answered when this request was handled",
        "Sync",
        approve=text("the sha of a refused commit to let through", maxLength=500),
        force={**FLAG, "description": "also while suspended"},
    ),
    _operation("/v1/heal", "Put right what drifted", "Drift"),
    _operation("/v1/verify", "Hold history and live rows against git", "Verification"),
    _operation("/v1/backup", "Copy the store", "Copy"),
    _operation(
        "/v1/restore",
        "Make a copy the store",
        "Restored",
        ("file",),
        file=text("a backup on this host", minLength=1, maxLength=500),
    ),
    _operation(
        "/v1/suspend",
        "Stop reconciling",
        "Suspension",
        ("reason",),
        reason=text("why", minLength=1, maxLength=500),
        until=text("a span such as `2h`, or a moment with its zone", maxLength=500),
    ),
    _operation("/v1/resume", "Take it up again", "Resumed"),
    Entry(
        "GET",
        "/v1/sessions",
        "The sessions of an owner, the one used last first",
        SESSIONS,
        _json("Sessions"),
        query=("owner", *PAGED),
        tagged=True,
        required=("owner",),
    ),
    Entry(
        "GET",
        "/v1/sessions/{session_id}",
        "A session",
        SESSIONS,
        _json("Session"),
        tagged=True,
        also=(HTTPStatus.NOT_FOUND,),
    ),
    Entry(
        "POST",
        "/v1/sessions",
        "Begin a session",
        SESSIONS,
        _json("Session"),
        OPERATE,
        body={},
        status=HTTPStatus.CREATED,
    ),
    Entry(
        "POST",
        "/v1/sessions/{session_id}/touch",
        "Use a session",
        SESSIONS,
        _json("Session"),
        OPERATE,
        also=(HTTPStatus.NOT_FOUND,),
    ),
    Entry(
        "POST",
        "/v1/sessions/{session_id}/expire",
        "End a session",
        SESSIONS,
        _json("Session"),
        OPERATE,
        also=(HTTPStatus.NOT_FOUND,),
    ),
    Entry(
        "POST",
        "/v1/sessions/expire",
        "End all sessions of an owner",
        SESSIONS,
        _json("Ended"),
        OPERATE,
        query=("owner",),
        required=("owner",),
    ),
    Entry(
        "GET",
        "/v1/sql",
        "Run one SELECT",
        SQL,
        _json("Queried"),
        query=("query", "history", "rows"),
        tagged=True,
        required=("query",),
    ),
    Entry(
        "POST",
        "/v1/sql",
        "Run one SELECT",
        SQL,
        _json("Queried"),
        body={"query": text(minLength=1), "history": FLAG, "limit": so_many(100_000)},
        needed=("query",),
    ),
    Entry(
        "GET", "/v1/export", "The tables that can be exported", SQL, _json("Tables"), query=("history",), tagged=True
    ),
    Entry("GET", "/v1/export/{table}", "A whole table as a file", SQL, FILES, query=("format", "history")),
    Entry(
        "GET",
        "/metrics",
        "Figures for Prometheus",
        PROBES,
        {"text/plain": text(), "application/openmetrics-text": text()},
    ),
    Entry("GET", "/healthz", "Whether every thread gives signs of life", PROBES, _json("Health"), OPEN),
    Entry("GET", "/readyz", "Whether the first reconcile has ended", PROBES, _json("Ready"), OPEN),
    Entry(
        "POST",
        "/webhooks/{secret}",
        "A delivery of a forge",
        PROBES,
        _json("Delivery"),
        SIGNED,
        also=(HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND),
    ),
    Entry("GET", "/openapi.json", "This document", PROBES, {JSON: by_name({})}, tagged=True, waited=True),
    Entry("GET", "/docs", "This document as a page", PROBES, {"text/html": text()}, tagged=True),
)
"""All but the dashboard's pages, which are for people."""
