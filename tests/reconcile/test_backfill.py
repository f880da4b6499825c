"""The ledger against git: what a host uploads that saw everything, missed something, or saw history rewritten."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.repository import open_repository
from reconciler.errors import BranchError
from reconciler.reconcile.outbox import EVENTS, INTERVALS, Outbox, StoreOutbox
from reconciler.reconcile.record import backfill
from reconciler.reconcile.upload import BatchUploader, PendingUploads, UploadTarget
from reconciler.reconcile.walk import CommitProcessor
from reconciler.values import replace
from tests.support import configs
from tests.support.cases import some
from tests.support.gitrepo import GitRepo
from tests.support.memory.ledger import MemoryLedger
from tests.support.world import CLOCK, FAULTS, SHIPPED, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.ports import Ledger
    from reconciler.reconcile.outbox import PendingVersion
    from reconciler.reconcile.sync import Reconciler, SyncResult


@dataclass
class Daemon(World):
    """A host that reconciles into an outbox and uploads from there.

    `steps` has an item for each comparison with git: how many versions were gone through for it.
    """

    outbox: Outbox = field(default_factory=Outbox)
    steps: list[int] = field(default_factory=list)

    @contextmanager
    def reconciler(self) -> Iterator[Reconciler]:
        """As the daemon makes it."""
        with super().reconciler() as plain:
            yield replace(plain, open_ledger=None, outbox=self.outbox)

    def upload(self) -> None:
        """One attempt of an uploading thread."""
        pending = PendingUploads(self.outbox, StoreOutbox(EVENTS), StoreOutbox(INTERVALS), "host-1")
        BatchUploader(
            pending, UploadTarget(lambda: nullcontext(self.ledger), self._backfill), lambda: None, lambda *_: None
        ).upload(0)

    def look(self) -> None:
        """One look at the branch while reconciling is suspended."""
        with self.reconciler() as reconciler:
            reconciler.offer_waiting(lambda done, total: None)

    def restart(self) -> None:
        """A new process."""
        self.outbox = Outbox()

    def _backfill(
        self, ledger: Callable[[], Ledger], waiting: Mapping[str, PendingVersion], pulse: Callable[[], None]
    ) -> int | None:
        with open_repository(self.repository) as source:
            head = source.resolve(self.branch)
            if head is None:
                return None
            self.outbox.note_head(head)
            processor = CommitProcessor(source, "", SHIPPED, FAULTS)
            self.steps.append(0)

            def progress(done: int, total: int) -> None:
                self.steps[-1] = done

            return backfill(source, processor, head, ledger(), waiting=waiting, progress=progress)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.create(tmp_path / "config")


@pytest.fixture
def daemon(repo: GitRepo) -> Daemon:
    return Daemon(repo.path)


def as_git_says(daemon: World, repo: GitRepo) -> bool:
    """Whether the ledger is what another host would record from nothing."""
    anew = World(repo.path, branch=daemon.branch)
    anew.sync()
    known = anew.ledger.recorded_commits()

    same = [
        replace(mine, recorded_at=theirs.recorded_at) == theirs
        for mine, theirs in zip(
            sorted(daemon.ledger.find_by_sha(known.keys()), key=lambda row: row.commit.sha),
            sorted(anew.ledger.find_by_sha(known.keys()), key=lambda row: row.commit.sha),
            strict=True,
        )
    ]
    return daemon.ledger.recorded_commits() == known and all(same)


def test_commits_are_uploaded_as_they_come(daemon: Daemon, repo: GitRepo) -> None:
    for risk in (0.5, 1.0, 1.5):
        repo.commit({"a.yaml": configs.user("ann", risk=risk)})
        result: SyncResult = daemon.attempt()
        assert result.history is None
        daemon.upload()
    assert as_git_says(daemon, repo)
    assert daemon.steps == [0]  # compared once, after what waited was recorded


def test_no_history_is_walked_beside_a_walk(daemon: Daemon, repo: GitRepo) -> None:
    """A daemon walked each history twice at its start: 48 s of two cores for 100,000 files, 24 without the second."""
    for name in ("ann", "bob"):
        repo.commit({f"{name}.yaml": configs.user(name)})
    with daemon.outbox.walk():
        daemon.attempt()
        assert daemon.outbox.filling
        daemon.upload()
        assert len(daemon.ledger.recorded_commits()) == 2  # a walk that goes on has its versions recorded as they come
        assert (daemon.steps, daemon.outbox.behind) == ([], True)
    daemon.upload()
    assert (daemon.steps, daemon.outbox.behind) == ([0], False)
    assert as_git_says(daemon, repo)


def test_rows_are_live_whatever_the_ledger_does(daemon: Daemon, repo: GitRepo) -> None:
    head = repo.commit({"a.yaml": configs.user("ann")})
    result = daemon.attempt()
    assert result.applied is not None
    assert result.applied.stamp.commit == head
    assert daemon.ledger.recorded_commits() == {}


def test_a_new_process_finds_out_what_the_last_one_left_undone(daemon: Daemon, repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    daemon.attempt()
    daemon.upload()
    for name in ("bob", "cai"):
        repo.commit({f"{name}.yaml": configs.user(name)})
    daemon.attempt()
    daemon.restart()
    daemon.upload()
    assert as_git_says(daemon, repo)
    assert daemon.steps == [0, 3]
    daemon.restart()
    daemon.upload()
    assert daemon.steps == [0, 3, 0]  # nothing was missing, so no history was walked


def test_too_much_at_once_is_taken_from_git(daemon: Daemon, repo: GitRepo) -> None:
    daemon.outbox = Outbox(max_weight=4)
    for number in range(9):
        repo.commit({f"{number}.yaml": configs.user(f"user-{number}")})
    daemon.attempt()
    daemon.upload()
    assert as_git_says(daemon, repo)


def test_rewritten_history_is_marked_orphaned(daemon: Daemon, repo: GitRepo) -> None:
    first = repo.commit({"a.yaml": configs.user("ann")})
    lost = repo.commit({"a.yaml": configs.user("ann", risk=1.0)})
    daemon.attempt()
    daemon.upload()
    repo.git("update-ref", "refs/heads/main", first)
    repo.commit({"b.yaml": configs.user("bob")})
    daemon.attempt()
    daemon.upload()
    assert as_git_says(daemon, repo)
    row = daemon.ledger.version(lost)
    assert row is not None
    assert row.orphaned


@pytest.mark.parametrize("waits", [True, False])
def test_a_refused_head_that_is_dropped_is_marked_orphaned(daemon: Daemon, repo: GitRepo, waits: bool) -> None:
    """The applied commit is where it was: only what had been looked at after it is gone."""
    valid = repo.commit({"a.yaml": configs.user("ann")})
    daemon.attempt()
    daemon.upload()
    broken = repo.commit({"b.yaml": configs.BROKEN})
    daemon.attempt()
    if not waits:
        daemon.upload()
    repo.git("update-ref", "refs/heads/main", valid)
    repo.commit({"b.yaml": configs.user("bob")})
    daemon.attempt()
    daemon.upload()
    assert as_git_says(daemon, repo)
    assert broken not in daemon.ledger.recorded_commits()


def test_a_dropped_head_that_comes_back_counts_again(daemon: Daemon, repo: GitRepo) -> None:
    valid = repo.commit({"a.yaml": configs.user("ann")})
    broken = repo.commit({"b.yaml": configs.BROKEN})
    for head in (broken, valid, broken):
        repo.git("update-ref", "refs/heads/main", head)
        daemon.attempt()
        daemon.upload()
        assert as_git_says(daemon, repo)


def test_a_side_branch_that_becomes_the_mainline(daemon: Daemon, repo: GitRepo) -> None:
    first = repo.commit({"a.yaml": configs.user("ann")})
    side = repo.commit({"b.yaml": configs.user("bob")}, branch="side", parents=[first])
    repo.merge("side")
    daemon.attempt()
    daemon.upload()
    assert daemon.ledger.recorded_commits()[side] is False
    repo.git("update-ref", "refs/heads/main", side)
    daemon.attempt()
    daemon.upload()
    assert as_git_says(daemon, repo)


def test_a_branch_that_is_deleted_for_a_while_loses_nothing(daemon: Daemon, repo: GitRepo) -> None:
    head = repo.commit({"a.yaml": configs.user("ann")})
    daemon.attempt()
    daemon.upload()
    repo.git("update-ref", "-d", "refs/heads/main")
    daemon.restart()
    with pytest.raises(BranchError, match="the branch main is gone"):
        daemon.attempt()
    daemon.upload()
    assert daemon.ledger.recorded_commits() == {head: True}
    repo.git("update-ref", "refs/heads/main", head)
    daemon.attempt()
    daemon.upload()
    assert as_git_says(daemon, repo)


def test_a_clone_that_was_cut_off_uploads_what_it_has(tmp_path: Path, repo: GitRepo) -> None:
    for risk in (0.5, 1.0, 1.5):
        repo.commit({"a.yaml": configs.user("ann", risk=risk)})
    repo.git("clone", "-q", "--depth", "2", f"file://{repo.path}", str(tmp_path / "clone"))
    daemon = Daemon(tmp_path / "clone")
    daemon.attempt()
    daemon.upload()
    daemon.restart()
    GitRepo(tmp_path / "clone").commit({"a.yaml": configs.user("ann", risk=2.0)})
    daemon.attempt()
    daemon.upload()
    assert len(daemon.ledger.recorded_commits()) == 3


def test_sync_without_a_daemon_marks_a_dropped_head_too(repo: GitRepo) -> None:
    world = World(repo.path, ledger=MemoryLedger(CLOCK))
    valid = repo.commit({"a.yaml": configs.user("ann")})
    repo.commit({"b.yaml": configs.BROKEN})
    world.sync()
    repo.git("update-ref", "refs/heads/main", valid)
    repo.commit({"b.yaml": configs.user("bob")})
    result = world.sync()
    assert result.history is not None
    assert result.history.versions == 1
    assert as_git_says(world, repo)


def test_what_waits_while_suspended_is_recorded_as_it_comes(daemon: Daemon, repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    daemon.sync()
    daemon.upload()
    live = daemon.live()
    for risk in (1.0, 1.5):
        repo.commit({"a.yaml": configs.user("ann", risk=risk)})
        daemon.look()
        daemon.upload()
    assert as_git_says(daemon, repo)
    assert len(daemon.steps) == 1  # nothing was compared with git again
    assert daemon.live() == live


def test_what_waits_on_a_branch_that_is_to_be_followed_is_recorded(daemon: Daemon, repo: GitRepo) -> None:
    repo.commit({"a.yaml": configs.user("ann")})
    daemon.sync()
    repo.git("branch", "-m", "main", "trunk")
    other = Daemon(repo.path, branch="trunk", store=daemon.store)
    for risk in (1.0, 1.5):
        repo.commit({"a.yaml": configs.user("ann", risk=risk)}, branch="trunk")
        other.look()
        other.upload()
    assert as_git_says(other, repo)
    owner = daemon.store.owner()
    assert owner is not None
    assert owner.bound_branch == "main"


@pytest.mark.parametrize("seen", some(["by one before a restart", "by a comparison", "as it came"], 1))
@pytest.mark.parametrize("then", ["back", "elsewhere"])
@pytest.mark.parametrize("ended", [False, True])
def test_what_waited_and_was_dropped_is_orphaned(
    daemon: Daemon, repo: GitRepo, seen: str, then: str, ended: bool
) -> None:
    """`ended`: the suspension, before anybody looks at the branch again."""
    first = repo.commit({"a.yaml": configs.user("ann")})
    daemon.sync()
    daemon.upload()
    repo.commit({"a.yaml": configs.user("ann", risk=1.0)})
    if seen == "as it came":
        daemon.look()
    else:
        daemon.restart()
    daemon.upload()
    assert as_git_says(daemon, repo)
    if seen == "by one before a restart":
        daemon.restart()
    if then == "back":
        repo.git("update-ref", "refs/heads/main", first)
    else:
        repo.commit({"a.yaml": configs.user("ann", risk=1.5)}, parents=[first])
    daemon.sync() if ended else daemon.look()
    daemon.upload()
    assert as_git_says(daemon, repo)


@pytest.mark.parametrize("then", ["back", "elsewhere"])
def test_what_a_daemon_recorded_while_suspended_and_was_dropped_is_orphaned_by_a_command(
    daemon: Daemon, repo: GitRepo, then: str
) -> None:
    first = repo.commit({"a.yaml": configs.user("ann")})
    daemon.sync()
    repo.commit({"a.yaml": configs.user("ann", risk=1.0)})
    daemon.upload()
    if then == "back":
        repo.git("update-ref", "refs/heads/main", first)
    else:
        repo.commit({"a.yaml": configs.user("ann", risk=1.5)}, parents=[first])
    command = World(repo.path, store=daemon.store, ledger=daemon.ledger)
    command.sync()
    assert as_git_says(command, repo)
