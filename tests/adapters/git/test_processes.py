"""The git processes behind a source: shared by nested streams, replaced when they die, gone when it is closed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git import plumbing
from reconciler.adapters.git.repository import GitSource, open_repository
from reconciler.errors import BrokenTree, NeedsHuman, RetryLater

if TYPE_CHECKING:
    from tests.support.gitrepo import GitRepo

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def children() -> set[int]:
    """The processes that this one started and has not yet waited for."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for one in lists for pid in one.read_text().split()}


def handles() -> int:
    """Open file descriptors."""
    return len(list(Path("/proc/self/fd").iterdir()))


def fill(repo: GitRepo, commits: int = 300) -> str:
    """A history that is longer than what is under way at once."""
    with repo.bulk():
        for number in range(commits):
            repo.commit({f"{number % 7}.yaml": str(number)})
    return repo.git("rev-parse", "main")


def test_streams_can_be_nested(repo: GitRepo, source: GitSource) -> None:
    head = fill(repo)
    contents, previous = [], None
    for delta in source.history(head):
        (change,) = delta.changes
        ((_, content),) = source.blobs([change.blob or ""])
        assert source.changes(previous, delta.commit.sha)
        contents.append(content.decode())
        previous = delta.commit.sha
    assert contents == [str(number) for number in range(300)]


def test_a_stream_that_is_left_early_does_not_spoil_the_next(repo: GitRepo, source: GitSource) -> None:
    head = fill(repo)
    ids = [change.blob or "" for delta in source.history(head) for change in delta.changes]
    for _ in range(3):
        stream = source.blobs(ids)
        assert next(stream) == (ids[0], b"0")
        history = source.history(head)
        assert next(history).changes[0].blob == ids[0]
        del stream, history
        assert list(source.blobs(ids[5:7])) == [(ids[5], b"5"), (ids[6], b"6")]
        assert len(source.changes(None, head)) == 7


def test_several_threads_can_read(repo: GitRepo, source: GitSource) -> None:
    head = fill(repo, 60)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: [delta.changes for delta in source.history(head)], range(8)))
    assert len(results[0]) == 60
    assert all(result == results[0] for result in results)


@linux
def test_nothing_is_left_after_closing(repo: GitRepo) -> None:
    head = fill(repo)
    before, threads = (children(), handles()), threading.active_count()
    for _ in range(3):
        with open_repository(repo.path) as source:
            unfinished = [source.history(head), source.blobs([source.changes(None, head)[0].blob or ""] * 500)]
            for stream in unfinished:
                next(stream)
            source.height(head)
            with pytest.raises(NeedsHuman):
                list(source.blobs(["1" * 40]))
            assert children() - before[0]
        del unfinished, stream
        assert (children(), handles()) == before
        assert threading.active_count() == threads


@linux
def test_an_idle_git_that_was_killed_is_replaced(repo: GitRepo, source: GitSource) -> None:
    head = fill(repo)
    assert source.resolve("main") == head
    changes = source.changes(None, head)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert source.resolve("main") == head
    assert source.changes(None, head) == changes


@linux
def test_a_git_that_answered_with_much_is_ended(
    repo: GitRepo, source: GitSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = fill(repo)
    ids = [change.blob or "" for delta in source.history(head) for change in delta.changes]
    idle = children()
    assert len(list(source.blobs(ids))) == len(list(source.history(head))) == 300
    assert children() == idle
    monkeypatch.setattr(plumbing, "MUCH", 5_000)
    assert len(list(source.blobs(ids))) == len(list(source.history(head))) == 300
    assert len(children()) < len(idle)
    assert len(list(source.blobs(ids[:5]))) == 5


@linux
def test_a_git_that_is_killed_at_work_is_worth_another_try(repo: GitRepo, source: GitSource) -> None:
    head = fill(repo)
    stream = source.history(head)
    next(stream)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RetryLater, match="git was stopped"):
        list(stream)
    time.sleep(0.3)  # the system takes its time to end a process that it was told to kill
    assert len(list(source.history(head))) == 300


@linux
def test_a_git_that_hangs_is_stopped(repo: GitRepo) -> None:
    head = fill(repo, 3)
    lost = repo.git("hash-object", "--stdin", stdin=b"in a pipe")
    folder = repo.path / ".git/objects" / lost[:2]
    folder.mkdir(exist_ok=True)
    os.mkfifo(folder / lost[2:])  # git waits for ever for somebody to write into it
    with open_repository(repo.path, silence=0.5) as source:
        with pytest.raises(RetryLater, match="git cat-file was silent") as caught:
            list(source.blobs([lost]))
        assert "disk" in caught.value.hint
        assert source.resolve("main") == head


def test_damage_needs_a_human(repo: GitRepo, source: GitSource) -> None:
    head = repo.commit({"a.yaml": "1", "b.yaml": "2"})
    repo.loosen()
    ids = {change.path: change.blob or "" for change in source.changes(None, head)}
    for path, damage in (("a.yaml", None), ("b.yaml", b"no zlib")):
        place = repo.path / ".git/objects" / ids[path][:2] / ids[path][2:]
        place.chmod(0o600)
        if damage is None:
            place.unlink()
        else:
            place.write_bytes(damage)
        with pytest.raises(NeedsHuman, match=ids[path]) as caught:
            list(source.blobs([ids[path]]))
        assert "fsck" in caught.value.hint
    tree = repo.git("rev-parse", f"{head}^{{tree}}")
    (repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with open_repository(repo.path) as fresh:
        for use in (
            lambda: fresh.files(head, ["a.yaml"]),
            lambda: fresh.listing(head, "x"),
            lambda: list(fresh.history(head)),
        ):
            with pytest.raises(NeedsHuman, match=f"{tree}|{head}"):
                use()


def test_a_missing_folder_is_no_difference_that_could_be_missed(repo: GitRepo) -> None:
    first = repo.commit({"users/a.yaml": "1", "b.yaml": "1"})
    second = repo.commit({"users/a.yaml": "2", "b.yaml": "2"})
    repo.loosen()
    tree = repo.git("rev-parse", f"{second}:users")
    (repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with open_repository(repo.path) as source:
        for old in (first, None):
            with pytest.raises(NeedsHuman, match=tree):
                source.changes(old, second)
        stream = source.history(second)
        assert next(stream).commit.sha == first
        with pytest.raises(NeedsHuman, match=tree):
            next(stream)
        with pytest.raises(NeedsHuman):
            source.files(second, ["users/a.yaml"])


def test_a_tree_is_no_blob(repo: GitRepo, source: GitSource) -> None:
    head = repo.commit({"a.yaml": "1"})
    with pytest.raises(BrokenTree, match="is a file by the tree's mode, and a tree"):
        list(source.blobs([repo.git("rev-parse", f"{head}^{{tree}}")]))


def test_no_git_is_told(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_PYTHON_GIT_EXECUTABLE", "no-such-git")
    with pytest.raises(NeedsHuman, match="cannot be started") as caught:
        open_repository(repo.path)
    assert "install git" in caught.value.hint
