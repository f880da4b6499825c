"""Hosts that share a server, and servers that take each other's place, under real daemons."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.cache import ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import EmbeddedServer
from tests.running.hosts import Host
from tests.support import configs
from tests.support.daemons import until
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE
from tests.support.proxies import proxy
from tests.support.valkey import MB, pid, server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.redis.connection import Connection
    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

PASSWORD = "shared"


def test_a_host_that_lags_stands_back(tmp_path: Path) -> None:
    with server() as redis:
        ahead = Host.create(tmp_path / "ahead", REDIS_URL=redis.url, HOST_NAME="desk-1")
        other = GitRepo.create(tmp_path / "behind" / "config")
        other.git("pull", "-q", str(ahead.repo.path), ahead.repo.branch)
        behind = Host(other, str(other.path), tmp_path / "behind" / "state", {**ahead.settings, "HOST_NAME": "desk-2"})
        ahead.repo.commit({"users/gil.yaml": configs.user("gil")})
        commit = ahead.risk("ann", 2.0)
        with behind.daemon() as late, connect(redis.url, answer_timeout=5) as link:
            _await_view(late, behind.head)
            with ahead.daemon() as first:
                _await_view(first, commit)
                assert ahead.run("session", "create", "gil", "--ip", "::1", "--device", "x").code == 0
                said = late.await_status(lambda said: bool(said["live_view"]["kept_by"]))
                assert said["live_view"]["kept_by"].startswith("desk-1 ")
                assert (said["sync"], said["health"]) == ("Synced", "Healthy")
                late.await_log("StandingBack")
                rebuilds = _rebuilds(link)
                behind.risk("ben", 1.0)  # its own branch goes on, and is not further yet
                time.sleep(2.5)
                assert _rebuilds(link) == rebuilds
                assert link.ask("HGET", "config:meta", "commit") == commit.encode()
                assert _risk(link, "ann") == 2.0
                # nobody whom only the other host knows has lost a session
                told = json.loads(ahead.run("session", "list", "gil", "--format", "json").out)
                assert [one["status"] for one in told["sessions"]] == ["ACTIVE"]
                assert first.status()["live_view"]["kept_by"] is None
                for number in range(2):  # now it is
                    behind.risk("cleo", 1.0 + number)
                _await_view(late, behind.head)
                assert first.await_status(lambda said: said["live_view"]["kept_by"] is not None)["sync"] == "Synced"
                late.await_log("KeepingView")


def test_two_hosts_on_one_commit_do_not_rebuild_for_each_other(tmp_path: Path) -> None:
    with server() as redis:
        one = Host.create(tmp_path, REDIS_URL=redis.url, HOST_NAME="desk-1")
        two = Host(one.repo, one.origin, tmp_path / "other", {**one.settings, "HOST_NAME": "desk-2"})
        with one.daemon() as first, two.daemon() as second, connect(redis.url, answer_timeout=5) as link:
            _await_view(first, one.head)
            _await_view(second, one.head)
            rebuilds = _rebuilds(link)
            for number in range(3):
                commit = one.risk("ann", 0.5 + number / 10)
                for daemon in (first, second):
                    daemon.await_live(commit)
                until(lambda wanted=0.5 + number / 10: _risk(link, "ann") == wanted)
            time.sleep(1.5)
            assert _rebuilds(link) == rebuilds


def test_a_replica_takes_the_place_of_its_primary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reconciler.adapters.redis.server.MAX_SOCKET_PATH", 0
    )  # on loopback: a replica needs a port to follow
    with _tcp() as (primary, primary_port), _tcp() as (replica, replica_port), proxy(primary_port) as address:
        replica.ask("CONFIG", "SET", "masterauth", PASSWORD)
        replica.ask("REPLICAOF", "127.0.0.1", primary_port)
        until(lambda: b"master_link_status:up" in replica.ask("INFO", "replication"), seconds=20)
        host = Host.create(tmp_path, REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{address.port}")
        with host.daemon() as daemon:
            _await_view(daemon, host.head)
            assert host.run("session", "create", "ann", "--ip", "::1", "--device", "x").code == 0
            until(lambda: primary.ask("WAIT", 1, 1000) == 1)
            os.kill(pid(primary), signal.SIGKILL)
            address.turn(replica_port)  # it is asked before it is promoted
            commit = host.risk("ann", 2.0)
            daemon.await_live(commit)
            said = daemon.await_status(lambda said: bool(said["troubles"]))
            assert said["troubles"][0]["about"] == "Redis"
            answer = host.run("session", "create", "ann", "--ip", "::1", "--device", "x")
            assert (answer.code, "failing over" in answer.err) == (3, True)
            replica.ask("REPLICAOF", "NO", "ONE")
            _await_view(daemon, commit)
            daemon.await_status(lambda said: said["health"] == "Healthy")
            assert _risk(replica, "ann") == 2.0
            told = json.loads(host.run("session", "list", "ann", "--format", "json").out)
            assert [one["status"] for one in told["sessions"]] == ["ACTIVE"]


@contextmanager
def _tcp() -> Iterator[tuple[Connection, int]]:
    """A server with the shared password, and its port."""
    folder = tempfile.TemporaryDirectory(prefix="rv", ignore_cleanup_errors=True)
    with folder as state, EmbeddedServer(Path(state), MB) as running, connect(running.url, answer_timeout=5) as link:
        link.ask("CONFIG", "SET", "requirepass", PASSWORD)
        port = int(running.url.rpartition(":")[2].partition("/")[0])
        with connect(f"redis://:{PASSWORD}@127.0.0.1:{port}/0", answer_timeout=5) as shared:
            yield shared, port


def _await_view(daemon: RunningDaemon, commit: str, seconds: float = DEADLINE) -> None:
    daemon.await_status(lambda said: bool(said["live_view"]) and said["live_view"]["commit"] == commit, seconds)


def _rebuilds(link: Connection) -> int:
    entries = link.ask("XRANGE", "config:changes", "-", "+")
    return sum(b"rebuild" in parts for _, parts in entries)


def _risk(link: Connection, name: str) -> float | None:
    row = ViewReader(link).row("user", name)
    return row and row["risk_per_trade_percent"]
