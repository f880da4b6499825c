"""A program's configuration from real daemons over HTTP, with Redis and without, while one or both die."""

from __future__ import annotations

import http.server
import queue
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler.client import Change, Config, NoSuchRow
from reconciler.client import config as client
from reconciler.client.sources import REBUILD
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from tests.running.hosts import Host
from tests.support.daemons import until
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE
from tests.support.valkey import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemons import RunningDaemon


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host.create(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "REST", 0.05)


def _url(daemon: RunningDaemon) -> str:
    return f"http://{daemon.client().address}"


def _seen(config: Config, **about: str) -> queue.Queue[Change]:
    seen: queue.Queue[Change] = queue.Queue()
    changes = config.watch(**about)
    threading.Thread(target=lambda: [seen.put(one) for one in changes], daemon=True).start()
    return seen


@pytest.mark.slow
def test_rows_are_had_from_a_daemon(host: Host, daemon: RunningDaemon) -> None:
    with Config(_url(daemon)) as config:
        row = config.user("ann")
        assert (row.status, row.age, row.is_current) == ("ACTIVE", 0.0, True)
        daemon.await_live(host.risk("ann", 0.75))
        assert config.user("ann").risk_per_trade_percent == 0.75
        for kind, name in (
            ("user", "nobody"),
            ("users", "ann"),
            ("colour", "red"),
            ("user", "../status"),
            ("user", ""),
        ):
            with pytest.raises(NoSuchRow):
                config.row(kind, name)
        with pytest.raises(NoSuchRow):
            config.user(row.user_id)  # a name is what it goes by, as in Redis


@pytest.mark.slow
def test_the_state_folder_says_where_the_daemon_is(host: Host, daemon: RunningDaemon) -> None:
    with Config(host.state) as config:
        assert config.user("ben").age == 0.0


@pytest.mark.slow
def test_watching_over_http_misses_nothing(host: Host, daemon: RunningDaemon) -> None:
    with Config(_url(daemon)) as config:
        seen, ben = _seen(config), _seen(config, kind="User", name="ben")
        first, second = host.risk("ann", 1.0), host.risk("ben", 1.25)
        told = [seen.get(timeout=DEADLINE), seen.get(timeout=DEADLINE)]
        height = host.repo.rev_count()
        assert told[-1] == Change("user", "ben", "update", second, height)
        # Two commits that come at once may go live as one
        assert (told[0].kind, told[0].name, told[0].op) == ("user", "ann", "update")
        assert told[0].commit in {first, second}
        assert ben.get(timeout=DEADLINE) == told[-1]
        assert seen.empty()


@pytest.mark.slow
def test_a_daemon_that_is_started_again_is_followed_again(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    with host.daemon() as running, Config(host.state) as config:
        seen = _seen(config)
        assert config.user("ann").is_current
        time.sleep(0.3)
        assert running.stop() == 0
        row = config.user("ann")
        assert (row.status, row.is_current) == ("ACTIVE", False)
        assert row.age > 0
        with pytest.raises(RetryLater):
            config.user("cleo")
        commit = host.risk("ann", 2.0)
        with host.daemon():
            until(lambda: config.user("ann").is_current)
            assert config.user("ann").risk_per_trade_percent == 2.0
            assert seen.get(timeout=DEADLINE) == REBUILD
            later = host.risk("ann", 0.5)
            told = seen.get(timeout=DEADLINE)
            while told.commit in {"", commit}:
                told = seen.get(timeout=DEADLINE)
            assert (told.commit, told.name) == (later, "ann")


@pytest.mark.slow
def test_when_redis_dies_the_daemon_is_asked_and_when_both_are_gone_memory(tmp_path: Path) -> None:
    with server() as redis:
        host = Host.create(tmp_path, REDIS_URL=redis.url)
        with host.daemon() as daemon:
            daemon.await_status(lambda said: bool(said["live_view"]) and said["live_view"]["commit"] == host.head)
            with Config(redis.url) as near, Config(redis.url, daemon=_url(daemon)) as config:
                seen = _seen(config, kind="user")
                host.risk("ben", 0.25)
                assert seen.get(timeout=DEADLINE).name == "ben"
                assert dict(near.user("ann")) == dict(config.user("ann"))
                assert redis._process is not None
                redis._process.kill()
                redis._process.wait()
                row = config.user("ann")
                assert row.is_current
                assert dict(row) == dict(near.user("ann"))  # remembered from Redis: the same columns, the same values
                assert config.user("finn").is_current  # never asked for before
                assert seen.get(timeout=DEADLINE) == REBUILD
                commit = host.risk("ann", 0.25)
                told = seen.get(timeout=DEADLINE)
                while told.name != "ann":  # the daemon may tell again what Redis has told
                    told = seen.get(timeout=DEADLINE)
                assert (told.commit, told.name) == (commit, "ann")
                assert config.user("ann").risk_per_trade_percent == 0.25
                daemon.kill()
                row = config.user("ann")
                assert (row.risk_per_trade_percent, row.is_current) == (0.25, False)


@pytest.mark.slow
def test_an_empty_host_takes_no_known_row_away(tmp_path: Path, host: Host, daemon: RunningDaemon) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.commit({"users/ann.yaml": "not: [valid"})
    empty = Host(repo, str(repo.path), tmp_path / "state", host.settings)
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "daemon.json").write_bytes((host.state / "daemon.json").read_bytes())
    with Config(moved) as config, empty.starting() as other:
        assert config.user("ann").is_current
        assert other.await_status(lambda said: said["attempted"] is not None)["applied"] is None
        (moved / "daemon.json").write_bytes((empty.state / "daemon.json").read_bytes())
        row = config.user("ann")
        assert (row.status, row.is_current) == ("ACTIVE", False)
        time.sleep(0.1)
        with pytest.raises(RetryLater):  # not `NoSuchRow`
            config.user("nobody")


@pytest.mark.parametrize("url", ["http://", "http://x/path", "ftp://x", "http://x?y"])
def test_what_is_no_daemon(url: str) -> None:
    with pytest.raises(UsageError, match="is no daemon's address"):
        Config("127.0.0.1:1", daemon=url)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", RetryLater),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", RetryLater),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", RetryLater),
        (b"SSH-2.0-OpenSSH_9.2\r\n", RetryLater),
        (b"", RetryLater),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 31\r\n\r\n" + b'{"error":{"message":"a token"}}', NeedsHuman),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", RetryLater),
        (b"HTTP/1.1 429 Slow\r\nContent-Length: 2\r\n\r\n{}", RetryLater),
    ],
)
def test_what_is_not_an_answer_is_an_error_that_says_so(answer: bytes, error: type[Exception]) -> None:
    with _answering(answer) as port, Config(f"http://127.0.0.1:{port}") as config, pytest.raises(error) as caught:
        config.user("ann")
    assert type(caught.value) is error
    assert f"127.0.0.1:{port}" in str(caught.value)


@contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    """Somebody who answers everybody with these bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.connection.recv(65536)
            self.connection.sendall(answer)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield serving.server_address[1]
        finally:
            serving.shutdown()
            thread.join()
