"""Commands beside a running daemon: what they answer and how they end, with the embedded history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.running.hosts import DESK, Host
from tests.support import configs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host.create(tmp_path_factory.mktemp("host"), HISTORY_URL="chdb")


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def at_the_head(host: Host, daemon: RunningDaemon) -> Iterator[None]:
    """Each test leaves a valid head that is live."""
    yield
    daemon.await_live(host.head)


def test_a_version_is_there_right_after_its_commit(host: Host, daemon: RunningDaemon) -> None:
    commit = host.risk("ann", 0.7)
    daemon.await_live(commit)
    newest = host.run("log", "--limit", "1")
    assert newest.code == 0
    assert commit[:8] in newest.out
    assert "ann risks 0.7" in newest.out
    assert "0.7 percent" in host.run("get", "user", "ann").out


def test_a_refused_commit(host: Host, daemon: RunningDaemon) -> None:
    refused = host.repo.commit({"users/ann.yaml": configs.BROKEN})
    answer = host.run("sync")
    assert (answer.code, "refused: " + refused[:8] in answer.err) == (1, True)
    assert "users/ann.yaml:3" in answer.err
    said = json.loads(host.run("status", "--format", "json").out)
    assert (said["sync"], said["health"], said["refused"]["commit"]) == ("OutOfSync", "Degraded", refused)
    assert refused[:8] in host.run("log").out
    assert host.run("plan").code == 1
    host.risk("ann", 0.8)
    assert host.run("sync").code == 0
    assert host.run("sync").out.startswith(f"live: {host.head[:8]}, no rows changed\n")


def test_a_commit_that_needs_consent(host: Host, daemon: RunningDaemon) -> None:
    commit = host.repo.commit({f"users/{name}.yaml": None for name in DESK[3:]}, "Close half of the desk")
    assert host.run("sync").code == 1
    daemon.await_status(lambda said: bool(said["refused"]))
    assert host.run("plan").code == 1
    assert host.run("sync", "--approve", "HEAD~1").code == 3
    assert host.run("sync", "--approve", commit).code == 0
    assert json.loads(host.run("status", "--format", "json").out)["applied"]["commit"] == commit
    host.repo.commit({f"users/{name}.yaml": configs.user(name) for name in DESK[3:]}, "Open it again")


def test_a_suspension(host: Host, daemon: RunningDaemon) -> None:
    assert host.run("suspend", "--reason", "broker maintenance").code == 0
    waiting = host.risk("ben", 0.9)
    answer = host.run("sync")
    assert (answer.code, "suspended" in answer.err) == (1, True)
    said = daemon.await_status(lambda said: said["head"] == waiting)
    assert (said["health"], said["sync"]) == ("Suspended", "OutOfSync")
    plan = host.run("plan", "--format", "json")
    assert plan.code == 2
    assert [change["name"] for change in json.loads(plan.out)["changes"]] == ["ben"]
    assert host.run("resume").code == 0
    daemon.await_live(waiting)
    host.run("suspend", "--reason", "lunch", "--until", "2h")
    forced = host.risk("ben", 1.0)
    assert host.run("sync", "--force").code == 0
    assert json.loads(host.run("status", "--format", "json").out)["applied"]["commit"] == forced
    assert host.run("resume").code == 0


def test_plans_need_no_turn_at_the_store(host: Host, daemon: RunningDaemon) -> None:
    """Right after a commit the daemon has the store open."""
    daemon.await_live(host.risk("cleo", 0.6))
    assert host.run("plan").code == 0
    commit = host.repo.commit(
        {"users/cleo.yaml": configs.user("cleo", risk=0.75)}, branch="proposal", parents=[host.head]
    )
    answer = host.run("plan", "--head", commit)
    assert (answer.code, "0.6 → 0.75" in answer.out) == (2, True)


def test_a_backup_that_comes_back(host: Host, daemon: RunningDaemon, tmp_path: Path) -> None:
    made = host.run("backup")
    assert made.code == 0
    daemon.await_live(host.risk("dan", 1.2))
    restored = host.run("restore", made.out.strip())
    assert restored.code == 0
    daemon.await_status(lambda said: said["sync"] == "Synced" and said["applied"]["commit"] == host.head)
    assert "1.2 percent" in host.run("get", "user", "dan").out
    assert "restored" in [event for event, _ in daemon.events()]
    assert host.run("restore", str(tmp_path / "nothing.duckdb")).code == 3


def test_all_is_as_git_says(host: Host, daemon: RunningDaemon) -> None:
    for command in ("drift", "verify", "doctor"):
        answer = host.run(command)
        assert answer.code == 0, answer
    assert host.run("drift", "--heal").code == 0
    assert host.run("get", "user", "nobody").code == 3
    assert host.run("get", "wizard").code == 3
