"""What a measurement is, and how a command line is timed: as a whole process, from start to exit."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """What was measured, the figure with its unit, and the target it is held against."""

    what: str
    measured: str
    target: str


def run(repository: Path, state: Path, *arguments: str) -> float:
    """Seconds that a command takes, start of the interpreter included."""
    return process(sys.executable, "-m", "reconciler", "--repo", str(repository), "--state", str(state), *arguments)


def process(*command: str) -> float:
    """Seconds that a process takes from start to exit. Raises RuntimeError when it could not do its work."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(done.stderr)
    return seconds


def typical(repository: Path, state: Path, *arguments: str, times: int = 5) -> float:
    """The median of several runs."""
    return median(run(repository, state, *arguments) for _ in range(times))


def user_files(number: int) -> dict[str, str]:
    """One user a file, in folders of a thousand."""
    text = configs.user("NAME")  # writing YAML a hundred thousand times would take longer than what is measured
    return {f"users/{i // 1000:03}/u{i:06}.yaml": text.replace("NAME", f"u{i:06}") for i in range(number)}


def repository(folder: Path, files: dict[str, str]) -> GitRepo:
    """A repository with one commit of many files."""
    repo = GitRepo.create(folder / "config")
    repo.commit(files)
    return repo
