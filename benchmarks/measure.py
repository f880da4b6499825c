"""What a measurement is, and how a command line is timed: as a whole process, from start to exit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.daemons import RunningDaemon

MB = 1_024
"""Kilobytes of one."""
DEFAULTS = {"HISTORY_URL": "chdb", "REDIS_URL": "embedded"}
"""What a daemon that nobody configured keeps: its own history and its own live view."""
ALONE = {"HISTORY_URL": "none", "REDIS_URL": "none"}
"""Neither."""


@dataclass(frozen=True)
class Figure:
    """What was measured, the figure with its unit, and what it has to reach.

    `beside` is what a peer or the floor took for the same in the same run, and `times` how many times that ours is,
    or how many times as fast; the target is then for `times`.
    """

    work: str
    measured: str
    target: str = ""
    beside: str = ""
    times: str = ""


def run(repository: Path, state: Path, *arguments: str, settings: Mapping[str, str] = ALONE) -> float:
    """Seconds that a command takes, start of the interpreter included."""
    options = ("--repo", str(repository), "--state", str(state))
    return process(sys.executable, "-m", "reconciler", *options, *arguments, settings=settings)


def process(*command: str, settings: Mapping[str, str] = ALONE) -> float:
    """Seconds that a process takes from start to exit. Raises RuntimeError when it could not do its work.

    `settings` are RECONCILER_ variables without that prefix.
    """
    variables = {**os.environ, **{f"RECONCILER_{name}": value for name, value in settings.items()}}
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=variables)
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


def await_whole(daemon: RunningDaemon, rows: int) -> None:
    """Wait until the history has what is live, and so many rows are in the live view."""
    daemon.await_status(
        lambda said: not said["history"]["behind"] and said["live_view"]["rows"] == rows and not said["troubles"], 900
    )


def resident(daemon: RunningDaemon) -> int:
    """Megabytes of the daemon's own process that are in memory (proc(5))."""
    return _resident(daemon.process.pid)


def resident_with_children(daemon: RunningDaemon) -> int:
    """The same with those of all processes that it started: servers, git, workers."""
    return sum(_resident(process) for process in _with_children(daemon.process.pid))


def _with_children(process: int) -> Iterator[int]:
    yield process
    for thread in Path(f"/proc/{process}/task").iterdir():
        for child in (thread / "children").read_text(encoding="ascii").split():
            yield from _with_children(int(child))


def _resident(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) // MB
