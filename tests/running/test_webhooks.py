"""Webhooks that reach a real daemon whose repository is elsewhere and is asked once an hour without them."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

import pytest

from tests.running.hosts import Host, settle
from tests.support.patience import DEADLINE
from tests.web.deliveries import NAMES, STANDARD_SECRET, delivery
from tests.web.harness import HOOK, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

OURS = [name for name in NAMES if delivery(name, 0).secret != STANDARD_SECRET]
RESULTS = {"push": 202, "ping": 200, "other": 200}
FORGED = 100


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    folder: Path = tmp_path_factory.mktemp("host")
    made = Host.elsewhere(folder)
    made.settings |= {"REPOSITORY_WEBHOOK_SECRET": SECRET, "REPOSITORY_POLL_INTERVAL": "1h"}
    return made


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as daemon:
        yield daemon


def send(daemon: RunningDaemon, body: bytes, headers: Mapping[str, str], path: str = HOOK) -> int:
    """The status of what a delivery is answered with."""
    connection = http.client.HTTPConnection(daemon.client().address, timeout=DEADLINE)
    try:
        connection.request("POST", path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("name", OURS)
def test_a_push_is_fetched_when_it_is_signed(host: Host, daemon: RunningDaemon, name: str) -> None:
    commit = host.risk("ann", 0.5 + OURS.index(name) / 100)
    forged = delivery(name, time.time(), "somebody's guess")
    assert send(daemon, forged.body, forged.headers) == 401
    signed = delivery(name, time.time())
    assert send(daemon, signed.body, signed.headers, "/webhooks/guessed") == 404
    kind = signed.expected[1]
    assert send(daemon, signed.body, signed.headers) == RESULTS[kind]
    if kind == "push":
        daemon.await_live(commit)
        later = host.risk("ben", 0.5 + OURS.index(name) / 100)
        assert send(daemon, signed.body, signed.headers) == RESULTS[kind]  # what is delivered again looks again
        daemon.await_live(later)
    else:
        time.sleep(0.1)
        assert daemon.status()["head"] != commit
        assert host.run("sync").code == 0


def test_many_forged_ones_are_nothing(host: Host, daemon: RunningDaemon) -> None:
    commit, forged = host.risk("ben", 0.9), delivery("github-push.http", time.time(), "somebody's guess")
    hints = daemon.log().count("Hinted")
    assert {send(daemon, forged.body, forged.headers) for _ in range(FORGED)} == {401}
    assert daemon.log().count("Hinted") == hints
    assert daemon.log().count("refused") <= 2
    assert daemon.status()["head"] != commit
    assert "guess" not in daemon.log()
    assert SECRET not in daemon.log()
    host.run("sync")
    settle(host, daemon)
