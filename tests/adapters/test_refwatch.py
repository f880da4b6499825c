"""Every way in which git changes a branch, noticed with the operating system's events and without."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters import refwatch
from reconciler.adapters.refwatch import RefWatch
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE, NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., RefWatch]

QUIET = 0.3

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def limited(_: Callable[[str], None]) -> refwatch.FolderEvents:
    """What opening inotify does when a user has too many of them."""
    raise OSError(24, "inotify instance limit reached")


def told(refs: RefWatch, act: Callable[[], object], seconds: float = DEADLINE) -> bool:
    """Whether something is noticed when it is done. What was there to notice before is noticed first."""
    while refs.wait(0.05):
        pass
    act()
    return refs.wait(seconds)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working tree with two commits on `main`, and the first of them on `other`."""
    made = GitRepo.create(tmp_path_factory.mktemp("model"))
    made.commit({"a.yaml": "1"})
    made.git("branch", "other", "main")
    made.commit({"a.yaml": "2"})
    made.checkout()
    return made.path


@pytest.fixture
def repo(model: Path, tmp_path: Path) -> GitRepo:
    """The model's copy."""
    return GitRepo(shutil.copytree(model, tmp_path / "config"))


@pytest.fixture(params=["told", "sought"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With this system's events alone, or with none."""
    way: str = request.param
    if way == "sought":
        monkeypatch.setattr(refwatch, "FolderEvents", limited)
        monkeypatch.setattr(refwatch, "CHECK_PAUSE_WITHOUT_EVENTS", 0.05)
    else:
        monkeypatch.setattr(refwatch, "CHECK_PAUSE", 3600.0)
    return way


@pytest.fixture
def watch(how: str, repo: GitRepo) -> Iterator[Start]:
    """Start to watch a repository, by default the one above."""
    with ExitStack() as stack:

        def start(branch: str | None = "main", *, of: Path | None = None, common: Path | None = None) -> RefWatch:
            git_dir = of or repo.path / ".git"
            refs = stack.enter_context(RefWatch(git_dir, common or git_dir, branch))
            assert refs.alive == (how != "sought")
            assert refs.reason == ("" if refs.alive else "inotify instance limit reached")
            return refs

        yield start


class TestCommands:
    """What people do."""

    @pytest.mark.parametrize(
        "command",
        [
            ("commit", "-q", "--allow-empty", "-m", "Change"),
            ("commit", "-q", "--amend", "-m", "Other words"),
            ("reset", "-q", "--hard", "HEAD^"),
            ("update-ref", "refs/heads/main", "other"),
            ("merge", "-q", "--no-ff", "-s", "ours", "-m", "Merge", "other~0", "--allow-unrelated-histories"),
            ("pack-refs", "--all", "--prune"),
            ("gc", "-q", "--prune=now"),
            ("branch", "-m", "main", "renamed"),
        ],
        ids=lambda command: command[0],
    )
    def test_command(self, watch: Start, repo: GitRepo, command: tuple[str, ...]) -> None:
        if command[0] == "merge":
            repo.commit({"b.yaml": "1"}, branch="other")
        assert told(watch(), lambda: repo.git(*command))

    def test_rebase(self, watch: Start, repo: GitRepo) -> None:
        repo.commit({"b.yaml": "1"}, branch="other")
        refs, before = watch(), repo.git("rev-parse", "main")
        assert told(refs, lambda: repo.git("rebase", "-q", "other"))
        assert repo.git("rev-parse", "main") != before

    def test_fast_import(self, watch: Start, repo: GitRepo) -> None:
        assert told(watch(), lambda: repo.commit({"a.yaml": "3"}))

    def test_push_from_elsewhere(self, watch: Start, tmp_path: Path) -> None:
        bare = GitRepo.create(tmp_path / "bare.git", bare=True)
        clone = GitRepo.create(tmp_path / "clone")
        clone.commit({"a.yaml": "1"})
        assert told(watch(of=bare.path), lambda: clone.git("push", "-q", "../bare.git", "main"))

    def test_commit_on_a_packed_branch(self, watch: Start, repo: GitRepo) -> None:
        refs = watch()
        assert told(refs, lambda: repo.git("pack-refs", "--all", "--prune"))
        assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "Change"))

    def test_branch_deleted_and_created_again(self, watch: Start, repo: GitRepo) -> None:
        refs, sha = watch("other"), repo.git("rev-parse", "other")
        assert told(refs, lambda: repo.git("branch", "-q", "-D", "other"))
        assert told(refs, lambda: repo.git("branch", "other", sha))

    def test_packed_branch_deleted(self, watch: Start, repo: GitRepo) -> None:
        repo.git("pack-refs", "--all", "--prune")
        assert told(watch("other"), lambda: repo.git("branch", "-q", "-D", "other"))

    def test_branch_of_the_first_commit(self, watch: Start, tmp_path: Path) -> None:
        empty = GitRepo.create(tmp_path / "empty")
        refs = watch(of=empty.path / ".git")
        assert told(refs, lambda: empty.git("commit", "-q", "--allow-empty", "-m", "First"))


class TestFolders:
    """A branch with slashes in its name: its folders come and go."""

    def test_created_deleted_and_created_again(self, watch: Start, repo: GitRepo) -> None:
        refs, sha = watch("team/desk/live"), repo.git("rev-parse", "main")
        for _ in range(3):  # the folder may get the same number on the disk
            assert told(refs, lambda: repo.git("branch", "team/desk/live", "other"))
            assert told(refs, lambda: repo.git("update-ref", "refs/heads/team/desk/live", sha))
            assert told(refs, lambda: repo.git("branch", "-q", "-D", "team/desk/live"))

    def test_created_again_before_anybody_looks(self, watch: Start, repo: GitRepo) -> None:
        """The new folder has the number of the old one on most disks, but nobody watches it yet."""
        folder = repo.path / ".git" / "refs" / "heads" / "team"
        folder.mkdir()
        refs = watch("team/live")
        folder.rmdir()
        folder.mkdir()
        assert told(refs, lambda: repo.git("update-ref", "refs/heads/team/live", "main"))

    def test_packed_and_moved_on(self, watch: Start, repo: GitRepo) -> None:
        repo.git("branch", "team/live", "other")
        refs = watch("team/live")
        assert told(refs, lambda: repo.git("pack-refs", "--all", "--prune"))
        assert told(refs, lambda: repo.git("update-ref", "refs/heads/team/live", "main"))
        assert told(refs, lambda: repo.git("update-ref", "refs/heads/team/live", "other"))

    def test_a_branch_in_place_of_the_folder(self, watch: Start, repo: GitRepo) -> None:
        repo.git("branch", "team/live", "other")
        refs = watch("team/live")
        assert told(refs, lambda: repo.git("branch", "-q", "-D", "team/live"))
        repo.git("branch", "team", "other")
        repo.git("branch", "-q", "-D", "team")
        assert told(refs, lambda: repo.git("branch", "team/live", "main"))


class TestHead:
    """Without a branch it is HEAD that is followed."""

    def test_switch(self, watch: Start, repo: GitRepo) -> None:
        refs = watch(None)
        assert told(refs, lambda: repo.git("switch", "-q", "other"))
        assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "On the other"))

    def test_detached(self, watch: Start, repo: GitRepo) -> None:
        refs = watch(None)
        assert told(refs, lambda: repo.git("switch", "-q", "--detach", "other"))
        assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "On none"))

    def test_a_switch_is_told_beside_a_branch_that_was_named(self, watch: Start, repo: GitRepo) -> None:
        refs = watch("main")
        assert told(refs, lambda: repo.git("switch", "-q", "other"))
        assert told(refs, lambda: repo.git("update-ref", "refs/heads/main", "other"))

    def test_a_branch_that_stands_for_another(self, watch: Start, repo: GitRepo) -> None:
        repo.git("symbolic-ref", "refs/heads/live", "refs/heads/main")
        assert told(watch("live"), lambda: repo.git("update-ref", "refs/heads/main", "other"))

    @pytest.mark.parametrize("ref", ["refs/remotes/live", "refs/tags/live"])
    def test_what_is_no_branch_is_not_told(self, watch: Start, repo: GitRepo, ref: str) -> None:
        repo.git("branch", "live", "main")
        assert not told(watch("live"), lambda: repo.git("update-ref", ref, "other"), QUIET)


class TestWorkTrees:
    """Folders that share a repository, and a repository in another."""

    def test_linked_work_tree(self, watch: Start, repo: GitRepo) -> None:
        repo.git("worktree", "add", "-q", "../linked", "other")
        common = repo.path / ".git"
        refs = watch(None, of=common / "worktrees" / "linked", common=common)
        assert told(refs, lambda: repo.git("-C", "../linked", "commit", "-q", "--allow-empty", "-m", "In there"))
        assert told(refs, lambda: repo.git("-C", "../linked", "switch", "-q", "-c", "third"))
        assert told(refs, lambda: repo.git("pack-refs", "--all", "--prune"))
        assert not told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "Out here"), QUIET)

    def test_work_trees_come_and_go(self, watch: Start, repo: GitRepo) -> None:
        refs = watch()
        repo.git("worktree", "add", "-q", "../linked", "other")
        repo.git("worktree", "remove", "../linked")
        assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "Change"))

    def test_submodule(self, watch: Start, repo: GitRepo) -> None:
        outer = GitRepo.create(repo.path.parent / "outer")
        outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo.path), "inner")
        git_dir = outer.path / ".git" / "modules" / "inner"
        commit = ("-C", "inner", "commit", "-q", "--allow-empty", "-m", "In the inner")
        assert told(watch(of=git_dir), lambda: outer.git(*commit))


class TestReftable:
    """Repositories that keep refs as tables."""

    def test_as_git_writes_them(self, watch: Start, tmp_path: Path) -> None:
        """The steps of git's `reftable_addition_commit`, for versions of git that cannot do it yet."""
        git_dir = tmp_path / "tables.git"
        (git_dir / "reftable").mkdir(parents=True)
        (git_dir / "refs").mkdir()
        (git_dir / "refs" / "heads").write_text("this repository uses the reftable format\n", encoding="utf-8")
        (git_dir / "HEAD").write_text("ref: refs/heads/.invalid\n", encoding="utf-8")

        def change() -> None:
            lock = git_dir / "reftable" / "tables.list.lock"
            lock.write_text("0x000000000001-0x000000000002-a7b9c0d1.ref\n", encoding="utf-8", newline="\n")
            lock.replace(git_dir / "reftable" / "tables.list")

        assert told(watch(of=git_dir), change)

    def test_with_git(self, watch: Start, tmp_path: Path) -> None:
        repo = GitRepo(tmp_path / "tables")
        repo.path.mkdir()
        try:
            repo.git("init", "-q", "--template=", "--initial-branch=main", "--ref-format=reftable")
        except AssertionError as error:
            if "unknown option" not in str(error):
                raise
            pytest.skip("git 2.45 was the first with reftables")
        refs = watch(of=repo.path / ".git")
        assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "Change"))


READING = (("log", "--all"), ("status",), ("cat-file", "--batch-all-objects", "--batch"), ("for-each-ref",), ("fsck",))
WRITING = (("add", "."), ("tag", "v1"), ("branch", "-f", "other", "main"), ("stash", "-q"))


@pytest.mark.parametrize("commands", [READING, WRITING], ids=["reading", "writing"])
def test_nothing_of_the_branch_changes(watch: Start, repo: GitRepo, commands: tuple[tuple[str, ...], ...]) -> None:
    """Whoever only reads is not heard, and nobody who writes an index, a tag or another branch."""
    refs = watch()
    (repo.path / "a.yaml").touch()  # status writes what it finds into the index
    (repo.path / "b.yaml").write_text("1", encoding="utf-8")
    assert not told(refs, lambda: [repo.git(*command) for command in commands], QUIET)


class TestReplaced:
    """The repository itself goes. Its folders do not tell who takes their place, so looking finds out."""

    @pytest.fixture(autouse=True)
    def usual(self, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refwatch, "CHECK_PAUSE", 0.5)

    def test_deleted_and_created_again(self, watch: Start, repo: GitRepo, how: str) -> None:
        refs = watch()
        assert told(refs, lambda: shutil.rmtree(repo.path))
        refs.wait(0.6)
        assert not refs.alive
        assert (how == "sought") or refs.reason == f"{repo.path / '.git'} is not there"
        assert told(refs, lambda: GitRepo.create(repo.path).commit({"a.yaml": "3"}))
        assert told(refs, lambda: repo.commit({"a.yaml": "4"}))
        assert refs.alive == (how != "sought")
        assert told(refs, lambda: repo.git("update-ref", "-d", "refs/heads/main"))

    def test_another_takes_its_place(self, watch: Start, repo: GitRepo, tmp_path: Path) -> None:
        """Its branch is at the same commit, but who has files of the old one open should know."""
        refs = watch()
        other = shutil.copytree(repo.path, tmp_path / "other")

        def swap() -> None:
            repo.path.rename(tmp_path / "away")
            other.rename(repo.path)

        assert told(refs, swap)
        assert told(refs, lambda: repo.git("update-ref", "-d", "refs/heads/main"))

    def test_not_there_from_the_start(self, how: str, tmp_path: Path) -> None:
        place = tmp_path / "later"
        with RefWatch(place / ".git", place / ".git", "main") as refs:
            assert not refs.alive
            assert told(refs, lambda: GitRepo.create(place).commit({"a.yaml": "1"}))

    def test_events_that_were_lost(self, watch: Start, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        refs = watch()
        monkeypatch.setattr(refs._files, "relevant_paths", lambda _: frozenset())
        monkeypatch.setattr(refs, "_relevant", frozenset())
        assert told(refs, lambda: repo.commit({"a.yaml": "3"}))


class TestWaiting:
    """How waits begin and end."""

    def test_a_change_while_nobody_waited(self, watch: Start, repo: GitRepo) -> None:
        refs = watch()
        repo.commit({"a.yaml": "3"})
        time.sleep(0.1)
        assert refs.wait(DEADLINE)

    def test_the_time_is_kept(self, watch: Start) -> None:
        refs = watch()
        refs.wait(0.05)
        began = time.monotonic()
        assert not refs.wait(0.2)
        assert time.monotonic() - began >= 0.2

    def test_woken(self, watch: Start) -> None:
        refs = watch()
        threading.Timer(0.05, refs.wake).start()
        assert refs.wait(NEVER)
        assert not refs.wait(0.05)

    def test_woken_before(self, watch: Start) -> None:
        refs = watch()
        refs.wake()
        assert refs.wait(0)

    def test_a_storm_collapses(self, watch: Start, repo: GitRepo) -> None:
        """A thousand files are renamed into place, a hundred at a time, one right after the other."""
        folder = repo.path / ".git" / "refs" / "heads"

        def storm() -> None:
            for _ in range(10):
                time.sleep(0.03)
                for number in range(100):
                    (folder / f"{number}.lock").touch()
                    (folder / f"{number}.lock").replace(folder / "main")

        refs, times = watch(), 0
        thread = threading.Thread(target=storm)
        thread.start()
        while refs.wait(QUIET) or thread.is_alive():
            times += 1
        assert 1 <= times < 1_000

    def test_the_end_of_a_storm_is_not_missed(self, watch: Start, repo: GitRepo) -> None:
        shas = [repo.git("rev-parse", name) for name in ("main", "other")]
        last = repo.git("commit-tree", "-m", "Last", "main^{tree}")
        steps = "".join(f"start\nupdate refs/heads/main {sha}\ncommit\n" for sha in [*shas * 100, last])
        refs, place = watch(), repo.path / ".git" / "refs" / "heads" / "main"
        storm = threading.Thread(target=lambda: repo.git("update-ref", "--stdin", stdin=steps.encode()))
        seen = ""
        storm.start()
        while seen != last:
            assert refs.wait(DEADLINE)
            seen = place.read_text(encoding="ascii").strip()
        storm.join()

    def test_there_and_back(self, watch: Start, repo: GitRepo) -> None:
        """Who saw the commit in between must learn that it is no more."""
        sha = repo.git("rev-parse", "main")
        steps = [("update-ref", "refs/heads/main", name) for name in ("other", sha)]
        assert told(watch(), lambda: [repo.git(*step) for step in steps])

    def test_thousands_of_refs(self, watch: Start, repo: GitRepo) -> None:
        sha = repo.git("rev-parse", "main")
        refs = watch()
        quickly = ("-c", "core.fsync=none")
        many = "".join(f"create refs/heads/topic/{number} {sha}\n" for number in range(1_000))
        assert not told(refs, lambda: repo.git(*quickly, "update-ref", "--stdin", stdin=many.encode()), QUIET)
        assert told(refs, lambda: repo.git(*quickly, "pack-refs", "--all", "--prune"))
        assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "Change"))

    def test_leaving_leaves_no_thread(self, how: str, repo: GitRepo) -> None:
        before = set(threading.enumerate())
        with RefWatch(repo.path / ".git", repo.path / ".git", "main") as refs:
            refs.wait(0.05)
        assert not set(threading.enumerate()) - before
        assert not refs.alive


def test_somebody_is_about_to_commit(repo: GitRepo) -> None:
    """What git writes before the branch moves; a look at the work tree is no sign of it."""
    signs = threading.Event()
    git_dir = repo.path / ".git"
    with RefWatch(git_dir, git_dir, "main", signs.set) as refs:
        repo.git("log", "-1")
        assert not signs.wait(QUIET)
        (repo.path / "a.yaml").write_text("3", encoding="utf-8")
        assert not told(refs, lambda: repo.git("add", "a.yaml"), QUIET)
        assert signs.is_set()
        signs.clear()
        assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "Change"))
        assert signs.is_set()


def test_a_hint_comes_though_nobody_waits(repo: GitRepo) -> None:
    """For the branch alone; whoever waits hears of it as well."""
    hints = threading.Event()
    git_dir = repo.path / ".git"
    with RefWatch(git_dir, git_dir, "main", hint=hints.set) as refs:
        (repo.path / "a.yaml").write_text("4", encoding="utf-8")
        repo.git("add", "a.yaml")
        repo.git("update-ref", "refs/heads/other", "main")
        assert not hints.wait(QUIET)
        repo.git("commit", "-q", "-m", "Change")
        assert hints.wait(DEADLINE)
        assert refs.wait(DEADLINE)


class TestThroughRefs:
    """As other systems than Linux watch: the folders within `refs` through it."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refwatch, "_is_recursive", lambda path: path.name == "refs")
        monkeypatch.setattr(refwatch, "CHECK_PAUSE", 3600.0)

    def test_a_branch(self, repo: GitRepo) -> None:
        git_dir = repo.path / ".git"
        with RefWatch(git_dir, git_dir, "main") as refs:
            assert refs.alive
            assert told(refs, lambda: repo.git("commit", "-q", "--allow-empty", "-m", "Change"))
            assert told(refs, lambda: repo.git("pack-refs", "--all", "--prune"))
            assert told(refs, lambda: repo.git("update-ref", "refs/heads/main", "other"))
            assert told(refs, lambda: repo.git("update-ref", "-d", "refs/heads/main"))
            assert not told(refs, lambda: [repo.git(*command) for command in READING[1:]], QUIET)

    def test_head_and_folders(self, repo: GitRepo) -> None:
        repo.git("branch", "team/live", "other")
        repo.git("worktree", "add", "-q", "../linked", "main~0")
        common = repo.path / ".git"
        with RefWatch(common / "worktrees" / "linked", common, None) as refs:
            assert refs.alive
            assert told(refs, lambda: repo.git("-C", "../linked", "switch", "-q", "team/live"))
            assert told(refs, lambda: repo.git("update-ref", "refs/heads/team/live", "main"))
            assert not told(refs, lambda: repo.git("update-ref", "refs/heads/other", "main"), QUIET)

    def test_the_repository_is_replaced(self, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        git_dir = repo.path / ".git"
        monkeypatch.setattr(refwatch, "CHECK_PAUSE", 0.2)
        with RefWatch(git_dir, git_dir, "main") as refs:
            assert told(refs, lambda: shutil.rmtree(repo.path))
            assert told(refs, lambda: GitRepo.create(repo.path).commit({"a.yaml": "3"}))
            assert refs.alive
            monkeypatch.setattr(refwatch, "CHECK_PAUSE", 3600.0)
            assert told(refs, lambda: repo.commit({"a.yaml": "4"}))

    def test_leaving_leaves_no_thread(self, repo: GitRepo) -> None:
        before = set(threading.enumerate())
        with RefWatch(repo.path / ".git", repo.path / ".git", "main"):
            pass
        assert not set(threading.enumerate()) - before


@LINUX
class TestLimits:
    """The operating system cannot watch."""

    def test_then_it_can_again(self, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        git_dir, genuine = repo.path / ".git", refwatch.FolderEvents
        monkeypatch.setattr(refwatch, "FolderEvents", limited)
        monkeypatch.setattr(refwatch, "EVENTS_RETRY_SECONDS", 0.3)
        with RefWatch(git_dir, git_dir, "main") as refs:
            assert refs.reason == "inotify instance limit reached"
            monkeypatch.setattr(refwatch, "FolderEvents", genuine)
            refs.wait(0.6)
            assert refs.alive

    def test_a_limit_while_watching(self, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        """A new folder is one too many. That goes to nobody but the one who asks."""
        from watchdog.observers.inotify_c import InotifyFD  # noqa: PLC0415  Linux only

        def full(*_: object) -> None:
            raise OSError(28, "inotify watch limit reached")

        git_dir = repo.path / ".git"
        with RefWatch(git_dir, git_dir, "team/live") as refs:
            monkeypatch.setattr(InotifyFD, "add_callback", full)
            assert told(refs, lambda: repo.git("branch", "team/live", "main"))
            assert refs.reason == "inotify watch limit reached"
            assert told(refs, lambda: repo.git("branch", "-f", "team/live", "other"))

    def test_a_thread_that_died(self, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        git_dir = repo.path / ".git"
        with RefWatch(git_dir, git_dir, "main") as refs:
            assert refs._events is not None
            ended = refs._events
            ended.close()
            monkeypatch.setattr(refwatch, "CHECK_PAUSE", 3600.0)
            refs.wait(1.0)
            assert refs._events is not ended
            assert refs.alive
            assert told(refs, lambda: repo.commit({"a.yaml": "3"}))
