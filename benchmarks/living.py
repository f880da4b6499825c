"""How soon a commit is live after `git commit` has returned, beside the least that any program has to do for it."""

from __future__ import annotations

import http.client
import itertools
import subprocess
import sys
import time
from contextlib import contextmanager
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, user_files
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.gitrepo import GitRepo

TIMES = 40
PAUSE = 0.3
"""Seconds between two commits: a person's, not a storm."""
SMALL, LARGE = 10_000, 100_000
NUMBERS = itertools.count(1)
"""So that no commit says what another one said."""


def commits(folder: Path) -> Iterator[Figure]:
    """In a small and a large repository; with a commit while the daemon has let go of the store."""
    for files in (SMALL, LARGE):
        repo = repository(folder / str(files), user_files(files))
        repo.git("config", "user.name", "Ann")
        repo.git("config", "user.email", "ann@example.com")
        repo.git("reset", "-q", "--hard")
        repo.git("gc", "-q")
        with _watching(repo, folder / f"state-{files}") as await_live:
            ours = _measure(repo, await_live)
            rested = median(_commit(repo, await_live, pause=4.0) for _ in range(5))
        with _least(repo, folder / f"floor-{files}.duckdb") as await_live:
            floor = _measure(repo, await_live)
        names = (("median", "1.7"), ("the slowest in twenty", "2.5"))
        for (name, target), mine, least in zip(names, ours, floor, strict=True):
            yield Figure(f"commit to live, {files:,} files, {name}", _milliseconds(mine), "-")
            yield Figure("  the floor", _milliseconds(least), "-")
            yield Figure("  times the floor", f"{mine / least:.2f}", target)
        yield Figure("  after a rest, median", _milliseconds(rested), "50 ms")


def _measure(repo: GitRepo, await_live: Callable[[str], None]) -> tuple[float, float]:
    """The median of some commits, and the slowest of twenty, in seconds."""
    durations = [_commit(repo, await_live) for _ in range(TIMES)]
    return median(durations), quantiles(durations, n=20)[-1]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


@contextmanager
def _watching(repo: GitRepo, state: Path) -> Iterator[Callable[[str], None]]:
    """A daemon; what waits until its stream says that a commit is live."""
    with running(repo.path, state) as daemon:
        daemon.await_live(repo.git("rev-parse", "HEAD"), 300)
        connection = http.client.HTTPConnection(daemon.client().address)
        connection.request("GET", "/v1/watch")
        news = connection.getresponse()

        def await_live(head: str) -> None:
            while head not in (line := news.readline().decode()) or '"changes"' not in line:
                assert line, "the stream has ended"

        yield await_live
        connection.close()


@contextmanager
def _least(repo: GitRepo, store: Path) -> Iterator[Callable[[str], None]]:
    """The floor; what waits until it says that a commit is live."""
    command = [sys.executable, "-m", "benchmarks.floor", str(repo.path), repo.branch, str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout
        said.readline()

        def await_live(head: str) -> None:
            while (line := said.readline().strip()) != head:
                assert line, "the floor has ended"

        yield await_live
        process.terminate()


def _commit(repo: GitRepo, await_live: Callable[[str], None], pause: float = PAUSE) -> float:
    """Seconds from git's return to the moment at which a client hears that the commit is live."""
    time.sleep(pause)
    number = next(NUMBERS)
    file = repo.path / "users" / "000" / "u000007.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    told = [f"  risk_per_trade_percent: {0.01 * number:.2f}" if "risk_per" in line else line for line in lines]
    file.write_text("\n".join(told) + "\n", encoding="utf-8")
    subprocess.run(["git", "add", str(file)], cwd=repo.path, check=True)
    subprocess.run(["git", "commit", "-q", "-m", f"Change {number}"], cwd=repo.path, check=True)
    began = time.perf_counter()
    await_live((repo.path / ".git" / "refs" / "heads" / repo.branch).read_text(encoding="ascii").strip())
    return time.perf_counter() - began
