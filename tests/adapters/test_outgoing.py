"""Requests to servers that hang, drip, flood and lie: each ends in time, with no more read than is wanted."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import trustme

from reconciler.adapters.outgoing import HttpClient, find_proxy, proxy_headers
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHORT = 0.3
REQUEST = 65_536


@contextmanager
def serving(act: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server on loopback that does this with one connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with tls.wrap_socket(connection, server_side=True) if tls else connection as opened:
                act(opened)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://localhost:{listening.getsockname()[1]}/hunter2"
    finally:
        with suppress(OSError):
            socket.create_connection(listening.getsockname(), 1).close()
        listening.close()
        thread.join()


def ask(url: str, **more: float) -> bytes:
    client = HttpClient("webhook", timeout=more.get("timeout", 20.0), deadline=more.get("deadline", 20.0))
    return client.send("POST", url, {}, b"{}", max_body=1000).body


def drip_head(connection: socket.socket) -> None:
    connection.recv(REQUEST)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.01)


def drip_body(connection: socket.socket) -> None:
    connection.recv(REQUEST)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def continue_for_ever(connection: socket.socket) -> None:
    connection.recv(REQUEST)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


def hang(connection: socket.socket) -> None:
    while connection.recv(REQUEST):
        pass


def flood(connection: socket.socket) -> None:
    connection.recv(REQUEST)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * REQUEST)


def shut(connection: socket.socket) -> None:
    connection.recv(REQUEST)


def lie(connection: socket.socket) -> None:
    connection.recv(REQUEST)
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


@pytest.mark.parametrize("act", [drip_head, drip_body, continue_for_ever, hang])
def test_an_exchange_ends_at_its_deadline(act: Callable[[socket.socket], None]) -> None:
    with serving(act) as url, pytest.raises(RetryLater, match="within") as caught:
        ask(url, deadline=SHORT)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("act", [hang, shut, lie])
def test_what_does_not_answer_is_tried_again(act: Callable[[socket.socket], None]) -> None:
    with serving(act) as url, pytest.raises(RetryLater) as caught:
        ask(url, timeout=SHORT)
    assert "hunter2" not in str(caught.value)


def test_no_more_is_read_than_is_wanted() -> None:
    with serving(flood) as url:
        assert ask(url) == b"x" * 1000


@pytest.mark.parametrize(
    ("url", "words"), [("http://127.0.0.1:1/hunter2", "nothing listens"), ("http://nobody.invalid/hunter2", "resolved")]
)
def test_nobody_there(url: str, words: str) -> None:
    with pytest.raises(RetryLater, match=words) as caught:
        ask(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_private_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))

    def answer(connection: socket.socket) -> None:
        connection.recv(REQUEST)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with serving(answer, context) as url:
        assert HttpClient("webhook", str(file)).send("POST", url, {}, b"").status == 204
    with serving(answer, context) as url, pytest.raises(NeedsHuman, match="not trusted") as caught:
        ask(url)
    assert "ca_cert" in caught.value.hint
    with pytest.raises(NeedsHuman, match="cannot read ca_cert"):
        HttpClient("webhook", str(tmp_path / "none.pem")).send("GET", "https://localhost:1/", {})


def test_proxies_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert find_proxy("https://hooks.example/x") is None
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert find_proxy("https://hooks.example/x") == "http://proxy.example:3128"
    assert find_proxy("https://inside.example/x") is None
    assert find_proxy("http://hooks.example/x") is None


def test_a_proxy_is_asked_and_what_it_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def refuse(connection: socket.socket) -> None:
        seen.append(connection.recv(REQUEST))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    monkeypatch.setenv("no_proxy", "")
    with serving(refuse) as url:
        monkeypatch.setenv("https_proxy", url.removesuffix("/hunter2"))
        with pytest.raises(ReconcilerError, match="proxy"):
            ask("https://hooks.example/hunter2")
    assert seen[0].startswith(b"CONNECT hooks.example:443 ")
    assert b"hunter2" not in seen[0]


def test_a_login_at_a_proxy_is_decoded() -> None:
    assert proxy_headers("http://proxy.example:3128") is None
    headers = proxy_headers("http://desk%40ldn:p%40ss%3Aw%2F%C3%A9rd%25@proxy.example:3128")
    assert headers is not None
    assert base64.b64decode(headers["proxy-authorization"].removeprefix("Basic ")).decode() == "desk@ldn:p@ss:w/érd%"
