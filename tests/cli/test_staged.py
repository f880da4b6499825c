"""`validate`, `validate --staged` and `fmt` in a repository whose folder, index and commits differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.main import run
from tests.cli.conftest import Answer
from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Shell = Callable[..., Answer]


@pytest.fixture
def shell(desk: GitRepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands inside the repository."""
    monkeypatch.chdir(desk.path)

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run(arguments)
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def desk(tmp_path: Path) -> GitRepo:
    """A repository in which everything is committed and valid."""
    repo = GitRepo.create(tmp_path / "desk")
    repo.commit({"users/ann.yaml": configs.user("ann"), "signals/s.yaml": configs.signal("s", users=["ann"])})
    repo.checkout()
    return repo


def write(repo: GitRepo, name: str, text: str) -> None:
    """A file of the folder."""
    (repo.path / name).parent.mkdir(parents=True, exist_ok=True)
    (repo.path / name).write_bytes(text.encode())


def codes(answer: Answer) -> list[tuple[str, str]]:
    """Path and code of each problem in JSON."""
    return [(problem["path"], problem["code"]) for problem in json.loads(answer.out)["problems"]]


def test_what_is_staged_is_judged_whatever_the_folder_holds(desk: GitRepo, shell: Shell) -> None:
    write(desk, "signals/t.yaml", configs.signal("t", users=["bob"]))
    desk.git("add", "signals/t.yaml")
    write(desk, "users/bob.yaml", configs.user("bob"))
    assert shell("validate").code == 0
    answer = shell("validate", "--staged", "--format", "json")
    assert (answer.code, codes(answer)) == (1, [("signals/t.yaml", "dangling-reference")])
    desk.git("add", "users/bob.yaml")
    write(desk, "users/bob.yaml", configs.BROKEN)
    assert shell("validate").code == 1
    assert shell("validate", "--staged").out == "4 resources in 4 files: no problems\n"


def test_a_path_may_be_gone_from_the_folder(desk: GitRepo, shell: Shell) -> None:
    write(desk, "users/ann.yaml", configs.user("ann", risk=-1.0))
    desk.git("add", "users/ann.yaml")
    (desk.path / "users/ann.yaml").unlink()
    assert codes(shell("validate", "--staged", "--format", "json", "users/ann.yaml")) == [
        ("users/ann.yaml", "out-of-range")
    ]
    assert shell("validate", "--staged", "signals").out == "1 resource in 1 file: no problems\n"
    answer = shell("validate", "--staged", "users/bob.yaml")
    assert (answer.code, answer.err) == (3, "error: there is no file or folder users/bob.yaml\n")
    write(desk, "users/bob.yaml", configs.user("bob"))
    answer = shell("validate", "--staged", "users/bob.yaml")
    assert answer.code == 3
    assert "git add" in answer.err


def test_an_ignored_file_counts_when_it_is_named(desk: GitRepo, shell: Shell) -> None:
    write(desk, ".gitignore", "drafts/\n")
    write(desk, "drafts/cid.yaml", configs.user("cid", risk=-1.0))
    assert shell("validate").code == 0
    assert codes(shell("validate", "drafts/cid.yaml", "--format", "json")) == [("drafts/cid.yaml", "out-of-range")]


def test_fmt_writes_the_files_that_git_would_commit(desk: GitRepo, shell: Shell) -> None:
    untidy = configs.user("bob").replace("spec:\n", "spec:   \n")
    for name in ("node_modules/p/x.yaml", "users/bob.yaml", "drafts/d.yaml", "users/wide.yaml", "users/crlf.yaml"):
        write(desk, name, untidy)
    (desk.path / "users/wide.yaml").write_bytes(untidy.encode("utf-16"))
    write(desk, ".gitattributes", "users/wide.yaml working-tree-encoding=UTF-16\n")
    write(desk, ".gitignore", "node_modules/\ndrafts/\n")
    shell("fmt", "users", "signals")
    answer = shell("fmt", "--check")
    assert (answer.code, answer.out) == (0, "")
    assert (desk.path / "users/bob.yaml").read_text(encoding="utf-8") != untidy
    assert (desk.path / "node_modules/p/x.yaml").read_text(encoding="utf-8") == untidy
    assert (desk.path / "users/wide.yaml").read_bytes() == untidy.encode("utf-16"), "git would refuse it as UTF-8"
    assert shell("fmt", "drafts/d.yaml").out == "drafts/d.yaml\n"


def test_staged_needs_a_repository_and_no_watch(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = shell("validate", "--staged", "--watch")
    assert (answer.code, "--watch" in answer.err) == (3, True)
    monkeypatch.chdir(tmp_path)
    write(GitRepo(tmp_path), "loose/a.yaml", configs.user("ann"))
    assert shell("validate", "loose").out == "1 resource in 1 file: no problems\n"
    answer = shell("validate", "--staged", "loose")
    assert (answer.code, "is not in a git repository" in answer.err) == (3, True)


def test_a_bare_repository_has_no_files_to_judge_or_to_write(desk: GitRepo, shell: Shell, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    desk.git("clone", "--quiet", "--bare", ".", str(bare))
    before = sorted(bare.iterdir())
    for command in (["validate"], ["new", "user", "cid"]):
        answer = shell("--repo", str(bare), *command)
        assert (answer.code, "is a bare repository" in answer.err) == (3, True)
    assert sorted(bare.iterdir()) == before


def test_without_git_all_files_count_and_that_is_said(
    desk: GitRepo, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(desk, ".gitignore", "drafts/\n")
    write(desk, "drafts/cid.yaml", configs.user("cid"))
    monkeypatch.setenv("GIT_PYTHON_GIT_EXECUTABLE", "no-such-git")
    answer = shell("validate")
    assert answer.out == "3 resources in 3 files: no problems\n"
    assert answer.err.startswith(
        "warning: every file counts, whether git would commit it or not: git cannot be started"
    )
    assert shell("validate", "--staged").code == 3
