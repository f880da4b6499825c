"""The repositories that this program makes itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.scratch import ScratchRepository
from reconciler.errors import NeedsHuman
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

ANN, BEN = ("Änn", "ann@example.com"), ("Ben", "ben@example.com")


@pytest.fixture(autouse=True)
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepo:
    """A repository that the environment leads to, as in a hook of it."""
    other = GitRepo.create(tmp_path / "other")
    other.commit({"a.yaml": "1"})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    return other


def test_all_files_are_committed_as_they_are(tmp_path: Path, hook: GitRepo) -> None:
    before, folder = hook.git("rev-parse", "main"), tmp_path / "scratch"
    folder.mkdir()
    repository = ScratchRepository(folder)
    for name, text in {"a.yaml": "1", "b.yaml": "1", "ignored": "1", ".gitignore": "ignored\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    repository.commit("First", ANN)
    (folder / "a.yaml").write_text("2", encoding="utf-8")
    (folder / "b.yaml").unlink()
    repository.commit("Second\n\nAnd why", BEN)
    made = GitRepo(folder)
    assert made.git("log", "--format=%an <%ae> %cn %s", "main").splitlines() == [
        "Ben <ben@example.com> Ben Second",
        "Änn <ann@example.com> Änn First",
    ]
    assert made.git("ls-tree", "--name-only", "main").split() == [".gitignore", "a.yaml", "ignored"]
    assert made.git("show", "main:a.yaml") == "2"
    assert made.git("status", "--short") == ""
    assert hook.git("rev-parse", "main") == before
    assert os.environ["GIT_DIR"] == str(hook.path / ".git")


def test_who_commits_there_is_known(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    ScratchRepository(tmp_path / "scratch").sign_as(ANN)
    assert GitRepo(tmp_path / "scratch").git("config", "--local", "user.name") == "Änn"
    assert GitRepo(tmp_path / "scratch").git("config", "--local", "user.email") == "ann@example.com"


def test_what_git_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    repository = ScratchRepository(tmp_path / "scratch")
    (tmp_path / "scratch" / "a.yaml").write_text("1", encoding="utf-8")
    (tmp_path / "scratch" / ".git" / "index.lock").touch()
    with pytest.raises(NeedsHuman, match=r"index\.lock.*File exists"):
        repository.commit("First", ANN)
