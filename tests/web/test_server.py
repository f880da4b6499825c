"""The server as a thread: it has its address before it says so, and is gone when it was stopped."""

from __future__ import annotations

import gc
import http.client
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.errors import BugError, NeedsHuman, UsageError
from reconciler.web import server
from reconciler.web.auth import ServerConfig
from reconciler.web.server import Connection, HttpServer, Listen, parse_listen
from tests.support.patience import DEADLINE, NEVER, until
from tests.web.harness import HOOK, TOKEN, Daemon, reply, running


def test_one_address_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_OF_CLIENT", 4)
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 6)
    with running() as site:
        held = [socket.create_connection(("127.0.0.1", site.server.address.port), DEADLINE) for _ in range(3)]
        try:
            assert site.ask("GET", "/v1/status").status == 200, "the fourth"
            held.append(socket.create_connection(("127.0.0.1", site.server.address.port), DEADLINE))
            answer = site.ask("GET", "/v1/status")
            assert (answer.status, answer.code, answer.headers["connection"]) == (429, "too-many", "close")
            assert answer.json["error"]["message"].startswith("4 connections from your address are open")
            elsewhere = http.client.HTTPConnection(
                "127.0.0.1", site.server.address.port, timeout=DEADLINE, source_address=("127.0.0.2", 0)
            )
            elsewhere.request("GET", "/v1/status")
            assert reply(elsewhere).status == 200
            elsewhere.close()
            held.pop().close()
            until(lambda: site.ask("GET", "/v1/status").status == 200)
        finally:
            for one in held:
                one.close()


def test_port_zero_becomes_a_real_one_before_anybody_listens() -> None:
    serving = HttpServer(Daemon().served, ServerConfig(TOKEN), Listen("127.0.0.1", 0))
    assert serving.address.port > 0
    assert not serving.alive
    serving.stop()
    serving.stop()


def test_an_address_in_use_names_who_to_ask() -> None:
    with running() as site:
        listen = site.server.address
        with pytest.raises(NeedsHuman, match=f"cannot listen on {listen}: another program does already") as caught:
            HttpServer(Daemon().served, ServerConfig(TOKEN), listen)
        assert f"sport = :{listen.port}" in caught.value.hint
        assert "http.listen" in caught.value.hint
        assert site.ask("GET", "/healthz").status == 200
    with HttpServer(Daemon().served, ServerConfig(TOKEN), listen) as again:
        assert again.address == listen


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_host_needs_a_human(host: str) -> None:
    with pytest.raises(NeedsHuman, match="cannot listen on"):
        HttpServer(Daemon().served, ServerConfig(TOKEN), Listen(host, 8642))


def test_it_listens_on_ipv6() -> None:
    with HttpServer(Daemon().served, ServerConfig(TOKEN), Listen("::1", 0)) as serving:
        connection = http.client.HTTPConnection(str(serving.address), timeout=DEADLINE)
        connection.request("GET", "/v1/status")
        assert reply(connection).status == 200
        connection.close()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8642", "127.0.0.1", 8642),
        ("[::1]:0", "::1", 0),
        ("desk:80", "desk", 80),
        ("0.0.0.0:1", "0.0.0.0", 1),
    ],
)
def test_an_address_is_read_and_written(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == Listen(host, port)
    assert str(parse_listen(text)) == text


@pytest.mark.parametrize("text", ["", "8642", ":8642", "::1:80", "http://x:80", "a b:1", "127.0.0.1:65536", "x:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot listen on"):
        parse_listen(text)


def test_an_address_for_all_is_called_on_loopback() -> None:
    assert str(Listen("0.0.0.0", 80).local) == "127.0.0.1:80"
    assert str(Listen("::", 80).local) == "[::1]:80"
    assert str(Listen("10.0.0.1", 80).local) == "10.0.0.1:80"


def test_answers_are_not_held_back_for_more() -> None:
    """Without TCP_NODELAY each answer waits 40 ms: its body for the acknowledgement of its head."""
    with running() as site:
        connection = site.connect()
        connection.request("GET", "/healthz")
        reply(connection)
        (served,) = site.server._server.server_state.connections
        opened = served.transport.get_extra_info("socket")
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()


def test_its_thread_has_a_name() -> None:
    with running() as site:
        site.ask("GET", "/v1/status")
        names = {thread.name.rpartition("_")[0] or thread.name for thread in threading.enumerate()}
        assert {"http", "http-call"} <= names
        assert site.server.alive
    assert not site.server.alive


def test_a_stop_under_load_leaves_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Idle, half-sent, waiting and busy clients: all of them are answered or hung up on, and nobody waits for them."""
    daemon = Daemon(hold_futures=True)
    answers: list[tuple[int, str]] = []
    busy = threading.Event()
    with running(daemon) as site:
        idle, half, silent = (
            site.connect(),
            site.connect(),
            socket.create_connection(("127.0.0.1", site.server.address.port)),
        )
        idle.request("GET", "/healthz")
        reply(idle)
        half.putrequest("POST", HOOK)
        half.putheader("Content-Length", "1000")
        half.endheaders(b"{")
        silent.sendall(b"GET /healthz HTT")

        def wait() -> None:
            answer = site.operate("/v1/sync")
            answers.append((answer.status, answer.code))

        def hammer() -> None:
            while not busy.is_set():
                try:
                    site.ask("GET", "/v1/status")
                except (OSError, http.client.HTTPException):
                    return

        clients = [threading.Thread(target=wait) for _ in range(5)] + [
            threading.Thread(target=hammer) for _ in range(3)
        ]
        for client in clients:
            client.start()
        until(lambda: len(daemon.futures) == 5)
        site.server.stop()
        busy.set()
        for client in clients:
            client.join(DEADLINE)
        for opened in (idle, half, silent):
            opened.close()
    assert answers == [(503, "stopping")] * 5
    assert not caplog.records


def test_a_call_that_never_returns_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "END", 0.5)
    daemon = Daemon()
    daemon.gate.clear()
    with running(daemon, read=0.1) as site:
        assert site.ask("GET", "/v1/status").status == 504
        with pytest.raises(BugError, match="a call to the daemon does not return"):
            site.server.stop()
        daemon.gate.set()
        monkeypatch.setattr(server, "END", 5.0)


def test_a_request_that_does_not_come_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD", 0.3)
    with running() as site:
        for beginning in (b"", b"GET /healthz HTTP/1.1\r\nHost: loc"):
            with socket.create_connection(("127.0.0.1", site.server.address.port), timeout=DEADLINE) as opened:
                opened.sendall(beginning)
                assert opened.recv(1000) == b""
        asked = site.operate("/v1/sync")
        assert asked.status == 200


@pytest.mark.slow
def test_a_request_that_takes_longer_than_its_head_may_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD", 1.0)
    daemon = Daemon()
    daemon.gate.clear()
    with running(daemon, read=NEVER) as site, ThreadPoolExecutor(1) as clients:
        asked = clients.submit(site.ask, "GET", "/v1/status")
        until(lambda: bool(daemon.asked))
        time.sleep(1.5)  # by then the time for a head is over
        daemon.gate.set()
        assert asked.result(DEADLINE).status == 200


def test_there_are_only_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 5)
    with running() as site:
        opened = [socket.create_connection(("127.0.0.1", site.server.address.port), timeout=DEADLINE) for _ in range(5)]
        with pytest.raises((OSError, http.client.HTTPException)):
            site.ask("GET", "/healthz")
        for one in opened:
            one.close()
        until(lambda: not site.server._server.server_state.connections)
        assert site.ask("GET", "/healthz").status == 200


def test_nothing_is_left_of_a_connection_that_was_reset() -> None:
    """Who hangs up on an answer leaves no timer behind, which would keep what was sent."""
    with running() as site:
        site.server._server.config.timeout_keep_alive = NEVER  # uvicorn's own timer would end them within 5 s
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", site.server.address.port)) as connection:
                connection.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde")
                connection.recv(1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        until(lambda: not _connections(), lambda: "connections that are gone are still in memory")


def _connections() -> int:
    gc.collect()
    return sum(isinstance(one, Connection) for one in gc.get_objects())
