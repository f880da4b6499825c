"""The primary is lost, Sentinels choose another, and a daemon with its sessions and its live view follows by itself."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.connection import connect
from reconciler.client import Config
from tests.running.hosts import Host
from tests.support.patience import until
from tests.support.sentinels import sentinel_group

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemons import RunningDaemon
    from tests.support.sentinels import Group

pytestmark = pytest.mark.slow


def begin(host: Host) -> str:
    """Begin a session; its id."""
    answer = host.run("session", "create", "ann", "--ip", "2001:db8::7", "--device", "x", "--format", "json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    return str(told["session_id"])


def is_active(host: Host, session_id: str) -> bool:
    """Whether a session can be asked for, and is there."""
    answer = host.run("session", "get", session_id, "--format", "json")
    return answer.code == 0 and json.loads(answer.out)["status"] == "ACTIVE"


def await_copies(group: Group) -> None:
    """Wait until the replica has all that was written."""
    with connect(group.url, answer_timeout=5) as link:
        until(lambda: link.ask("WAIT", 1, 1000) >= 1)


def await_view(daemon: RunningDaemon, commit: str) -> None:
    """Wait until the live view is at a commit."""
    daemon.await_status(lambda said: bool(said["live_view"]) and said["live_view"]["commit"] == commit)


def test_a_daemon_follows_a_failover(tmp_path: Path) -> None:
    with sentinel_group() as group:
        host = Host.create(tmp_path, REDIS_URL=group.url)
        with host.daemon() as daemon, Config(group.url) as config:
            await_view(daemon, host.head)
            session_id = begin(host)
            await_copies(group)
            group.kill(old := group.primary())
            daemon.await_status(lambda said: said["health"] == "Degraded")
            commit = daemon.await_live(host.risk("ann", 0.75))["applied"]["commit"]
            until(lambda: is_active(host, session_id), daemon.log)
            await_view(daemon, commit)
            assert daemon.await_status(lambda said: said["health"] == "Healthy")["troubles"] == []
            until(lambda: config.user("ann").risk_per_trade_percent == 0.75)
            assert group.primary() != old
            until(lambda: host.run("session", "touch", session_id).code == 0)
        told = host.run("doctor", "--format", "json").out + daemon.log()
        assert not any(secret in told for secret in ("w0rd", "s3nt"))
        by_check = [one["message"] for one in json.loads(host.run("doctor", "--format", "json").out)]
        assert any(f"whose primary is 127.0.0.1:{group.primary()}" in message for message in by_check)
        assert any("no replica: when it is lost" in message for message in by_check)


@pytest.mark.soak
def test_ten_failovers(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    seconds: list[float] = []
    with sentinel_group() as group:
        host = Host.create(tmp_path, REDIS_URL=group.url)
        with host.daemon() as daemon:
            for number in range(10):
                await_view(daemon, commit := host.risk("ann", 0.25 + number / 100))
                session_id = begin(host)
                await_copies(group)
                old = group.primary()
                group.kill(old)
                lost = time.monotonic()
                until(lambda session_id=session_id: is_active(host, session_id), daemon.log)  # type: ignore[misc]
                seconds.append(round(time.monotonic() - lost, 1))
                await_view(daemon, commit)
                group.serve(old, f"replicaof 127.0.0.1 {group.primary()}")
                group.await_replicas()
    record_property("seconds", seconds)
    print("seconds until sessions were back:", seconds)  # noqa: T201  what a soak is run for
    assert max(seconds) < 10, seconds
