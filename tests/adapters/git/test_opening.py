"""Finding the repository, naming it, and finding commits in it."""

from __future__ import annotations

import contextlib
import os
import pickle
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.process import explain_failure
from reconciler.adapters.git.repository import GitSource, open_repository, without_credentials
from reconciler.errors import BugError, NeedsHuman, RetryLater, UsageError
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path


def test_a_repository_is_found_from_everywhere_in_it(repo: GitRepo, tmp_path: Path) -> None:
    head = repo.commit({"users/deep/a.yaml": "1"})
    repo.checkout()
    for place in ("", "users/deep", ".git", "users/deep/a.yaml"):
        with open_repository(repo.path / place) as source:
            assert source.git_dir == repo.path / ".git"
            assert source.work_tree == repo.path
            assert source.resolve("HEAD") == head
            assert source.repository == repo.path.as_posix()


def test_a_bare_repository(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "bare.git", bare=True, branch="trunk")
    head = repo.commit({"a.yaml": "1"})
    with open_repository(repo.path) as source:
        assert source.work_tree is None
        assert source.git_dir == repo.path
        assert source.head_branch() == "trunk"
        assert source.resolve("trunk") == head
        assert source.repository == repo.path.as_posix()


def test_a_bare_repository_that_git_is_told_not_to_look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, so nobody has looked for it; what `init --local` makes is one."""
    repo = GitRepo.create(tmp_path / "bare.git", bare=True)
    head = repo.commit({"a.yaml": "1"})
    (tmp_path / ".gitconfig").write_text("[safe]\n  bareRepository = explicit\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    with open_repository(repo.path) as source:
        assert source.resolve("main") == head


def test_a_linked_work_tree_has_its_own_head_and_shares_the_rest(repo: GitRepo, tmp_path: Path) -> None:
    base = repo.commit({"a.yaml": "1"})
    repo.commit({"a.yaml": "2"})
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"), base)
    with open_repository(tmp_path / "linked") as source:
        assert source.work_tree == tmp_path / "linked"
        assert source.git_dir == repo.path / ".git"
        assert source.head_branch() == "side"
        assert source.resolve("HEAD") == base
        assert source.repository == repo.path.as_posix()


def test_no_repository_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a git repository") as caught:
        open_repository(tmp_path)
    assert "--repo" in caught.value.hint
    with pytest.raises(UsageError, match="does not exist"):
        open_repository(tmp_path / "nowhere")


def test_somebody_elses_repository_needs_a_human(tmp_path: Path) -> None:
    said = "fatal: detected dubious ownership in repository at '/srv/config'\nTo add an exception…\n"
    error = explain_failure(said, 128, tmp_path)
    assert isinstance(error, NeedsHuman)
    assert f"safe.directory '{tmp_path.as_posix()}'" in error.hint
    assert isinstance(explain_failure("", -9, tmp_path), RetryLater)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_that_really_is_somebody_elses(repo: GitRepo) -> None:
    for place in (repo.path, repo.path / ".git"):
        os.chown(place, 54321, 54321)
    with pytest.raises(NeedsHuman, match="belongs to another user") as caught:
        open_repository(repo.path)
    assert "safe.directory" in caught.value.hint


def test_a_fetch_that_was_not_allowed_is_a_missing_object_however_git_ended(tmp_path: Path) -> None:
    for code in (128, -13):  # before 2.45, git tries to fetch, and may be told of the refusal by a signal
        error = explain_failure("fatal: transport 'ext' not allowed\n", code, tmp_path, "1234")
        assert isinstance(error, NeedsHuman)
        assert "lacks the object 1234" in str(error)


def test_a_broken_configuration_and_an_unknown_format_need_a_human(repo: GitRepo) -> None:
    config = repo.path / ".git/config"
    good = config.read_text()
    for broken in ("[core\n", good.replace("version = 0", "version = 99")):
        config.write_text(broken)
        with pytest.raises(NeedsHuman, match="git cannot read"):
            open_repository(repo.path)


def test_every_way_to_name_a_commit(repo: GitRepo, source: GitSource) -> None:
    first, second = repo.commit({"a.yaml": "1"}), repo.commit({"a.yaml": "2"})
    repo.git("tag", "-a", "v1", "-m", "Release", first)
    repo.git("tag", "light", first)
    repo.git("branch", "feature/x", first)
    names = ["v1", "light", "feature/x", "refs/heads/feature/x", "HEAD~1", "main^", first, first[:12], "v1^{commit}"]
    assert [source.resolve(name) for name in names] == [first] * len(names)
    assert [source.resolve(name) for name in ("HEAD", "main", second, "@")] == [second] * 4
    assert source.resolve(repo.git("rev-parse", "v1")) == first


def test_a_branch_is_preferred_to_a_tag_of_its_name(repo: GitRepo, source: GitSource) -> None:
    first, second = repo.commit({"a.yaml": "1"}), repo.commit({"a.yaml": "2"})
    repo.git("tag", "main", first)
    repo.git("update-ref", "refs/heads/HEAD", first)
    assert source.resolve("main") == second
    assert source.resolve("HEAD") == second
    assert source.head_branch() == "main"


@pytest.mark.parametrize(
    "name",
    [
        "nowhere",
        "-x",
        "--all",
        "",
        "a b",
        "main\nmain",
        "HEAD~9",
        "main:a.yaml",
        "0" * 40,
        "f" * 7,
        "x" * 9000,
        "main^{tree}",
    ],
)
def test_what_names_no_commit_is_a_usage_error(repo: GitRepo, source: GitSource, name: str) -> None:
    repo.commit({"a.yaml": "1"})
    with pytest.raises(UsageError):
        source.resolve(name)
    assert source.resolve("main")


def test_the_nearest_branch_is_named(repo: GitRepo, source: GitSource) -> None:
    repo.commit({"a.yaml": "1"})
    repo.git("branch", "production")
    with pytest.raises(UsageError) as caught:
        source.resolve("prodution")
    assert caught.value.hint == "did you mean production?"
    for use in (source.height, source.history, lambda name: source.changes(None, name)):
        with pytest.raises(UsageError):
            use("prodution")


def test_an_unborn_branch_beside_others(repo: GitRepo, source: GitSource) -> None:
    repo.commit({"a.yaml": "1"}, branch="other")
    assert source.resolve("main") is None
    assert source.resolve("HEAD") is None
    with pytest.raises(UsageError):
        source.resolve("others")
    with pytest.raises(UsageError, match="no commits yet"):
        source.history("main")


def test_a_detached_head_is_no_branch(repo: GitRepo, source: GitSource) -> None:
    head = repo.commit({"a.yaml": "1"})
    repo.git("checkout", "-q", "--detach", head)
    assert source.head_branch() is None
    assert source.resolve("HEAD") == head


def test_a_closed_source_says_so(repo: GitRepo) -> None:
    head = repo.commit({"a.yaml": "1"})
    with contextlib.closing(open_repository(repo.path)) as source:
        assert source.resolve("main") == head
    with pytest.raises(BugError, match="closed"):
        source.resolve("main")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://user:tok@host/x.git", "https://host/x.git"),
        ("https://ghp_token@host:8443/x.git", "https://host:8443/x.git"),
        ("https://user:p@ss@host/x.git", "https://host/x.git"),
        ("https://host/x.git?private_token=abc", "https://host/x.git"),
        ("https://host/x@v2.git", "https://host/x@v2.git"),
        ("ssh://git@host:22/x.git", "ssh://git@host:22/x.git"),
        ("ssh://git:secret@host/x.git", "ssh://git@host/x.git"),
        ("git@host:team/x.git", "git@host:team/x.git"),
        ("/srv/x.git", "/srv/x.git"),
        ("C:\\repos\\x.git", "C:\\repos\\x.git"),
        ("helper::https://user:tok@host/x", "helper::https://host/x"),
    ],
)
def test_an_origin_is_named_without_credentials(url: str, name: str, repo: GitRepo, source: GitSource) -> None:
    assert without_credentials(url) == name
    repo.git("remote", "add", "origin", url)
    assert source.repository == name


def test_a_source_may_be_sent_to_another_process(repo: GitRepo) -> None:
    with open_repository(repo.path) as source:
        assert isinstance(pickle.loads(pickle.dumps(source)), GitSource)
