"""Webhooks over the real server: each genuine push is a hint; what is forged or too large is none."""

from __future__ import annotations

import http.client
import logging
import mmap
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.model.grants import path_secret
from reconciler.web.webhooks import MAX_BODY, WINDOW
from tests.support.patience import DEADLINE, until
from tests.web.deliveries import NAMES, delivery
from tests.web.harness import HOOK, SECRET, Daemon, Site, reply, running, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

PUSH = "github-push.http"
FORGED, BATCH = 10_000, 20
KEPT = 4 * 1024 * 1024
"""Bytes of resident memory that ten thousand refused requests may leave behind: half of what was in them."""


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as found:
        yield found


@pytest.mark.parametrize("name", NAMES)
def test_a_documented_delivery_is_answered(name: str) -> None:
    sent = delivery(name, time.time())
    with running(secret=sent.secret) as site:
        answer = site.ask("POST", f"/webhooks/{path_secret(sent.secret)}", sent.body, **sent.headers)
        forge, event, branch, named = sent.expected
        assert (answer.status, answer.json["result"]) == {
            "push": (202, "accepted"),
            "ping": (200, "pong"),
            "other": (200, "ignored"),
        }[event]
        where, which = ("" if branch == "-" else f" to {branch}"), ("" if named == "-" else f", delivery {named}")
        assert site.daemon.hints == ([f"webhook: {forge} push{where}{which}"] if event == "push" else [])


@pytest.mark.parametrize("name", [name for name in NAMES if "push" in name])
def test_a_push_that_is_delivered_again_is_looked_at_again(name: str) -> None:
    """Somebody does so at the forge because the first one came to nothing: the remote was away then, or git locked."""
    sent = delivery(name, time.time())
    with running(secret=sent.secret) as site:
        path = f"/webhooks/{path_secret(sent.secret)}"
        answers = [site.ask("POST", path, sent.body, **sent.headers) for _ in range(2)]
        assert [(one.status, one.json["result"]) for one in answers] == [(202, "accepted")] * 2
        assert len(site.daemon.hints) == 2


def test_whoever_is_refused_learns_nothing(site: Site) -> None:
    fresh, stale = (delivery("generic-push.http", time.time() - age) for age in (0, WINDOW + 5))
    name = "X-Reconciler-Signature"
    other = {name: fresh.headers[name][:-4] + "0000"}
    faults = [
        site.ask("POST", HOOK, fresh.body, **other),
        site.ask("POST", HOOK, fresh.body),
        site.ask("POST", HOOK, stale.body, **stale.headers),
        site.ask("POST", HOOK, b"{", **other),
        site.ask("POST", HOOK, fresh.body, X_Gitlab_Token="wrong"),
    ]
    assert {(one.status, one.code, str(one.json)) for one in faults} == {(401, "refused", str(faults[0].json))}
    assert not site.daemon.hints


def test_a_wrong_path_looks_like_any_other_address(site: Site) -> None:
    sent = delivery(PUSH, time.time())
    elsewhere = site.ask("GET", "/nothing/here")
    for path in ("/webhooks/", "/webhooks/x", f"{HOOK}/", f"{HOOK}0", HOOK[:-1], "/webhooks/%C3%A9", "/webhooks"):
        wrong = site.ask("POST", path, sent.body, **sent.headers, Authorization="Bearer the-token-of-daemon.json")
        assert (wrong.status, wrong.json) == (404, elsewhere.json), path
    assert not site.daemon.hints


def test_without_a_secret_there_are_no_webhooks() -> None:
    sent = delivery(PUSH, time.time())
    with running(secret="") as site:
        for path in (HOOK, f"/webhooks/{path_secret('')}"):
            assert site.ask("POST", path, sent.body, **sent.headers).status == 404
        assert not site.daemon.hints


def test_the_largest_body_is_taken_and_a_larger_one_not(site: Site) -> None:
    for size, status in ((MAX_BODY, 202), (MAX_BODY + 1, 413)):
        body = b'{"ref":"refs/heads/main","x":"'.ljust(size - 2, b"x") + b'"}'
        signature = {"X-Hub-Signature-256": f"sha256={signed(SECRET, body)}", "X-GitHub-Event": "push"}
        try:
            assert site.ask("POST", HOOK, body, **signature).status == status
        except ConnectionError:  # it hung up before all was sent, as it may
            assert status == 413
    assert len(site.daemon.hints) == 1


def test_a_body_that_is_announced_as_too_large_is_not_waited_for(site: Site) -> None:
    connection = site.connect()
    connection.putrequest("POST", HOOK)
    connection.putheader("Content-Length", str(10**15))
    connection.endheaders()
    answer = reply(connection)
    assert (answer.status, answer.code, answer.headers["connection"]) == (413, "too-large", "close")
    connection.close()


def test_a_body_without_an_announced_length_is_cut_off(site: Site) -> None:
    connection = site.connect()
    connection.putrequest("POST", HOOK)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    piece, pieces = b"10000\r\n" + b"x" * 0x10000 + b"\r\n", 64 * MAX_BODY // 0x10000
    with pytest.raises(ConnectionError):
        connection.send(piece for _ in range(pieces))
    connection.close()
    assert not site.daemon.hints


def test_a_body_that_trickles_meets_a_deadline() -> None:
    with running(body=0.3) as site:
        connection = site.connect()
        connection.putrequest("POST", HOOK)
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"{")
        for _ in range(4):
            time.sleep(0.05)
            connection.send(b" ")
        answer = reply(connection)
        assert (answer.status, answer.code) == (408, "too-slow")
        connection.close()


@pytest.mark.slow
def test_ten_thousand_forged_deliveries_cost_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    sent = delivery(PUSH, time.time(), "another secret")
    head = f"POST {HOOK} HTTP/1.1\r\nHost: desk\r\nContent-Length: {len(sent.body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in sent.headers.items())
    batch = (head.encode() + b"\r\n" + sent.body) * BATCH
    with caplog.at_level(logging.WARNING), socket.create_connection(("127.0.0.1", site.server.address.port)) as opened:

        def forge(many: int) -> None:
            for _ in range(many // BATCH):
                opened.sendall(batch)
                answers = b""
                while answers.count(b"this delivery is refused") < BATCH:
                    more = opened.recv(65_536)
                    assert more, "it hung up"
                    answers += more
                assert answers.count(b"HTTP/1.1 401 Unauthorized") == BATCH

        forge(500)
        before, began = _resident(), time.process_time()
        forge(FORGED)
        spent = time.process_time() - began
    assert _resident() - before < KEPT
    assert spent / FORGED < 0.002, f"{spent:.1f} s of processor time"
    assert not site.daemon.hints
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "refused 1 webhook deliveries; the last one because its signature does not match"
    assert len(told) <= 2


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * mmap.PAGESIZE


def test_a_storm_of_pushes_waits_for_no_fetch() -> None:
    """Hints return at once, also while a fetch that one of them has begun is under way."""

    class Loop(Daemon):
        fetches = 0
        wanted, remote = threading.Event(), threading.Event()

        def hint(self, source: str) -> None:
            super().hint(source)
            self.wanted.set()

        def run(self, stop: threading.Event) -> None:
            while not stop.is_set():
                if self.wanted.wait(0.02):
                    self.wanted.clear()
                    self.fetches += 1
                    assert self.remote.wait(DEADLINE)

    loop, stop = Loop(), threading.Event()
    fetching = threading.Thread(target=loop.run, args=(stop,))
    fetching.start()
    with running(loop) as site:
        connection = site.connect()
        for number in range(300):
            body = f'{{"ref":"refs/heads/main","after":"{number:040x}"}}'.encode()
            connection.request("POST", HOOK, body, {"X-Gitea-Signature": signed(SECRET, body), "X-Gitea-Event": "push"})
            assert reply(connection).status == 202
        connection.close()
    assert len(loop.hints) == 300
    assert loop.fetches == 1
    loop.remote.set()
    until(lambda: not loop.wanted.is_set())
    stop.set()
    fetching.join(DEADLINE)
    assert loop.fetches == 2


def test_a_lost_sender_is_no_trouble(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", site.server.address.port)
        connection.putrequest("POST", HOOK)
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"{")
        connection.close()
    assert site.ask("GET", "/healthz").status == 200
    assert not caplog.records
