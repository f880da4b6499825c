"""Where a repository may begin, and what it pushes to: what is in the way is found before anything is written."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.beginning import (
    Place,
    begin_remote,
    begin_repository,
    commit_first,
    find_place,
    find_uncommitted,
    push_branch,
)
from reconciler.adapters.git.pairing import find_remote_obstacles, leads_to
from reconciler.errors import NeedsHuman
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A new repository with one file."""
    (tmp_path / "desk").mkdir()
    with ExitStack() as undo:
        begin_repository(find_place(tmp_path / "desk"), undo)
        undo.pop_all()
    (tmp_path / "desk/a.yaml").write_bytes(b"1\n")
    return tmp_path / "desk"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person whom git knows."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / ".gitconfig").write_text("[user]\n  name = Ann\n  email = ann@example.com\n", encoding="utf-8")
    return home


def test_a_repository_begins_where_there_is_none(desk: Path) -> None:
    assert GitRepo(desk).git("symbolic-ref", "HEAD") == "refs/heads/main"
    (desk / "deeper").mkdir()
    assert find_place(desk / "deeper" / "new") == Place(desk / "deeper" / "new", desk, desk / ".git")
    assert find_place(desk).is_top


def test_without_git_it_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NeedsHuman, match="git cannot be started") as refused:
        find_place(tmp_path)
    assert "install git" in refused.value.hint
    assert os.environ["PATH"] == str(tmp_path)


def _broken_gitfile(folder: Path) -> None:
    (folder / ".git").write_text("gitdir: /nowhere/at/all\n", encoding="utf-8")


def _no_gitfile(folder: Path) -> None:
    (folder / ".git").write_bytes(b"?\n")


def _dangling_link(folder: Path) -> None:
    (folder / ".git").symlink_to(folder / "nowhere")


def _bare(folder: Path) -> None:
    GitRepo(folder).git("init", "--bare")


@pytest.mark.parametrize("make", [_broken_gitfile, _no_gitfile, _dangling_link, _bare])
def test_where_git_cannot_have_a_working_tree_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    make(folder)
    with pytest.raises(NeedsHuman, match=r"leads to no repository|is no place for files"):
        find_place(folder)


def test_what_is_part_of_another_repository_has_no_remote_of_its_own(tmp_path: Path, desk: Path) -> None:
    repository = GitRepo(desk)
    repository.commit({"a.yaml": "1"})
    repository.git("worktree", "add", "-b", "side", str(tmp_path / "tree"), "main")
    for folder, words in ((desk / "deeper", "part of another"), (tmp_path / "tree", "a worktree or a submodule")):
        (found,) = find_remote_obstacles(find_place(folder), tmp_path / "x.git")
        assert words in str(found)


def test_a_left_over_remote_is_refused_unless_it_has_the_same_history(tmp_path: Path, desk: Path) -> None:
    bare = tmp_path / "desk.git"
    GitRepo(tmp_path).git("init", "--bare", str(bare))
    assert not [*find_remote_obstacles(find_place(desk), bare)], "an empty one loses nothing"
    GitRepo.create(tmp_path / "other").commit({"b.yaml": "1"})
    GitRepo(tmp_path / "other").git("push", str(bare), "main")
    for folder in (desk, tmp_path / "new"):
        (found,) = find_remote_obstacles(find_place(folder), bare)
        assert "with commits that" in str(found)
        assert "git clone" in found.hint
    GitRepo(tmp_path).git("clone", str(bare), str(tmp_path / "clone"))
    assert not [*find_remote_obstacles(find_place(tmp_path / "clone"), bare)]


def test_a_remote_is_known_by_each_spelling(tmp_path: Path) -> None:
    bare = tmp_path / "my desk.git"
    for url in (str(bare), "../my desk.git", bare.as_uri()):
        assert leads_to(url, tmp_path / "desk", bare)
    for url in ("https://git.example.com/desk.git", "git@example.com:desk.git", "\0"):
        assert not leads_to(url, tmp_path / "desk", bare)


def test_the_first_commit_has_the_files_that_are_named_alone(tmp_path: Path, desk: Path, home: Path) -> None:
    """Whatever somebody has told git to do in all repositories."""
    hook = home / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    (home / "ignored").write_text("*.yaml\n", encoding="utf-8")
    with (home / ".gitconfig").open("a", encoding="utf-8") as config:
        config.write(f"[core]\n hooksPath = {hook.parent}\n excludesFile = {home / 'ignored'}\n autocrlf = true\n")
        config.write('[remote "origin"]\n prune = true\n[push]\n gpgSign = true\n[safe]\n bareRepository = explicit\n')
    for name in ("id_rsa", "staged"):
        (desk / name).write_bytes(b"secret\n")
    GitRepo(desk).git("add", "staged")
    bare = tmp_path / "desk.git"
    with ExitStack() as undo:
        assert begin_remote(desk, bare, "main", undo)
        assert commit_first(desk, ["a.yaml"], "Begin", undo)
        assert push_branch(desk, bare, "main")
        undo.pop_all()
    assert GitRepo(bare).git("log", "--format=%s", "main") == "Begin"
    assert GitRepo(bare).git("ls-tree", "-r", "--name-only", "main") == "a.yaml"
    assert find_uncommitted(desk) == ["staged", "id_rsa"]


def test_what_cannot_be_signed_is_told_and_undone(tmp_path: Path, desk: Path, home: Path) -> None:
    with (home / ".gitconfig").open("a", encoding="utf-8") as config:
        config.write(f"[commit]\n gpgSign = true\n[gpg]\n program = {home / 'nothing'}\n")
    bare = tmp_path / "desk.git"
    with ExitStack() as undo:
        begin_remote(desk, bare, "main", undo)
        with pytest.raises(NeedsHuman, match="could not make the first commit") as refused:
            commit_first(desk, ["a.yaml"], "Begin", undo)
    assert "commit.gpgSign" in refused.value.hint
    assert not bare.exists()
    assert GitRepo(desk).git("status", "--porcelain") == "?? a.yaml"
    assert "remote" not in (desk / ".git/config").read_text(encoding="utf-8")


def test_a_lock_that_a_kill_left_is_named(desk: Path) -> None:
    (desk / ".git/index.lock").touch()
    with pytest.raises(NeedsHuman, match=r"index\.lock.*File exists") as refused, ExitStack() as undo:
        commit_first(desk, ["a.yaml"], "Begin", undo)
    assert "another git" in refused.value.hint
    assert "delete" not in refused.value.hint
