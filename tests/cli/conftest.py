"""The command line in this process, on a real repository, with real engines in a temporary state folder."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import pytest

from reconciler.adapters.bundled import find_example_repository
from reconciler.cli.main import run
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Ticks


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


Past: TypeAlias = "Callable[[Host], None]"
"""What a host has been through when a test begins."""


@dataclass
class Stage:
    """Where the hosts of a worker live, one after the other: stores and histories know a repository by its place.

    What a past leaves is kept and copied for each test that begins there, as going through it takes a second.
    """

    folder: Path
    kept: dict[str, tuple[GitRepo, int]] = field(default_factory=dict)

    def begin(self, past: Past, capture: pytest.CaptureFixture[str], clock: Ticks) -> Host:
        """A host with this past, alone on the stage; the clock goes on from where the past has left it."""
        name, place = f"{past.__module__}.{past.__qualname__}", self.folder / "host"
        if place.exists():
            shutil.rmtree(place)
        if name in self.kept:
            repo, clock.passed = self.kept[name]
            shutil.copytree(self.folder / name, place, symlinks=True)  # the history has some
            return Host(copy.copy(repo), place / "state", capture)
        host = Host(GitRepo.create(place / "config"), place / "state", capture)
        past(host)
        self.kept[name] = (copy.copy(host.repo), clock.passed)
        shutil.copytree(place, self.folder / name, symlinks=True)
        return host


def founded(host: Host) -> None:
    """The first commit is there, and nothing has looked at it."""
    folder = find_example_repository()
    files = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    host.repo.commit(files, "Bring the desk's configuration under review")


def first_synced(host: Host) -> None:
    """The first commit is live and in the history."""
    founded(host)
    assert host.run("sync").code == 0


@pytest.fixture(autouse=True)
def judging(one_engine: None) -> None:
    """These tests are not about the engine."""


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stage per worker."""
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def begin(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, ticks: Ticks
) -> Callable[[Past], Host]:
    """Give a host a past. One host is there at a time."""
    monkeypatch.setenv("COLUMNS", "100")
    return lambda past: stage.begin(past, capsys, ticks)


@pytest.fixture
def host(begin: Callable[[Past], Host]) -> Host:
    """A host that has not synced yet."""
    return begin(founded)


@pytest.fixture
def synced(begin: Callable[[Past], Host]) -> Host:
    """A host whose first commit is live and in the history."""
    return begin(first_synced)
