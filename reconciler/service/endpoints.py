"""The only list of addresses: routes, the OpenAPI document and the commands' HTTP client are made from it.

The dashboard's pages are not in it; they are for people. `Services` answers the same calls in this process.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Literal

from reconciler import answers
from reconciler.service.addresses import control, halts, history, host, kinds, rows, sessions, sql, why
from reconciler.service.endpoint import (
    JSON,
    LAST_EVENT_ID,
    LAST_EVENT_ID_HEADER,
    NOW,
    ONLY_KIND,
    ONLY_NAME,
    PROBES,
    UNKNOWN_PARAMETER,
    Endpoint,
    Role,
    Runs,
    text,
)


class Delivery(answers.Answer, frozen=True):
    """What became of a webhook."""

    result: Literal["accepted", "pong", "ignored"]


ENDPOINTS: Final = (
    *host.STATUS,
    *halts.ENDPOINTS,
    *kinds.ENDPOINTS,
    *rows.ENDPOINTS,
    *history.RECORDED,
    *why.ENDPOINTS,
    *history.COMPARED,
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
    *control.ENDPOINTS,
    *sessions.ENDPOINTS,
    *sql.ENDPOINTS,
    Endpoint(
        "GET",
        "/metrics",
        None,
        "Figures for Prometheus",
        PROBES,
        media={"text/plain": text(), "application/openmetrics-text": text()},
        runs=Runs.LOOP,
    ),
    *host.HEALTH,
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
