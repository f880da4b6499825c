"""What people do to a repository on this machine: the daemon ends at the head, and every commit is on record once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.running.hosts import Host, check, settle
from tests.support import configs, fronts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, front: fronts.RunningFront) -> Host:
    return Host.create(tmp_path_factory.mktemp("host"), HISTORY_URL=front.url("local"))


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as daemon:
        yield daemon
        check(host, daemon)


@pytest.fixture(autouse=True)
def well_at_the_end(host: Host, daemon: RunningDaemon) -> Iterator[None]:
    yield
    settle(host, daemon)


def test_a_history_that_is_rewritten(host: Host, daemon: RunningDaemon) -> None:
    before = host.head
    for number in range(3):
        daemon.await_live(host.risk("ann", 0.6 + number / 10))
    host.repo.commit({"users/ben.yaml": configs.user("ben", risk=0.9)}, parents=[before])


def test_a_branch_that_is_deleted_and_comes_back(host: Host, daemon: RunningDaemon) -> None:
    head = host.head
    host.repo.git("update-ref", "-d", "refs/heads/main")
    said = daemon.await_status(lambda said: bool(said["troubles"]))
    assert "the branch main is gone" in said["troubles"][0]["message"]
    assert (said["troubles"][0]["reason"], said["sync"], said["applied"]["commit"]) == ("BranchGone", "Unknown", head)
    host.repo.git("tag", "main", f"{head}~1")
    told = host.run("sync")
    assert told.code == 3
    assert "BranchGone" in told.err
    assert daemon.status()["applied"]["commit"] == head
    host.repo.git("tag", "-d", "main")
    host.repo.commit({"users/ben.yaml": configs.user("ben", risk=1.0)}, parents=[head])


def test_a_folder_that_is_away_for_a_while(host: Host, daemon: RunningDaemon) -> None:
    away = host.repo.path.with_name("away")
    host.repo.path.rename(away)
    said = daemon.await_status(lambda said: bool(said["troubles"]))
    assert said["health"] == "Degraded"
    assert said["resources"]["User"] == 6
    away.rename(host.repo.path)
    host.risk("cleo", 0.9)


def test_packed_refs(host: Host, daemon: RunningDaemon) -> None:
    host.repo.git("pack-refs", "--all")
    daemon.await_live(host.risk("cleo", 0.7))
    host.repo.git("pack-refs", "--all", "--prune")
    host.risk("cleo", 0.8)


def test_garbage_that_is_collected(host: Host, daemon: RunningDaemon) -> None:
    """Even the commit that is live may be gone by then."""
    before = host.repo.git("rev-parse", "HEAD~1")
    assert host.run("suspend", "--reason", "git is being tidied").code == 0
    host.repo.commit({"users/dan.yaml": configs.user("dan", risk=0.3)}, parents=[before])
    host.repo.git("reflog", "expire", "--expire=now", "--all")
    host.repo.git("gc", "--quiet", "--prune=now")
    assert host.run("resume").code == 0
    check(host, daemon)
    host.risk("dan", 0.4)


def test_another_branch_is_checked_out(host: Host, daemon: RunningDaemon) -> None:
    """Nothing of it goes live, and the branch of this host goes on when it is back."""
    head = host.head
    host.repo.checkout()
    host.repo.git("checkout", "-q", "-b", "summer")
    host.repo.commit({"users/eve.yaml": configs.user("eve", risk=0.3)}, branch="summer")
    said = daemon.await_status(lambda said: bool(said["troubles"]))
    assert [trouble["reason"] for trouble in said["troubles"]] == ["BranchSwitched"]
    assert (said["branch"], said["health"], said["applied"]["commit"]) == ("main", "Degraded", head)
    told = host.run("sync")
    assert (told.code, "BranchSwitched" in told.err) == (3, True)
    assert host.run("sync", "--branch", "summer").code == 3
    host.repo.git("checkout", "-q", "--force", "main")
    daemon.await_status(lambda said: not said["troubles"])


def test_a_rebase(host: Host, daemon: RunningDaemon) -> None:
    """It goes by way of a detached HEAD, and may stop there for lunch."""
    base = host.head
    for name in ("eve", "finn"):
        host.risk(name, 0.7)
    host.repo.commit({"users/new.yaml": configs.user("new")}, parents=[base], branch="upstream")
    host.repo.checkout()
    daemon.await_live(host.head)
    with pytest.raises(AssertionError, match="rebase"):
        host.repo.git("rebase", "--exec", "test -f stop-no-more", "upstream", env={"GIT_EDITOR": "true"})
    assert host.repo.git("rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
    time.sleep(0.3)
    assert (daemon.status()["branch"], daemon.status()["troubles"]) == ("main", [])
    (host.repo.path / "stop-no-more").touch()
    host.repo.git("rebase", "--continue", env={"GIT_EDITOR": "true"})


def test_a_hundred_commits_in_a_second(host: Host, daemon: RunningDaemon) -> None:
    with host.repo.bulk():
        commits = [
            host.repo.commit(
                {"users/ann.yaml": configs.user("ann", risk=0.5 + number / 1_000)}, branch="many", parents=parents
            )
            for number, parents in [(0, [host.head]), *((number, None) for number in range(1, 100))]
        ]
    reference = host.repo.path / ".git" / "refs" / "heads" / "main"
    for commit in commits:
        beside = reference.with_name("main.new")
        beside.write_text(f"{commit}\n", encoding="ascii")
        beside.replace(reference)
        time.sleep(0.005)


def test_a_push_of_five_hundred(host: Host, daemon: RunningDaemon) -> None:
    with host.repo.bulk():
        for number in range(500):
            host.repo.commit({"users/ben.yaml": configs.user("ben", risk=0.5 + number / 1_000)})
