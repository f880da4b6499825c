"""Queries and exports of a real daemon: whatever somebody asks, commits go live and others are answered."""

from __future__ import annotations

import csv
import http.client
import io
import json
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from reconciler.errors import NeedsHuman, UsageError
from tests.running.hosts import Host
from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

ENDLESS = "SELECT count(*) FROM range(10000000) AS a(n), range(1000000) AS b(m) WHERE n * m % 7 = 3"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host.create(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon(HISTORY_URL="chdb") as running:
        yield running


def ask(daemon: RunningDaemon, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """One request without a token."""
    with closing(http.client.HTTPConnection(daemon.client().address, timeout=60)) as connection:
        connection.request(method, path, body and json.dumps(body), {"content-type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, response.read()


def test_what_is_live_and_what_was(host: Host, daemon: RunningDaemon) -> None:
    client = daemon.client()
    daemon.await_live(host.risk("ann", 0.75))
    live = client.query("SELECT risk_per_trade_percent FROM desired.user_config WHERE name = 'ann'", 10, history=False)
    assert (live["rows"], live["cut"]) == ([[0.75]], False)
    sql = "SELECT risk_per_trade_percent FROM user_config WHERE name = 'ann' ORDER BY height DESC"
    past = client.query(sql, 1, history=True)
    assert (past["rows"], past["cut"]) == ([[0.75]], True)
    (events,) = client.query("SELECT count() FROM host_events WHERE event = 'applied'", 10, history=True)["rows"]
    assert events[0] >= 2


def test_a_read_needs_no_token_here_and_an_error_is_the_askers(daemon: RunningDaemon) -> None:
    status, body = ask(daemon, "GET", f"/v1/sql?{urlencode({'query': 'SELECT 1.50 AS a'})}")
    assert (status, json.loads(body)["rows"]) == (200, [[1.5]])
    status, body = ask(daemon, "POST", "/v1/sql", {"query": "SELECT 2 AS a", "limit": 5})
    assert (status, json.loads(body)["rows"]) == (200, [[2]])
    for wrong in (
        {"query": "DROP TABLE x"},
        {},
        {"query": "SELECT 1", "limit": 0},
        {"query": "SELECT 1", "history": "x"},
    ):
        status, body = ask(daemon, "GET", f"/v1/sql?{urlencode(wrong)}")
        assert (status, json.loads(body)["error"]["code"]) == (422, "usage"), wrong
    assert ask(daemon, "GET", "/v1/export/user?format=exe")[0] == 422
    assert ask(daemon, "GET", f"/v1/export/{quote('../daemon.json', safe='')}")[0] == 404


def test_a_query_that_does_not_end_holds_nobody_up(host: Host, daemon: RunningDaemon) -> None:
    client = daemon.client()

    def endless() -> None:
        with pytest.raises(UsageError, match=r"more than 10 s|more memory"):
            client.query(ENDLESS, 10, history=False)

    for risk in (0.6, 0.7, 0.8):  # on a busy machine the queries may come to their end first
        threads = [threading.Thread(target=endless) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        daemon.await_live(host.risk("ann", risk))
        assert client.rows("user", "ann")["rows"][0]["values"]["risk_per_trade_percent"] == risk
        status, body = ask(daemon, "GET", f"/v1/sql?{urlencode({'query': 'SELECT 1'})}")
        meanwhile = all(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join(DEADLINE)
        if meanwhile:
            break
    assert meanwhile, "whatever there was to do was done after the queries"
    assert (status, json.loads(body)["error"]["code"]) == (503, "retry-later")
    assert client.query("SELECT 1 AS a", 1, history=False)["rows"] == [[1]]


def test_an_export_through_the_daemon(daemon: RunningDaemon, tmp_path: Path) -> None:
    client, file = daemon.client(), tmp_path / "out"
    table, rows = client.export("users", "csv", file, history=False)
    read = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"), newline="")))
    assert (table, rows) == ("user_config", len(read))
    assert "ann" in {row["name"] for row in read}
    assert client.export("versions", "json", file, history=True) == ("versions", len(json.loads(file.read_bytes())))
    assert client.export("user", "parquet", file, history=False)[1] == rows
    assert file.read_bytes()[:4] == file.read_bytes()[-4:] == b"PAR1"
    with pytest.raises(UsageError, match="there is no kind nothing"):
        client.export("nothing", "csv", file, history=False)
    named = {one["table"]: one["kind"] for one in client.tables(history=True)["tables"]}
    assert (named["user_config"], named["versions"]) == ("User", None)


def test_nothing_of_an_export_is_left(daemon: RunningDaemon) -> None:
    with closing(http.client.HTTPConnection(daemon.client().address, timeout=60)) as connection:
        connection.request("GET", "/v1/export/user?format=parquet")
        connection.getresponse().read(10)
    ask(daemon, "GET", "/v1/export/user?format=csv")
    assert not [file.name for file in daemon.state.iterdir() if file.name.startswith(".export-")]


def test_a_disk_that_is_full_is_not_a_daemon_that_is_gone(daemon: RunningDaemon, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(NeedsHuman, match=r"cannot write .*No space left"):
        daemon.client().export("user", "csv", full, history=False)
