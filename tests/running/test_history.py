"""A ClickHouse server that misbehaves: commits go live all the same, and when it is back it has each of them once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.daemon.history import Backfill
from reconciler.errors import RetryLater
from reconciler.settings import load
from reconciler.wiring.local import local_host
from tests.running import storms
from tests.running.hosts import Host, check
from tests.support import fronts
from tests.support.kinds import FixedClock
from tests.support.memory.ledger import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

"""Seconds in which a commit is live on a busy machine, whatever the history does."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="module")
def front(folder: Path) -> Iterator[fronts.RunningFront]:
    with fronts.running(folder / "engine") as front:
        yield front


@pytest.fixture(scope="module")
def host(folder: Path, front: fronts.RunningFront) -> Host:
    return Host.create(folder, HISTORY_URL=front.url("faults"))


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as daemon:
        check(host, daemon)
        yield daemon


def live_at_once(host: Host, daemon: RunningDaemon, times: int = 3) -> None:
    for number in range(times):
        daemon.await_live(host.risk("ann", 0.5 + number / 10))
        host.risk("ben", 0.5 + number / 10)


def await_trouble(daemon: RunningDaemon, seconds: float = 15.0) -> None:
    """The reason and the lag are told."""
    said = daemon.await_status(lambda said: any(one["about"] == "History" for one in said["troubles"]), seconds)
    assert said["health"] == "Degraded"
    assert said["history"]["failure"]["message"]
    assert said["history"]["versions"] + said["history"]["events"] > 0
    assert said["history"]["next_attempt_at"]


def recovered(host: Host, daemon: RunningDaemon) -> None:
    check(host, daemon)
    storms.check_events(host, daemon)
    assert daemon.status()["history"]["failure"] is None


@pytest.mark.parametrize(
    ("mode", "times", "match"),
    [
        ("refuse", 1, "config_versions"),
        pytest.param("refuse", 2, "host_events", marks=pytest.mark.soak),
        ("lose", 3, "` ("),  # every insert is executed, and its answer never comes; the client asks three times
        pytest.param("code-241", 1, "user_config", marks=pytest.mark.soak),  # its memory is full
    ],
)
def test_a_server_that_fails(
    host: Host, daemon: RunningDaemon, front: fronts.RunningFront, mode: str, times: int, match: str
) -> None:
    front.fault(mode, times=times, match=match)
    live_at_once(host, daemon)
    await_trouble(daemon)
    recovered(host, daemon)


@pytest.mark.soak
def test_a_server_that_hangs(host: Host, daemon: RunningDaemon, front: fronts.RunningFront) -> None:
    front.fault("hang", times=1, match="config_versions")
    live_at_once(host, daemon)
    await_trouble(daemon, 40)
    recovered(host, daemon)


def test_a_start_while_suspended_ships_all_the_same(tmp_path: Path, front: fronts.RunningFront) -> None:
    """What happened before the last process ended is still to be told, and the history can be read."""
    host = Host.create(tmp_path, HISTORY_URL=front.url("paused"))
    front.fault("refuse", times=1_000, match="`paused`")
    with host.daemon():
        assert host.run("suspend", "--reason", "lunch").code == 0
    front.fault("", times=0)
    with host.starting() as daemon:
        daemon.await_status(lambda said: bool(said["suspended"]))
        assert storms.check_events(host, daemon) >= 3
        assert host.head[:8] in host.run("log").out


def test_after_a_restart_the_count_is_right_from_the_first_answer(tmp_path: Path, front: fronts.RunningFront) -> None:
    host = Host.create(tmp_path, HISTORY_URL=front.url("restarted"))
    host.risk("ann", 0.75)
    with host.daemon() as daemon:
        daemon.await_status(lambda said: said["history"]["recorded"] == 2 and not said["history"]["behind"])
    with host.starting() as daemon:
        said = daemon.await_status(lambda said: said["history"] is not None)
        assert said["history"]["recorded"] == 2
        assert daemon.await_status(lambda said: not said["history"]["behind"])["history"]["recorded"] == 2


def test_a_server_that_is_killed_and_comes_back(
    host: Host, daemon: RunningDaemon, front: fronts.RunningFront, folder: Path
) -> None:
    front.process.kill()
    front.process.wait()
    live_at_once(host, daemon)
    await_trouble(daemon)
    assert host.run("log").code == 3
    assert host.run("get", "user", "ann").code == 0
    with fronts.running(folder / "engine", port=front.port):
        recovered(host, daemon)
        daemon.stop()


def test_git_that_cannot_be_read_keeps_shipping_waiting_no_longer_than_a_server(tmp_path: Path) -> None:
    """The branch was deleted, or git collected the head: whose business it is knows the operations thread."""
    host = Host.create(tmp_path)
    settings = load(None, {"repository.url": host.origin, "repository.branch": "main"}, {})
    local = local_host(settings)
    backfill = Backfill(settings, local.openers.source, local.bundled, local.openers.faults)
    host.repo.commit({}, branch="other", parents=[])
    host.repo.git("symbolic-ref", "HEAD", "refs/heads/other")
    host.repo.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(RetryLater):
        backfill.record_missing("main", lambda: MemoryLedger(FixedClock()), {}, lambda: None)
