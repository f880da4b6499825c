"""A branch is refs/heads/NAME: whatever else goes by its name never takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.repository import GitSource, open_repository
from reconciler.errors import NeedsHuman, UsageError
from tests.support.cases import some
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """Two commits on main."""
    made = GitRepo.create(tmp_path / "config")
    made.commit({"a.yaml": "1"})
    made.commit({"a.yaml": "2"})
    return made


@pytest.fixture
def source(repo: GitRepo) -> Iterator[GitSource]:
    """It, opened before anything happens to it."""
    with open_repository(repo.path) as opened:
        yield opened


def at(ref: str) -> Callable[[GitRepo, str], None]:
    return lambda repo, first: repo.git("update-ref", ref, first) and None


IMPOSTORS: dict[str, Callable[[GitRepo, str], None]] = {
    ref: at(ref)
    for ref in (
        "refs/tags/main",
        "refs/tags/heads/main",
        "refs/tags/refs/heads/main",
        "refs/remotes/main",
        "refs/remotes/origin/main",
        "refs/remotes/main/HEAD",
        "refs/remotes/refs/heads/main",
        "refs/heads/refs/heads/main",
        "refs/heads/heads/main",
        "refs/refs/heads/main",
        "refs/main",
        "refs/heads/main/deep",
        "refs/reconciler/tags/main",
        "refs/notes/main",
    )
}


@pytest.mark.parametrize("packed", some({"packed": True, "loose": False}, 1))
@pytest.mark.parametrize("ref", IMPOSTORS)
def test_nothing_takes_its_place(repo: GitRepo, source: GitSource, ref: str, packed: bool) -> None:
    first, head = repo.git("rev-list", "--reverse", "main").split()
    if ref != "refs/heads/main/deep":
        IMPOSTORS[ref](repo, first)
    if packed:
        repo.git("pack-refs", "--all", "--prune")
    assert source.branch_head("main") == head
    repo.git("update-ref", "-d", "refs/heads/main")
    IMPOSTORS[ref](repo, first)
    if packed:
        repo.git("pack-refs", "--all", "--prune")
    assert source.branch_head("main") is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("v1", "v1 is a tag"),
        ("light", "light is a tag"),
        ("origin/main", "is a branch of a remote"),
        ("ABBREVIATED", "is a commit"),
        ("FULL", "is a commit"),
        ("HEAD", "HEAD is a commit"),
        ("tags/v1", "is a commit"),
        ("heads/main", "is a commit"),
        ("mian", "there is no branch mian"),
    ],
)
def test_what_else_goes_by_a_name_is_said(repo: GitRepo, source: GitSource, name: str, told: str) -> None:
    first, head = repo.git("rev-list", "--reverse", "main").split()
    repo.git("tag", "-a", "-m", "One", "v1", first)
    repo.git("tag", "light", first)
    repo.git("update-ref", "refs/remotes/origin/main", first)
    name = {"ABBREVIATED": head[:8], "FULL": head}.get(name, name)
    assert source.branch_head(name) is None
    assert told in str(source.no_such_branch(name))


@pytest.mark.parametrize(
    "name",
    [
        *("main~1", "main^", "main@{1}", "@{-1}", "@", ":/Change", "main:a.yaml", "main..main", "-x", "", " main"),
        *("main.lock", ".main", "a/.b", "main/", "/main", "a//b", "main.", "ma\nin", "ma*n"),
    ],
)
def test_what_can_be_no_branchs_name_is_refused(repo: GitRepo, source: GitSource, name: str) -> None:
    (repo.path / ".git/refs/heads/main.lock").write_text(repo.git("rev-parse", "main~1") + "\n")
    with pytest.raises(UsageError, match="not the name of a branch"):
        source.branch_head(name)


def test_a_branch_that_stands_for_another(repo: GitRepo, source: GitSource) -> None:
    repo.git("symbolic-ref", "refs/heads/live", "refs/heads/main")
    assert source.branch_head("live") == repo.git("rev-parse", "main")


def test_a_branch_at_a_commit_that_is_not_there(repo: GitRepo, source: GitSource) -> None:
    (repo.path / ".git/refs/heads/broken").write_text("1" * 40 + "\n")
    with pytest.raises(NeedsHuman, match="lacks the object"):
        source.branch_head("broken")


def test_a_head_that_is_no_branch(repo: GitRepo, source: GitSource) -> None:
    repo.git("update-ref", "refs/remotes/origin/main", "main")
    repo.git("symbolic-ref", "HEAD", "refs/remotes/origin/main")
    assert source.head_branch() is None


def test_a_typing_error_in_an_empty_repository(tmp_path: Path) -> None:
    empty = GitRepo.create(tmp_path / "empty")
    with open_repository(empty.path) as source:
        assert (source.branch_head("main"), source.branch_head("mian")) == (None, None)
        told = source.no_such_branch("mian")
    assert str(told) == "there is no branch mian"
    assert told.hint == "the repository has no commits yet, and HEAD stands for main"
