"""The way of a command to a running daemon, over the real server: answers, and errors as they were raised there."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler import answers
from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RetryLater, UsageError
from reconciler.service import remote
from reconciler.service.control import HostControl, Resumed
from reconciler.service.endpoint import find_endpoint
from reconciler.service.endpoints import ENDPOINTS
from reconciler.service.halts import HaltChoice
from reconciler.service.host import Host
from reconciler.service.remote import DaemonClient
from reconciler.service.rows import Rows
from tests.support.patience import DEADLINE
from tests.web.harness import TOKEN, Daemon, Site, TypedDaemon, running

if TYPE_CHECKING:
    from collections.abc import Iterator


def _client(site: Site, token: str = TOKEN) -> DaemonClient:
    return DaemonClient(str(site.server.address.local), token)


def test_each_call_reaches_the_daemon() -> None:
    with running(TypedDaemon()) as site:
        asking = _client(site)
        assert asking.ask(Host.status).applied is None
        assert asking.ask(Rows.drift) == answers.Drift(drift=(), summary={})
        assert asking.ask(HostControl.sync, "maren", approve="2e527c27").head is None
        assert asking.ask(HostControl.sync, "maren", force=True).changes == ()
        assert asking.ask(HostControl.verify, "maren").rows == 0
        assert asking.ask(HostControl.suspend, "maren", "NFP", "2099-01-01T00:00Z").until is None
        assert asking.ask(HostControl.suspend, "maren", "NFP").until is None
        assert asking.ask(HostControl.resume, "maren") == Resumed(ended=None)
        assert asking.ask(HostControl.restore, "maren", "/backups/one.zip").aside is None
        by: dict[str, object] = {"by": "maren"}
        assert site.daemon.asked == [
            ("Host.status", {}),
            ("Rows.drift", {}),
            ("HostControl.sync", by | {"approve": "2e527c27", "force": False, "rejudge": False}),
            ("HostControl.sync", by | {"force": True, "rejudge": False}),
            ("HostControl.verify", by),
            ("HostControl.suspend", by | {"reason": "NFP", "until": "2099-01-01T00:00Z"}),
            ("HostControl.suspend", by | {"reason": "NFP"}),
            ("HostControl.resume", by),
            ("HostControl.restore", by | {"file": "/backups/one.zip"}),
        ]


def test_what_is_halted_arrives_as_it_was_chosen() -> None:
    choices = [
        HaltChoice("user", ("ann", "ben")),
        HaltChoice("user", label="desk=fx, !old"),
        HaltChoice("user", all=True),
        HaltChoice(all=True),
        HaltChoice(),
    ]
    with running(TypedDaemon()) as site:
        for choice in choices:
            _client(site).ask(HostControl.halt, "maren", "the feed", choice)
            _client(site).ask(HostControl.release, "maren", "the feed", choice)
        given = [
            arguments for name, arguments in site.daemon.asked if name in ("HostControl.halt", "HostControl.release")
        ]
        assert [one["choice"] for one in given] == [choice for choice in choices for _ in range(2)]
        assert {(one["by"], one["reason"], len(one)) for one in given} == {("maren", "the feed", 3)}


@pytest.mark.parametrize("kind", [RetryLater, UsageError, NeedsHuman, BugError])
def test_errors_come_back_as_they_were_raised(kind: type[ReconcilerError]) -> None:
    with running(Daemon(error=kind("git is away, «now»", hint="look at `it`"))) as site:
        for call, given in ((Host.status, ()), (HostControl.sync, ("maren",))):
            with pytest.raises(ReconcilerError) as caught:
                _client(site).ask(call, *given)
            assert type(caught.value) is kind
            assert (str(caught.value), caught.value.hint) == ("git is away, «now»", "look at `it`")


def test_a_wrong_token_needs_a_human() -> None:
    with running() as site, pytest.raises(NeedsHuman, match="needs a token"):
        _client(site, "wrong").ask(HostControl.sync, "maren")


def test_a_daemon_that_stops_is_to_be_asked_later() -> None:
    with running(Daemon(hold_futures=True)) as site:
        stopping = threading.Timer(0.3, site.server.stop)
        stopping.start()
        with pytest.raises(RetryLater, match="the daemon is stopping"):
            _client(site).ask(HostControl.sync, "maren")
        stopping.join(DEADLINE)


def test_nobody_there_is_to_be_asked_later() -> None:
    with running() as site:
        gone = _client(site)
    with pytest.raises(RetryLater, match="nobody answers at 127"):
        gone.ask(Host.status)


def test_a_daemon_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SHORT_TIMEOUT", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(RetryLater, match=r"has not answered within 0\.3 s"),
    ):
        DaemonClient(f"127.0.0.1:{silent.getsockname()[1]}", TOKEN).ask(Host.status)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
    ],
    ids=lambda answer: answer[:40],
)
def test_another_program_at_its_address_is_found_out(answer: bytes) -> None:
    with _saying(answer) as address, pytest.raises(NeedsHuman, match="is not the daemon"):
        DaemonClient(address, TOKEN).ask(Host.status)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"])
def test_a_daemon_that_is_killed_is_to_be_asked_later(answer: bytes) -> None:
    with _saying(answer) as address, pytest.raises(RetryLater, match="nobody answers"):
        DaemonClient(address, TOKEN).ask(Host.status)


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with running(TypedDaemon()) as site:
        assert _client(site).ask(Host.status)


def test_the_token_shows_nowhere() -> None:
    assert "hunter2" not in repr(DaemonClient("127.0.0.1:1", "hunter2"))


@contextmanager
def _saying(answer: bytes) -> Iterator[str]:
    """A program that says one thing to whoever comes first."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            opened, _ = listening.accept()
            with opened:
                opened.recv(65_536)
                opened.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(DEADLINE)


def test_each_call_is_found_at_its_address() -> None:
    """The rows that a command imports for a call are those of the whole table."""
    calls = {endpoint.call for endpoint in ENDPOINTS if endpoint.call is not None}
    assert len(calls) > 30
    for call in calls:
        best = [endpoint for endpoint in ENDPOINTS if endpoint.call is call]
        assert find_endpoint(call) is max(best, key=lambda endpoint: endpoint.body is not None)
