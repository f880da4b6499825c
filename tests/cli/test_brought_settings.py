"""A `reconciler.toml` that a change may bring does not count where the change is judged; what a user names does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.worktree import trace_path
from reconciler.cli.main import run
from reconciler.settings import load
from reconciler.wiring.trusting import is_brought
from tests.support.configs import user
from tests.support.gitrepo import GitRepo, environment

if TYPE_CHECKING:
    from collections.abc import Mapping

FORGED = '[repository]\npath = "good"\n'
GOOD, BAD = user("ann"), user("bob", risk=-1.0)
CHANGE = {"reconciler.toml": FORGED, "users/bob.yaml": BAD, "good/users/ann.yaml": GOOD}
POLICY = "SELECT 'no' AS message FROM desired.users"
NOTICE = "reconciler.toml does not count here"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Files in a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> GitRepo:
    """What a pull request brings: a value that is wrong, and a file that leads away from it."""
    repo = GitRepo.create(tmp_path / "checkout")
    repo.commit({"users/bob.yaml": user("bob")}, "Begin")
    repo.commit(CHANGE, "Forge")
    repo.checkout()
    return repo


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("validate",), 1),
        (("validate", "--staged", "--format", "json"), 1),
        (("validate", "users", "good"), 1),
        (("plan", "--base", "HEAD~1", "--format", "json"), 1),
        (("fmt", "--check"), 2),
        pytest.param(("policy", "test"), 1, marks=pytest.mark.slow),
        (("policy", "list"), 0),
    ],
)
def test_a_file_of_the_change_does_not_count_and_is_told(
    words: tuple[str, ...],
    code: int,
    checkout: GitRepo,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(checkout.path, {"users/untidy.yaml": user("eve").replace("spec:\n", "spec:   \n")})
    if words[0] == "policy":
        write(checkout.path, {"policies/none.sql": POLICY, "policies/tests/none/pass-x/u.yaml": GOOD})
    monkeypatch.chdir(checkout.path)
    assert run(words) == code
    out, err = capsys.readouterr()
    assert f"warning: {checkout.path / NOTICE}" in err
    assert "--config reconciler.toml" in err
    assert "RECONCILER_" in err
    if "json" in words:
        assert "users/bob.yaml" in {one["path"] for one in json.loads(out)["problems"]}


def test_what_is_named_counts(
    checkout: GitRepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout.path)
    assert run(["validate", "--config", "reconciler.toml"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["validate", "--path", "good"]) == 0
    monkeypatch.setenv("RECONCILER_REPOSITORY_PATH", "good")
    assert run(["validate"]) == 0


def test_a_file_of_the_change_that_cannot_be_read_stops_nothing(
    checkout: GitRepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(checkout.path, {"reconciler.toml": '[history]\nurl = "file:/etc/hostname"\n[', "users/bob.yaml": user("bob")})
    monkeypatch.chdir(checkout.path)
    assert run(["validate"]) == 0
    assert NOTICE in capsys.readouterr().err


def brought(cwd: Path, flags: Mapping[str, str] | None = None, paths: tuple[str, ...] = ()) -> bool:
    """Whether the file found in a folder does not count for what is judged from there."""
    before = Path.cwd()
    os.chdir(cwd)
    try:
        return is_brought(Path("reconciler.toml"), load(None, flags or {}, {}), [Path(path) for path in paths])
    finally:
        os.chdir(before)


def test_wherever_in_a_repository_it_lies_and_whatever_is_judged(checkout: GitRepo, tmp_path: Path) -> None:
    inner = write(checkout.path / "deep/er", {"reconciler.toml": FORGED})
    other = GitRepo.create(tmp_path / "other")
    assert brought(checkout.path)
    assert brought(inner)
    assert brought(inner, paths=("../../users",))
    assert brought(checkout.path, {"repository.url": "."})
    assert brought(checkout.path, {"repository.url": str(other.path)}), "a checkout of a change stays one"
    assert brought(checkout.path, {"repository.url": "https://git.example/desk.git"})
    checkout.git("worktree", "add", "-q", str(tmp_path / "tree"))
    assert brought(tmp_path / "tree")


def test_a_link_into_what_is_judged_and_a_link_out_of_it(checkout: GitRepo, tmp_path: Path) -> None:
    host = write(tmp_path / "host", {"own.toml": ""})
    (host / "reconciler.toml").symlink_to(checkout.path / "reconciler.toml")
    assert brought(host, {"repository.url": str(checkout.path)})
    (checkout.path / "reconciler.toml").unlink()
    (checkout.path / "reconciler.toml").symlink_to(host / "own.toml")
    assert brought(checkout.path), "the change brings the link"
    (checkout.path / "there").symlink_to(host)
    (host / "reconciler.toml").unlink()
    (host / "reconciler.toml").symlink_to("../checkout/there/own.toml")
    assert brought(host), "the change says where it leads"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert loop in trace_path(loop)


def test_a_folder_without_git(tmp_path: Path) -> None:
    export = write(tmp_path / "export", CHANGE)
    assert brought(export), "files of a commit, without reconciler.yaml too"
    assert brought(export, paths=("users",))
    assert brought(export, {"repository.url": "."})
    assert brought(export, {"repository.url": str(export)})
    write(export, {"reconciler.yaml": ""})
    assert brought(export)
    bad = write(tmp_path / "rules", {"reconciler.toml": FORGED, "schemas/x.schema.json": ""})
    assert brought(bad)


def test_a_file_beside_the_repository_counts(checkout: GitRepo, tmp_path: Path) -> None:
    write(tmp_path, {"reconciler.toml": '[repository]\nurl = "checkout"\n', ".venv/x.yaml": ""})
    assert not brought(tmp_path)
    assert not brought(tmp_path, {"repository.url": "checkout"})
    assert not brought(tmp_path, {"repository.url": str(checkout.path)})
    assert not brought(tmp_path, {"repository.url": "https://git.example/desk.git"})
    assert not brought(tmp_path, paths=("checkout/users",))
    bare = tmp_path / "bare.git"
    checkout.git("clone", "-q", "--bare", ".", str(bare))
    write(bare, {"reconciler.toml": ""})
    assert not brought(bare), "nobody pushes into the folder itself"


HOOKS = {
    "pre-commit": "exec reconciler validate --staged\n",
    "a server's": 'read old new ref; git archive "$new" | tar -x -C "$OUT"; cd "$OUT"; exec reconciler validate\n',
}


@pytest.mark.slow
@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_of_git_refuse_what_is_forged(hook: str, tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "desk")
    first = repo.commit({"users/bob.yaml": user("bob")}, "Begin")
    repo.checkout()
    server = tmp_path / "server.git"
    repo.git("clone", "-q", "--bare", ".", str(server))
    place = repo.path / ".git/hooks/pre-commit" if hook == "pre-commit" else server / "hooks/pre-receive"
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{HOOKS[hook]}", encoding="utf-8")
    place.chmod(0o755)
    write(repo.path, CHANGE)
    (tmp_path / "out").mkdir()
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    known = {**environment(), "PATH": path, "OUT": str(tmp_path / "out")}
    repo.git("add", "--all")
    words = ["commit", "-m", "Forge"]
    if hook != "pre-commit":
        repo.git("commit", "-q", "-m", "Forge")
        words = ["push", str(server), "HEAD:main"]
    done = subprocess.run(
        ["git", *words], cwd=repo.path, env=known, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "out-of-range" in done.stdout + done.stderr
    assert NOTICE in done.stderr
    assert GitRepo(server).git("rev-parse", "main") == first
