"""The hooks, run by pre-commit itself in a real repository: those of this checkout, and those that `init` writes.

Only `language` is another: pre-commit would install reconciler from the network, which `online.py` lets it do.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.docs.markdown import ROOT, read
from tests.support.configs import signal, user
from tests.support.gitrepo import GitRepo, environment

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  exclude: [drafts/]\n"
HOOKS = ("reconciler-fmt", "reconciler-validate")


def commit(repo: GitRepo, files: Mapping[str, str | None], *, home: Path) -> subprocess.CompletedProcess[str]:
    """What somebody does who changes some files and commits them, with pre-commit installed."""
    for name, text in files.items():
        file = repo.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            file.unlink()
        else:
            file.write_text(text, encoding="utf-8", newline="\n")
    repo.git("add", "--all", *files)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    known = {**environment(), "PATH": path, "HOME": str(home), "PRE_COMMIT_HOME": str(home / "pre-commit")}
    return subprocess.run(
        ["git", "commit", "-m", "Change"],
        cwd=repo.path, env=known, capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


def from_here(folder: Path) -> str:
    """A configuration of pre-commit with a repository that holds the hooks of this checkout."""
    origin = GitRepo.create(folder / "origin")
    sha = origin.commit({".pre-commit-hooks.yaml": read(".pre-commit-hooks.yaml")}, "Hooks")
    hooks = [{"id": name, "language": "system"} for name in HOOKS]
    return yaml.safe_dump({"repos": [{"repo": str(origin.path), "rev": sha, "hooks": hooks}]})


@pytest.fixture(params=["checkout", "scaffold"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> GitRepo:
    """A repository with two users and a signal that follows one, in which pre-commit is installed."""
    config = from_here(tmp_path) if request.param == "checkout" else read("scaffold/common/.pre-commit-config.yaml")
    repo = GitRepo.create(tmp_path / "desk")
    files = {
        ".pre-commit-config.yaml": config,
        "users/ann.yaml": user("ann"),
        "users/bob.yaml": user("bob"),
        "signals/s.yaml": signal("s", users=["ann"]),
    }
    repo.commit(files, "Begin")
    repo.checkout()
    programs = Path(sys.executable).parent
    subprocess.run([str(programs / "reconciler"), "fmt"], cwd=repo.path, check=True, capture_output=True)
    repo.git("commit", "-q", "--amend", "--all", "--no-edit")
    known = {**environment(), "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}
    subprocess.run([str(programs / "pre-commit"), "install"], cwd=repo.path, env=known, check=True, capture_output=True)
    return repo


@pytest.mark.slow
def test_what_is_committed_is_right(desk: GitRepo, tmp_path: Path) -> None:
    done = commit(desk, {"users/ann.yaml": user("ann", risk=-1.0)}, home=tmp_path)
    assert done.returncode == 1
    assert re.search(r"users/ann.yaml:\d+:\d+: error \[out-of-range\] /spec/risk_per_trade_percent", done.stderr)
    assert desk.rev_count() == 1

    desk.git("reset", "-q", "--hard")
    done = commit(desk, {"users/ann.yaml": None}, home=tmp_path)
    assert done.returncode == 1, "a commit that only deletes names no file to pre-commit"
    assert "signals/s.yaml:" in done.stderr
    assert "[dangling-reference]" in done.stderr

    desk.git("reset", "-q", "--hard")
    untidy = user("bob", risk=0.75).replace("  risk_per", "  # by hand\n  risk_per").replace("spec:\n", "spec:   \n")
    done = commit(desk, {"users/bob.yaml": untidy, ".hidden/x.yaml": "a:   1\n"}, home=tmp_path)
    assert done.returncode == 1
    assert "files were modified by this hook" in done.stderr
    tidy = (desk.path / "users/bob.yaml").read_text(encoding="utf-8")
    assert "spec:\n" in tidy
    assert "# by hand\n" in tidy
    assert (desk.path / ".hidden/x.yaml").read_text(encoding="utf-8") == "a:   1\n"

    others = {"policies/tests/own/fail-x/user.yaml": untidy, "drafts/notes.yaml": "a:   1\n"}
    done = commit(desk, {"users/bob.yaml": tidy, "reconciler.yaml": SETTINGS, **others}, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split(".")[-1] for line in done.stderr.splitlines() if "...." in line] == ["Passed", "Passed"]
    assert desk.rev_count() == 2
    assert desk.git("show", "HEAD:policies/tests/own/fail-x/user.yaml") + "\n" == untidy


def test_the_scaffold_says_what_the_hooks_say() -> None:
    ours = {hook["id"]: hook for hook in yaml.safe_load(read(".pre-commit-hooks.yaml"))}
    (local,) = yaml.safe_load((ROOT / "scaffold/common/.pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert {hook["id"] for hook in local["hooks"]} == set(ours)
    for hook in local["hooks"]:
        told = {name: value for name, value in ours[hook["id"]].items() if name not in {"description", "language"}}
        assert {name: value for name, value in hook.items() if name != "language"} == told
