"""What happens to a repository elsewhere and to the mirror of it: the daemon ends at the head, every commit once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.running.hosts import Host, check, settle
from tests.support import configs, fronts
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, front: fronts.RunningFront) -> Host:
    return Host.elsewhere(tmp_path_factory.mktemp("host"), HISTORY_URL=front.url("elsewhere"))


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as daemon:
        yield daemon
        check(host, daemon)


@pytest.fixture(autouse=True)
def well_at_the_end(host: Host, daemon: RunningDaemon) -> Iterator[None]:
    yield
    settle(host, daemon)


def test_a_history_that_is_rewritten_and_collected(host: Host, daemon: RunningDaemon) -> None:
    before = host.head
    daemon.await_live(host.risk("ann", 0.6))
    host.repo.commit({"users/ben.yaml": configs.user("ben", risk=0.9)}, parents=[before])
    host.repo.git("reflog", "expire", "--expire=now", "--all")
    host.repo.git("gc", "--quiet", "--prune=now")
    daemon.await_log("HistoryRewritten")


def test_a_branch_that_is_deleted_and_comes_back(host: Host, daemon: RunningDaemon) -> None:
    head = host.head
    host.repo.git("update-ref", "-d", "refs/heads/main")
    said = daemon.await_status(lambda said: bool(said["troubles"]))
    assert "the branch main is gone" in said["troubles"][0]["message"]
    assert (said["applied"]["commit"], said["resources"]["User"]) == (head, 6)
    host.repo.commit({"users/ben.yaml": configs.user("ben", risk=1.0)}, parents=[head])


def test_a_remote_that_is_gone_for_a_while(host: Host, daemon: RunningDaemon) -> None:
    away = host.repo.path.with_name("away")
    host.repo.path.rename(away)
    said = daemon.await_status(lambda said: bool(said["troubles"]))
    assert (said["health"], said["resources"]["User"]) == ("Degraded", 6)
    away.rename(host.repo.path)
    host.repo.git("pack-refs", "--all", "--prune")
    host.risk("cleo", 0.9)


def truncated(mirror: Path) -> None:
    GitRepo(mirror).git("repack", "-adq")
    for pack in (mirror / "objects").rglob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[: pack.stat().st_size // 2])


def emptied(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")
    (mirror / "objects").mkdir()


def scribbled(mirror: Path) -> None:
    (mirror / "HEAD").write_bytes(b"\0garbage\n")


def deleted(mirror: Path) -> None:
    shutil.rmtree(mirror)


@pytest.mark.parametrize(
    "damage", [truncated, scribbled, *(pytest.param(one, marks=pytest.mark.soak) for one in (emptied, deleted))]
)
def test_a_damaged_mirror(host: Host, daemon: RunningDaemon, damage: Callable[[Path], None]) -> None:
    damage(host.state / "mirror.git")
    daemon.await_live(host.risk("dan", round(0.3 + len(damage.__name__) / 100, 2)))


@pytest.mark.soak
def test_a_hundred_commits_and_a_push_of_five_hundred(host: Host, daemon: RunningDaemon) -> None:
    for number in range(10):
        with host.repo.bulk():
            for more in range(10):
                host.repo.commit({"users/ann.yaml": configs.user("ann", risk=0.5 + (number * 10 + more) / 1_000)})
    with host.repo.bulk():
        for number in range(500):
            host.repo.commit({"users/ben.yaml": configs.user("ben", risk=0.5 + number / 1_000)})


def test_a_start_while_the_remote_is_gone(tmp_path: Path, host: Host, daemon: RunningDaemon) -> None:
    """What is live is told at once, wherever git is."""
    lonely = Host.elsewhere(tmp_path)
    with lonely.daemon():
        pass
    away = lonely.repo.path.with_name("away")
    lonely.repo.path.rename(away)
    with lonely.starting() as other:
        said = other.await_status(lambda said: bool(said["troubles"]))
        assert (said["applied"]["commit"], said["resources"]["User"], said["health"]) == (
            host.repo.git("rev-list", "--max-parents=0", "HEAD"),
            6,
            "Degraded",
        )
        away.rename(lonely.repo.path)
        other.await_live(lonely.risk("eve", 0.9))
