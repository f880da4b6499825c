"""What needs a network, as it installs reconciler anew: `make try-ci`. Not among the tests that `make test` finds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci.runner import parsed
from tests.docs.markdown import EXAMPLE, ROOT
from tests.support.gitrepo import GitRepo

pytestmark = pytest.mark.timeout(900)


def test_the_action_installs_what_it_needs(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    known = {**os.environ, "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(outputs)}
    install = [sys.executable, str(ROOT / "deploy" / "github" / "install.py")]
    for _ in range(2):
        outputs.write_text("", encoding="utf-8")
        subprocess.run(install, env=known, cwd=tmp_path, check=True)
    python = parsed(outputs.read_text(encoding="utf-8"))["python"]
    assert Path(python).is_relative_to(tmp_path)
    shutil.copytree(EXAMPLE, tmp_path / "desk")
    repo = GitRepo.create(tmp_path / "desk")
    repo.git("add", ".")
    repo.git("commit", "-q", "-m", "Begin")
    done = subprocess.run(
        [python, "-m", "reconciler_ci", "github"],
        cwd=repo.path,
        env=known,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert parsed(outputs.read_text(encoding="utf-8"))["exit-code"] == "0"


def test_pre_commit_installs_what_the_hooks_need(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "desk")
    repo = GitRepo.create(tmp_path / "desk")
    repo.git("add", ".")
    repo.git("commit", "-q", "-m", "Begin")
    known = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"), "GIT_CONFIG_GLOBAL": os.devnull}
    program = str(Path(sys.executable).parent / "pre-commit")
    done = subprocess.run(
        [program, "try-repo", str(ROOT), "--all-files", "--verbose"],
        cwd=repo.path, env=known, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resources in" in done.stdout
    assert "left unchanged" in done.stdout
