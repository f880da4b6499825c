"""Requests are counted as their clients see them, by templates; `/metrics` is a read that waits for nobody."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from reconciler.web.app import OTHER, UNANSWERED
from reconciler.web.server import WORKERS
from tests.support.daemons import until
from tests.support.patience import DEADLINE
from tests.web.harness import HOOK, SECRET, TOKEN, Daemon, Site, running, signed
from tests.web.measuring import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running() as site:
        yield site


def counted(site: Site, method: str, path: str, **headers: str) -> list[tuple[str, str, int]]:
    """What one request adds."""
    before = len(site.daemon.measures.answers)
    site.ask(method, path, **headers)
    return site.daemon.measures.answers[before:]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/status", ("/v1/status", "GET", 200)),
        ("GET", "/v1/resources/widget", ("/v1/resources/{kind}", "GET", 200)),
        ("GET", "/v1/resources/widget/w1?at=2026", ("/v1/resources/{kind}/{name}", "GET", 200)),
        ("GET", "/v1/resources/widget/w1/history", ("/v1/resources/{kind}/{name}/history", "GET", 200)),
        ("GET", "/v1/history", ("/v1/history", "GET", 200)),
        ("GET", "/v1/history?limit=none", ("/v1/history", "GET", 422)),
        ("GET", "/healthz", ("/healthz", "GET", 200)),
        ("GET", "/no/such/address", (OTHER, "GET", 404)),
        ("POST", "/v1/status", (OTHER, "POST", 401)),
        ("PROPFIND", "/v1/status", (OTHER, OTHER, 401)),
        ("POST", "/webhooks/guessed", ("/webhooks/{secret}", "POST", 404)),
    ],
)
def test_a_request_counts_by_its_template(site: Site, method: str, path: str, expected: tuple[str, str, int]) -> None:
    assert counted(site, method, path) == [expected]


def test_who_is_turned_away_at_the_door_is_counted(site: Site) -> None:
    assert counted(site, "GET", "/v1/status", Host="evil.example") == [(OTHER, "GET", 421)]


def test_a_bug_is_counted_as_its_client_sees_it() -> None:
    with running(Daemon(error=ZeroDivisionError())) as site:
        assert counted(site, "GET", "/v1/status") == [("/v1/status", "GET", 500)]


def test_a_client_that_goes_away_is_counted_and_over() -> None:
    with running(body=20) as site:
        measures, connection = site.daemon.measures, site.connect()
        connection.putrequest("POST", "/v1/sync")
        for name, value in (("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")):
            connection.putheader(name, value)
        connection.putheader("Content-Length", "100")
        connection.endheaders()
        until(lambda: measures.under_way == 1)
        connection.close()
        until(lambda: measures.under_way == 0)
        assert measures.answers == [("/v1/sync", "POST", UNANSWERED)]


def test_the_time_is_that_until_the_answer_begins() -> None:
    with running(operation=20) as site, ThreadPoolExecutor(1) as clients:
        site.daemon.gate.clear()
        asked = clients.submit(site.ask, "GET", "/v1/drift")
        until(lambda: site.daemon.measures.under_way == 1)
        time.sleep(0.3)
        site.daemon.gate.set()
        assert asked.result(DEADLINE).status == 200
        until(lambda: site.daemon.measures.under_way == 0)
        assert site.daemon.measures.seconds[0] >= 0.3


def test_webhooks_count_by_what_they_are_answered() -> None:
    body = b'{"ref": "refs/heads/main"}'
    push = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1", "X-Hub-Signature-256": f"sha256={signed(SECRET, body)}"}
    forged = push | {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    with running() as site:
        for headers in (push, push, forged):
            site.ask("POST", HOOK, body, **{"Content-Type": "application/json"}, **headers)
        site.ask("POST", "/webhooks/guessed", body)
        assert site.daemon.measures.deliveries == ["accepted", "accepted", "refused", "not-found"]


def test_metrics_are_a_read(site: Site) -> None:
    assert site.ask("POST", "/metrics").status == 401
    assert site.ask("GET", "/metrics", X_Forwarded_For="10.0.0.9").code == "no-token"
    assert site.ask("GET", "/metrics", Host="evil.example").code == "unknown-host"
    for headers in ({}, {"X-Forwarded-For": "10.0.0.9", "Authorization": f"Bearer {TOKEN}"}):
        assert scraped(site, **headers) == (200, "text/plain; version=0.0.4; charset=utf-8", TEXT)


def test_the_form_asked_for_gets_to_who_tells(site: Site) -> None:
    scraped(site, Accept="application/openmetrics-text")
    assert site.daemon.measures.accepted[-1] == "application/openmetrics-text"


def test_metrics_are_told_while_all_calls_to_the_daemon_wait() -> None:
    with running(operation=20) as site, ThreadPoolExecutor(2 * WORKERS) as clients:
        site.daemon.gate.clear()
        waiting = [clients.submit(site.ask, "GET", "/v1/drift") for _ in range(2 * WORKERS)]
        until(lambda: len(site.daemon.asked) == WORKERS)
        assert scraped(site)[0] == 200
        site.daemon.gate.set()
        assert {one.result(DEADLINE).status for one in waiting} == {200}


def scraped(site: Site, **headers: str) -> tuple[int, str | None, str]:
    connection = site.connect()
    try:
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type"), answer.read().decode()
    finally:
        connection.close()
