"""Redis dies, hangs, is flushed, is full, or comes back with an old snapshot, and a daemon keeps its view there."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.redis.cache import ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import find_server_url
from reconciler.adapters.redis.url import read_url
from reconciler.client import Config
from tests.adapters.redis.rights import DOCUMENTED
from tests.running.hosts import Host
from tests.support import configs
from tests.support.daemons import until
from tests.support.patience import DEADLINE
from tests.support.valkey import is_running, keys, pid, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer
    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

"""Seconds within which all has to be right again after a server came back."""


@pytest.fixture(scope="module")
def redis() -> Iterator[EmbeddedServer]:
    """A server that is nobody's but this module's."""
    with server() as running:
        yield running


@pytest.fixture
def host(tmp_path: Path, redis: EmbeddedServer) -> Host:
    """A host with that server, empty."""
    with connect(redis.url, answer_timeout=5) as link:
        link.ask("FLUSHALL", "SYNC")
    return Host.create(tmp_path, REDIS_URL=redis.url)


def _shown(said: dict[str, Any]) -> str | None:
    view = said["live_view"]
    return view["commit"] if view else None


def _await_view(daemon: RunningDaemon, commit: str, seconds: float = DEADLINE) -> None:
    daemon.await_status(lambda said: _shown(said) == commit, seconds + 10)


def _risk(link: Connection, name: str) -> float:
    row = ViewReader(link).row("user", name)
    assert row is not None
    risk = row["risk_per_trade_percent"]
    assert isinstance(risk, float)
    return risk


def test_a_commit_is_in_the_live_view_and_in_the_stream_of_changes(host: Host, redis: EmbeddedServer) -> None:
    with host.daemon() as daemon, connect(redis.url, answer_timeout=5) as link:
        _await_view(daemon, host.head)
        reader = ViewReader(link)
        seen = reader.newest()
        commit = host.risk("ann", 0.75)
        until(lambda: _risk(link, "ann") == 0.75, daemon.log)
        told = [one for one in reader.after(seen, 5.0) if one.name == "ann"]
        assert [(one.kind, one.op, one.commit, one.height) for one in told] == [("user", "update", commit, 2)]
        assert link.ask("HGET", "config:meta", "commit") == commit.encode()


def test_a_row_that_leaves_git_and_comes_back(host: Host, redis: EmbeddedServer) -> None:
    with host.daemon() as daemon, connect(redis.url, answer_timeout=5) as link:
        _await_view(daemon, host.head)
        _await_view(daemon, host.repo.commit({"users/ann.yaml": None}))
        gone = ViewReader(link).row("user", "ann")
        assert gone is not None
        assert gone["status"] == "INACTIVE"  # its row stays, and so does it here
        _await_view(daemon, host.risk("ann", 0.25))
        assert _risk(link, "ann") == 0.25


def test_a_flushed_server_is_filled_again(host: Host, redis: EmbeddedServer) -> None:
    with host.daemon() as daemon, connect(redis.url, answer_timeout=5) as link:
        _await_view(daemon, host.head)
        link.ask("FLUSHALL", "SYNC")
        until(lambda: "config:user:ann" in keys(link), daemon.log)


def test_an_old_snapshot_is_brought_to_the_commit_that_is_live(host: Host, redis: EmbeddedServer) -> None:
    with host.daemon() as daemon, connect(redis.url, answer_timeout=5) as link:
        _await_view(daemon, host.head)
        old = {key: link.ask("DUMP", key) for key in keys(link)}
        _await_view(daemon, host.risk("ann", 1.25))
        for key, value in old.items():
            link.ask("RESTORE", key, 0, value, "REPLACE")
        until(lambda: _risk(link, "ann") == 1.25, daemon.log)


def test_a_server_that_hangs_keeps_no_commit_from_going_live(host: Host, redis: EmbeddedServer) -> None:
    with host.daemon() as daemon, connect(redis.url, answer_timeout=5) as link:
        _await_view(daemon, host.head)
        process = pid(link)
        os.kill(process, signal.SIGSTOP)
        try:
            said = daemon.await_live(host.risk("ann", 0.75))
            said = daemon.await_status(lambda now: now["health"] == "Degraded")
            assert [one["about"] for one in said["troubles"]] == ["Redis"]
            assert said["sync"] == "Synced"
            answer = host.run("session", "list", "ann")
            assert (answer.code, "Redis" in answer.err) == (3, True)
        finally:
            os.kill(process, signal.SIGCONT)
        _await_view(daemon, host.head)
        assert daemon.await_status(lambda now: now["health"] == "Healthy")["troubles"] == []
        assert _risk(link, "ann") == 0.75


def test_a_server_without_room_for_the_view_is_told_and_filled_when_there_is_room(
    host: Host, redis: EmbeddedServer
) -> None:
    with host.daemon() as daemon, connect(redis.url, answer_timeout=5) as link:
        _await_view(daemon, host.head)
        room = link.ask("CONFIG", "GET", "maxmemory")
        link.ask("CONFIG", "SET", "maxmemory", 1)
        try:
            daemon.await_live(host.risk("ann", 0.75))
            said = daemon.await_status(lambda now: bool(now["troubles"]))
            assert "memory" in said["troubles"][0]["message"]
        finally:
            value = room[b"maxmemory"] if isinstance(room, dict) else room[1]
            link.ask("CONFIG", "SET", "maxmemory", value)
        until(lambda: _risk(link, "ann") == 0.75, daemon.log)


def test_the_embedded_server_that_dies_is_started_again_and_filled(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="embedded")
    with host.daemon() as daemon:
        _await_view(daemon, host.head)
        with Config(host.state) as config:
            assert config.user("ann").risk_per_trade_percent == 0.5
            answer = host.run("session", "create", "ann", "--ip", "2001:db8::7", "--device", "x", "--format", "json")
            assert answer.code == 0, answer.err
            process = _embedded_pid(host.state)
            time.sleep(1.1)  # what was written is on the disk within a second
            os.kill(process, signal.SIGKILL)
            daemon.await_live(host.risk("ann", 0.75))
            until(lambda: config.user("ann").risk_per_trade_percent == 0.75, daemon.log)
            _await_view(daemon, host.head)
        listed = host.run("session", "list", "ann", "--format", "json")
        assert [one["status"] for one in json.loads(listed.out)["sessions"]] == ["ACTIVE"], listed.err
        last = _embedded_pid(host.state)
    assert not is_running(last)


@pytest.mark.soak
def test_the_embedded_server_that_hangs_is_ended_and_started_again(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="embedded")
    with host.daemon() as daemon:
        _await_view(daemon, host.head)
        process = _embedded_pid(host.state)
        os.kill(process, signal.SIGSTOP)
        commit = host.risk("ann", 0.75)
        daemon.await_live(commit)
        _await_view(daemon, commit, 20)
        assert not is_running(process)
        daemon.await_status(lambda now: now["health"] == "Healthy")
        assert "RedisRestarted" in daemon.log()


def test_a_killed_daemon_leaves_a_server_that_the_next_one_takes_over(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="embedded")
    with host.daemon() as daemon:
        _await_view(daemon, host.head)
        first = _embedded_pid(host.state)
        daemon.kill()
    commit = host.risk("ann", 0.75)
    with host.daemon() as daemon:
        _await_view(daemon, commit)
        assert not is_running(first)


def _embedded_pid(state: Path) -> int:
    with connect(_embedded_url(state), answer_timeout=5) as link:
        return pid(link)


def _embedded_url(state: Path) -> str:
    until(lambda: find_server_url(state) is not None)
    url = find_server_url(state)
    assert url is not None
    return url


def test_who_is_switched_off_loses_every_session_at_once_and_it_is_on_record(host: Host, redis: EmbeddedServer) -> None:
    with host.daemon() as daemon:
        _await_view(daemon, host.head)
        for name in ("ann", "ann", "ben", "cleo"):
            answer = host.run("session", "create", name, "--ip", "203.0.113.7", "--device", "phone")
            assert answer.code == 0, answer.err
        host.repo.commit({"users/ann.yaml": configs.user("ann", status="INACTIVE"), "users/ben.yaml": None})
        until(lambda: _statuses(host, "ann") == ["EXPIRED", "EXPIRED"], daemon.log)
        assert _statuses(host, "ben") == ["EXPIRED"]
        assert _statuses(host, "cleo") == ["ACTIVE"]
        refused = host.run("session", "create", "ann", "--ip", "203.0.113.7", "--device", "phone")
        assert (refused.code, "[not-allowed] /user_id" in refused.err) == (1, True)
        until(lambda: _ended(daemon) == 3, daemon.log)


def test_what_redis_missed_while_it_was_away_is_made_up_for(host: Host, redis: EmbeddedServer) -> None:
    with host.daemon() as daemon:
        _await_view(daemon, host.head)
        assert host.run("session", "create", "ann", "--ip", "203.0.113.7", "--device", "phone").code == 0
    host.repo.commit({"users/ann.yaml": configs.user("ann", status="INACTIVE")})
    with host.daemon(REDIS_URL="none"):
        pass
    with host.daemon() as daemon:
        until(lambda: _statuses(host, "ann") == ["EXPIRED"], daemon.log)


def test_a_daemon_with_the_documented_rights_and_no_others_does_all_of_it(
    tmp_path: Path, redis: EmbeddedServer
) -> None:
    """The daemon's login, and one for a program that reads, have just the rules that docs/sessions.md lists."""
    with connect(redis.url, answer_timeout=5) as link:
        link.ask("FLUSHALL", "SYNC")
        for name in ("reconciler", "reader"):
            link.ask("ACL", "SETUSER", name, "reset", "on", ">pw", *DOCUMENTED[name])
    place = read_url(redis.url).place
    host = Host.create(tmp_path, REDIS_URL=f"unix://reconciler:pw@{place}?socket_timeout=5")
    with host.daemon() as daemon:
        _await_view(daemon, host.head)
        assert host.run("session", "create", "ann", "--ip", "203.0.113.7", "--device", "phone").code == 0
        host.repo.commit({"users/ann.yaml": configs.user("ann", status="INACTIVE")})
        until(lambda: _statuses(host, "ann") == ["EXPIRED"], daemon.log)
        assert host.run("drift", "--heal").code == 0
        assert daemon.status()["troubles"] == []
        told = json.loads(host.run("doctor", "--format", "json").out)
        assert {one["grade"] for one in told if one["check"] == "redis"} == {"ok"}
        with connect(f"unix://reader:pw@{place}", answer_timeout=5) as link:
            assert _risk(link, "ben") > 0
            assert ViewReader(link).after("0-0", 5.0)
    with connect(redis.url, answer_timeout=5) as link:
        assert link.ask("ACL", "LOG") == []


def test_without_redis_all_else_works_and_sessions_say_what_to_set(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="none")
    with host.daemon() as daemon:
        daemon.await_live(host.risk("ann", 0.75))
        assert daemon.status()["troubles"] == []
        for words in (["list", "ann"], ["get", "x"], ["create", "ann", "--ip", "::1", "--device", "x"]):
            answer = host.run("session", *words)
            assert (answer.code, "redis.url" in answer.err) == (3, True)


def _ended(daemon: RunningDaemon) -> int:
    time.sleep(0.5)  # whoever looks without a pause keeps the daemon from its turn
    told = [detail["sessions"] for event, detail in daemon.events() if event == "sessions-expired"]
    return sum(count for one in told for count in one.values())


def _statuses(host: Host, name: str) -> list[str]:
    answer = host.run("session", "list", name, "--format", "json")
    assert answer.code == 0, answer.err
    return [one["status"] for one in json.loads(answer.out)["sessions"]]
