"""A mirror follows its remote: what a fetch says, what can be read afterwards, and while it goes on."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.mirror import Fetched, Mirror, Move
from reconciler.errors import RetryLater, UsageError
from tests.support.gitrepo import GitRepo, submodule

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def remote(tmp_path: Path) -> GitRepo:
    """An empty bare repository on `main`."""
    return GitRepo.create(tmp_path / "remote" / "config.git", bare=True)


@pytest.fixture
def mirror(remote: GitRepo, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of it that has fetched nothing yet."""
    with Mirror(remote.path.as_uri(), tmp_path / "state") as made:
        yield made


def refs(mirror: Mirror) -> str:
    return GitRepo(mirror.path).git("for-each-ref", "--format=%(refname)")


def test_the_first_fetch_clones_and_the_next_ones_follow(remote: GitRepo, mirror: Mirror) -> None:
    first = remote.commit({"a.yaml": "1"})
    assert mirror.fetch() == Fetched("main", None, first, moved={"main": Move(None, first)})
    assert not mirror.fetch().changed
    second = remote.commit({"a.yaml": "2"})
    fetched = mirror.fetch()
    assert fetched == Fetched("main", first, second, moved={"main": Move(first, second)})
    assert fetched.changed
    with mirror.open() as source:
        assert source.repository == mirror.url == remote.path.as_uri()
        assert source.head_branch() == "main"
        assert not source.is_shallow()
        assert [delta.commit.sha for delta in source.history("main")] == [first, second]


def test_nothing_can_be_read_before_the_first_fetch(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match="nothing has been fetched"):
        mirror.open()
    assert not mirror.keep("1" * 40)
    assert not mirror.maintain()


def test_a_push_of_500_commits(remote: GitRepo, mirror: Mirror) -> None:
    first = remote.commit({"a.yaml": "0"})
    mirror.fetch()
    with remote.bulk():
        for number in range(500):
            head = remote.commit({"a.yaml": str(number + 1)})
    assert mirror.fetch().after == head
    with mirror.open() as source:
        assert len(list(source.history(head, known=first))) == 500


def test_a_forced_push_is_told_and_what_it_dropped_stays(remote: GitRepo, mirror: Mirror) -> None:
    first = remote.commit({"a.yaml": "1"})
    dropped = remote.commit({"a.yaml": "2"})
    mirror.fetch()
    with mirror.open() as source:
        remote.git("update-ref", "refs/heads/main", first)
        head = remote.commit({"a.yaml": "3"})
        fetched = mirror.fetch()
        assert (fetched.before, fetched.after, fetched.rewritten) == (dropped, head, True)
        mirror_repo = GitRepo(mirror.path)
        mirror_repo.git("gc", "-q", "--prune=now")
        assert [change.path for change in source.changes(dropped, head)] == ["a.yaml"]
    remote.git("update-ref", "refs/heads/main", first)  # back to an ancestor is a rewrite too
    assert mirror.fetch().rewritten
    assert remote.commit({"a.yaml": "4"}) == mirror.fetch().after


def test_the_kept_are_few(remote: GitRepo, mirror: Mirror) -> None:
    with remote.bulk():
        shas = [remote.commit({"a.yaml": str(number)}) for number in range(23)]
    mirror.fetch()
    for sha in shas:
        assert mirror.keep(sha)
        assert mirror.keep(sha)
    assert not mirror.keep("1" * 40)
    assert not mirror.keep("main")
    kept = [name.rpartition("-")[2] for name in refs(mirror).splitlines() if "kept" in name]
    assert kept == shas[3:]


def test_a_branch_that_goes_and_comes_back(remote: GitRepo, mirror: Mirror) -> None:
    first = remote.commit({"a.yaml": "1"})
    remote.commit({"a.yaml": "1"}, branch="other")
    mirror.fetch()
    remote.git("update-ref", "-d", "refs/heads/main")
    fetched = mirror.fetch()
    assert (fetched.before, fetched.after, fetched.gone, fetched.rewritten) == (first, None, True, False)
    with Mirror(mirror.url, mirror.path.parent, "main") as restarted:
        assert restarted.fetch().gone
        with restarted.open() as source:
            assert source.commit(first).sha == first
        remote.git("update-ref", "-d", "refs/heads/other")
        restarted.fetch()
        assert restarted.fetch().gone
    again = remote.commit({"a.yaml": "2"}, parents=[])
    fetched = mirror.fetch()
    assert (fetched.before, fetched.after, fetched.gone) == (None, again, False)


def test_an_empty_repository_becomes_one(remote: GitRepo, mirror: Mirror) -> None:
    assert mirror.fetch() == Fetched("main", None, None)
    assert mirror.default_branch() is None
    with mirror.open() as source:
        assert source.resolve("main") is None
    remote.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    head = remote.commit({"a.yaml": "1"}, branch="trunk")
    fetched = mirror.fetch()
    assert (fetched.branch, fetched.after, fetched.gone) == ("trunk", head, False)


def test_the_default_branch(remote: GitRepo, mirror: Mirror, tmp_path: Path) -> None:
    remote.git("symbolic-ref", "HEAD", "refs/heads/live/now")
    first = remote.commit({"a.yaml": "1"}, branch="live/now")
    remote.commit({"a.yaml": "2"}, branch="main")
    assert mirror.default_branch() == "live/now"
    assert mirror.fetch().branch == "live/now"
    with Mirror(mirror.url, tmp_path / "named", "main") as named:
        assert named.fetch().branch == "main"
    remote.path.rename(tmp_path / "away")
    assert mirror.default_branch() == "live/now"
    (tmp_path / "away").rename(remote.path)
    remote.git("update-ref", "--no-deref", "HEAD", first)
    assert mirror.default_branch() is None


def test_a_branch_that_is_not_there_yet(remote: GitRepo, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "1"})
    with Mirror(remote.path.as_uri(), tmp_path / "state", "prod") as mirror:
        assert mirror.fetch().gone
        head = remote.commit({"a.yaml": "2"}, branch="prod")
        assert mirror.fetch().after == head
    with pytest.raises(UsageError, match="name of a branch"):
        Mirror(remote.path.as_uri(), tmp_path / "state", "--upload-pack=x")


def test_other_branches_and_tags_come_and_go(remote: GitRepo, mirror: Mirror) -> None:
    first = remote.commit({"a.yaml": "1"})
    remote.git("branch", "topic", first)
    remote.git("tag", "v1", first)
    mirror.fetch()
    second = remote.commit({"a.yaml": "2"})
    remote.git("branch", "-D", "topic")
    remote.git("branch", "topic/deep", first)  # a folder where a file was
    remote.git("tag", "-f", "v1", second)
    fetched = mirror.fetch()
    assert dict(fetched.moved) == {
        "main": Move(first, second),
        "topic": Move(first, None),
        "topic/deep": Move(None, first),
    }
    assert not fetched.gone
    with mirror.open() as source:
        assert source.resolve("v1") == second
    remote.git("tag", "-d", "v1")
    mirror.fetch()
    assert [ref for ref in refs(mirror).split() if "kept" not in ref] == [
        *("refs/heads/main", "refs/heads/topic/deep"),
        *("refs/reconciler/fetched/main", "refs/reconciler/fetched/topic/deep"),
    ]
    with mirror.open() as source:
        assert source.branches() == ("main", "topic/deep")


def test_what_the_remote_has_no_more_stays_and_is_gone(remote: GitRepo, mirror: Mirror) -> None:
    """One word of a server deletes nothing here: neither of one branch nor of all, nor by way of a tag."""
    first = remote.commit({"a.yaml": "1"})
    second = remote.commit({"a.yaml": "2"})
    remote.git("tag", "main", first)
    mirror.fetch()
    remote.git("update-ref", "-d", "refs/heads/main")
    for _ in range(2):
        mirror.fetch()
        with mirror.open() as source:
            assert (source.branch_head("main"), source.branches()) == (None, ())
            assert source.resolve("refs/heads/main") == second
        assert "refs/heads/main" in refs(mirror).split()
        assert not [ref for ref in refs(mirror).split() if ref.startswith("refs/tags/")]
    remote.git("update-ref", "refs/heads/main", first)
    mirror.fetch()
    with mirror.open() as source:
        assert source.branch_head("main") == first


def test_a_mirror_of_an_older_version(remote: GitRepo, mirror: Mirror) -> None:
    """It had tags and branches where they are in every repository."""
    head = remote.commit({"a.yaml": "1"})
    remote.git("tag", "v1", head)
    mirror.fetch()
    old = GitRepo(mirror.path)
    for ref in ("refs/reconciler/fetched/main", "refs/reconciler/tags/v1"):
        old.git("update-ref", "-d", ref)
    old.git("update-ref", "refs/tags/v1", head)
    with mirror.open() as source:
        assert source.branch_head("main") == source.resolve("v1") == head
    assert not mirror.fetch().changed
    with mirror.open() as source:
        assert source.branch_head("main") == source.resolve("v1") == head
    assert "refs/tags/v1" not in refs(mirror).split()


def test_sha256_repositories(tmp_path: Path, mirror: Mirror) -> None:
    mirror.fetch()  # empty, and SHA-1
    folder = Path(mirror.url.removeprefix("file://"))
    folder.rename(tmp_path / "old")
    remote = GitRepo.create(folder, bare=True, object_format="sha256")
    first = remote.commit({"a.yaml": "1"})
    fetched = mirror.fetch()
    assert fetched.after == first
    assert len(first) == 64
    assert "sha256" in fetched.replaced
    second = remote.commit({"a.yaml": "2"})
    with Mirror(mirror.url, mirror.path.parent) as restarted:
        assert restarted.fetch() == Fetched("main", first, second, moved={"main": Move(first, second)})
        assert restarted.mend() == ""
    with mirror.open() as source:
        assert source.height("main") == 2


def test_another_address_is_another_mirror(remote: GitRepo, mirror: Mirror, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "1"})
    mirror.fetch()
    other = GitRepo.create(tmp_path / "other", bare=True)
    head = other.commit({"b.yaml": "1"})
    with Mirror(str(other.path), mirror.path.parent) as moved:
        with pytest.raises(RetryLater, match="nothing has been fetched"):
            moved.open()
        fetched = moved.fetch()
        assert (fetched.before, fetched.after) == (None, head)
        assert fetched.replaced == f"it was the mirror of {mirror.url}"
        with moved.open() as source:
            assert source.repository == other.path.as_posix()
    assert sorted(path.name for path in mirror.path.parent.iterdir()) == ["mirror.git", "mirror.git.lock"]


def test_an_unreachable_other_address_leaves_nothing_to_read(remote: GitRepo, mirror: Mirror, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "1"})
    mirror.fetch()
    with Mirror(str(tmp_path / "nowhere"), mirror.path.parent) as moved:
        with pytest.raises(RetryLater, match="there is no repository at"):
            moved.fetch()
        with pytest.raises(RetryLater, match="nothing has been fetched"):
            moved.open()
    mirror.open().close()


def test_submodules_and_the_cut_off_are_not_fetched(remote: GitRepo, mirror: Mirror) -> None:
    modules = f'[submodule "sub"]\n\tpath = sub\n\turl = {remote.path.parent}/nowhere\n'
    head = remote.commit({".gitmodules": modules, "sub": submodule("1" * 40)})
    assert mirror.fetch().after == head
    assert not (mirror.path / "modules").exists()
    assert not (mirror.path / "shallow").exists()


def test_readers_see_what_is_fetched_collected_and_replaced(remote: GitRepo, mirror: Mirror) -> None:
    remote.commit({"a.yaml": "0"})
    mirror.fetch()
    with mirror.open() as source:
        seen = [source.resolve("main")]
        for commits in (1, 300):  # loose objects, then a pack
            with remote.bulk():
                for number in range(commits):
                    head = remote.commit({"a.yaml": f"{commits} {number}"})
            mirror.fetch()
            seen.append(source.resolve("main"))
            assert seen[-1] == head
            (change,) = source.changes(seen[-2], head)
            assert list(source.blobs([change.blob or ""])) == [(change.blob, f"{commits} {commits - 1}".encode())]
        GitRepo(mirror.path).git("repack", "-a", "-d", "-q")  # the packs that the reader has open are deleted
        assert len(list(source.history("main"))) == 302
        (mirror.path / "HEAD").unlink()
        assert Mirror(mirror.url, mirror.path.parent).fetch().replaced == "HEAD is missing"
        head = remote.commit({"a.yaml": "last"})
        mirror.fetch()
        assert source.resolve("main") == head
        assert len(list(source.history("main"))) == 303


def test_fetching_and_reading_at_the_same_time(remote: GitRepo, mirror: Mirror) -> None:
    with remote.bulk():
        for number in range(200):
            remote.commit({f"{number % 9}.yaml": str(number)})
    mirror.fetch()
    over, failed = threading.Event(), []

    def read() -> None:
        try:
            with mirror.open() as source:
                while not over.is_set():
                    assert len(list(source.history("main"))) >= 200
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(6):
            head = remote.commit({"a.yaml": str(number)})
            assert mirror.fetch().after == head
    finally:
        over.set()
        thread.join()
    assert not failed


def test_maintenance_when_it_is_worth_it(remote: GitRepo, mirror: Mirror) -> None:
    first = remote.commit({"a.yaml": "1"})
    mirror.fetch()
    assert not mirror.maintain()
    mirror.keep(first)
    repo, packs = GitRepo(mirror.path), mirror.path / "objects" / "pack"
    for number in range(21):
        blob = repo.git("hash-object", "-w", "--stdin", stdin=str(number).encode())
        repo.git("pack-objects", "-q", str(packs / "pack"), stdin=blob.encode())
    assert mirror.maintain()
    assert len(list(packs.glob("*.pack"))) == 1
    assert not mirror.maintain()
    with mirror.open() as source:
        assert source.resolve("main") == first


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_the_mirror_is_its_owners_alone(remote: GitRepo, mirror: Mirror) -> None:
    remote.commit({"a.yaml": "1"})
    mirror.fetch()
    assert mirror.path.stat().st_mode & 0o077 == 0


def test_hooks_and_configuration_of_others_do_not_run(
    remote: GitRepo, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f'#!/bin/sh\necho "$0" >> "{proof}"\n', newline="\n")
    script.chmod(0o755)
    (tmp_path / "hooks").mkdir()
    for hook in ("reference-transaction", "post-update", "pre-auto-gc"):
        (tmp_path / "hooks" / hook).symlink_to(script)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        f"[core]\n\thooksPath = {tmp_path}/hooks\n\tfsmonitor = {script}\n\tsshCommand = {script}\n"
        f"\taskPass = {script}\n[credential]\n\thelper = {script}\n"
        f'[remote "origin"]\n\tuploadpack = {script}\n\tfetch = +refs/heads/*:refs/stolen/*\n',
        newline="\n",
    )
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    (tmp_path / "home").mkdir()
    configuration.rename(tmp_path / "home" / ".gitconfig")
    remote.commit({"a.yaml": "1"})
    mirror.fetch()
    remote.commit({"a.yaml": "2"})
    mirror.fetch()
    mirror.keep(remote.git("rev-parse", "main"))
    assert not proof.exists()
    assert "stolen" not in refs(mirror)
    GitRepo(mirror.path).git(
        "update-ref",
        "refs/heads/x",
        "refs/heads/main",
        env={"HOME": str(tmp_path / "home"), "GIT_CONFIG_GLOBAL": str(tmp_path / "home" / ".gitconfig")},
    )
    assert proof.exists(), "the plant does not work"
