"""The command line in this process, on a real repository, with real engines in a temporary state folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.shipped import example_repository
from reconciler.cli.main import run
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Host:
    """A repository with the example in its first commit, and a state folder."""

    repo: GitRepo
    state: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> Answer:
        """Run a command on this host."""
        self.capture.readouterr()
        code = run([*arguments, "--repo", str(self.repo.path), "--state", str(self.state)])
        out, err = self.capture.readouterr()
        return Answer(code, out.replace(str(self.repo.path), "REPO"), err.replace(str(self.repo.path), "REPO"))

    def edit(self, path: str, old: str, new: str, message: str = "Change a value") -> str:
        """Commit a change of one text in a file of the head."""
        text = self.repo.git("show", f"HEAD:{path}")
        assert text.count(old) == 1
        return self.repo.commit({path: text.replace(old, new) + "\n"}, message)


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host that has not synced yet."""
    monkeypatch.setenv("COLUMNS", "100")
    folder = example_repository()
    files = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    repo = GitRepo.create(tmp_path / "config")
    repo.commit(files, "Bring the desk's configuration under review")
    return Host(repo, tmp_path / "state", capsys)
