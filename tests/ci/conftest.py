"""A platform on loopback, and a repository whose configuration lies where scripts trip over it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.ci import forge as forges
from tests.docs.markdown import ROOT
from tests.support.configs import signal, user
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.ci.forge import Forge

PLACE = "desk's ü&$(x)/live"
"""Where the configuration begins."""
POLICY = ROOT / "scaffold" / "minimal" / "policies"


def policy() -> dict[str, str]:
    """The rule that risk does not more than triple, with its tests."""
    files = (file for file in POLICY.rglob("*") if file.is_file())
    return {f"policies/{file.relative_to(POLICY).as_posix()}": file.read_text(encoding="utf-8") for file in files}


@dataclass(frozen=True)
class Desk:
    """A repository on a platform, with a branch to review in it."""

    origin: GitRepo
    folder: Path

    def commit(self, files: Mapping[str, str | None], message: str = "Change", *, branch: str = "main") -> str:
        """Commit files of the configuration; a new branch begins at main."""
        known = self.origin.git("for-each-ref", f"refs/heads/{branch}")
        start = None if known or branch == "main" else [self.origin.git("rev-parse", "main")]
        inside = {f"{PLACE}/{path}": text for path, text in files.items()}
        return self.origin.commit(inside, message, branch=branch, parents=start)

    def pull_request(self, files: Mapping[str, str | None], message: str = "Change") -> tuple[str, dict[str, Any]]:
        """A pull request number 7 as the platform has it: the sha of the trial merge, and the event."""
        target = self.origin.git("rev-parse", "main")
        source = self.commit(files, message, branch="change")
        self.origin.git("branch", "--force", "trial", target)
        trial = self.origin.merge("change", into="trial")
        return trial, {"pull_request": {"number": 7, "head": {"sha": source}, "base": {"sha": target}}}

    def clone(self, sha: str, *, depth: int = 1) -> Path:
        """A checkout as CI makes it: one commit, detached; depth 0 for the whole history."""
        place = self.folder / f"work {sha[:8]} {depth}"
        work = GitRepo.create(place)
        work.git("remote", "add", "origin", self.origin.path.as_uri())
        shallow = [f"--depth={depth}"] if depth else []
        refs = [sha] if depth else ["+refs/heads/*:refs/remotes/origin/*"]
        work.git("fetch", "-q", "--no-tags", *shallow, "origin", *refs)
        work.git("checkout", "-q", "--detach", sha)
        return place

    def event(self, told: Mapping[str, Any]) -> Path:
        """The file with an event."""
        file = self.folder / "event.json"
        file.write_text(json.dumps(told), encoding="utf-8")
        return file


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Two users and a signal that follows one of them."""
    made = Desk(GitRepo.create(tmp_path / "origin"), tmp_path)
    start = {"users/ann.yaml": user("ann"), "users/bob.yaml": user("bob"), "signals/s.yaml": signal("s", users=["ann"])}
    made.commit(start, "Begin")
    return made


@pytest.fixture
def forge() -> Iterator[Forge]:
    """A platform without comments."""
    with forges.running() as running:
        yield running
