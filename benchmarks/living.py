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

from benchmarks.measure import DEFAULTS, Figure, await_whole, repository, user_files
from benchmarks.starting import CHANGED, example_repository
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.daemons import RunningDaemon
    from tests.support.gitrepo import GitRepo

TIMES = 40
PAUSE = 0.3
"""Seconds between two commits: a person's, not a storm."""
REST = 4.0
"""Seconds after which a daemon has let go of its store."""
PATIENCE = 60.0
SMALL, LARGE = 10_000, 100_000
USER = "users/000/u000007.yaml"
NUMBERS = itertools.count(1)
"""So that no commit says what another one said."""


def commits(folder: Path) -> Iterator[Figure]:
    """In a small and a large repository: as soon as its first commit is live, later, and after a rest."""
    for files in (SMALL, LARGE):
        repo = _prepare(repository(folder / str(files), user_files(files)))
        with _watching(repo, folder / f"state-{files}") as (daemon, await_live):
            soon = _measure(repo, USER, await_live)
            await_whole(daemon, files)
            ours = _measure(repo, USER, await_live)
            rested = median(_commit(repo, USER, await_live, pause=REST) for _ in range(5))
        with _least(repo, folder / f"floor-{files}.duckdb") as await_live:
            floor = _measure(repo, USER, await_live)
        where = f"commit to live, {files:,} files"
        for when, figures in (("at once after the first sync", soon), ("later", ours)):
            yield from _beside(f"{where}, {when}", figures, floor)
        yield Figure(f"  after a rest of {REST:.0f} s, median", _milliseconds(rested))


def with_policies(folder: Path) -> Iterator[Figure]:
    """In the example, with its 26 policies."""
    repo = _prepare(example_repository(folder))
    with _watching(repo, folder / "state") as (_, await_live):
        middle, slow = _measure(repo, CHANGED, await_live)
    yield Figure("commit to live, the example with 26 policies, median", _milliseconds(middle), "25 ms")
    yield Figure("  the slowest in twenty", _milliseconds(slow), "40 ms")


def _beside(what: str, ours: tuple[float, float], floor: tuple[float, float]) -> Iterator[Figure]:
    names = (("median", "1.7 x"), ("the slowest in twenty", "2.5 x"))
    for (name, target), mine, least in zip(names, ours, floor, strict=True):
        yield Figure(
            f"{what}, {name}", _milliseconds(mine), target, f"floor {_milliseconds(least)}", f"{mine / least:.2f} x"
        )


def _prepare(repo: GitRepo) -> GitRepo:
    """The repository with a working tree, in which one person commits."""
    repo.git("config", "user.name", "Ann")
    repo.git("config", "user.email", "ann@example.com")
    repo.git("reset", "-q", "--hard")
    repo.git("gc", "-q")
    return repo


def _measure(repo: GitRepo, file: str, await_live: Callable[[str], None]) -> tuple[float, float]:
    """The median of some commits, and the slowest of twenty, in seconds."""
    durations = [_commit(repo, file, await_live) for _ in range(TIMES)]
    return median(durations), quantiles(durations, n=20)[-1]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


@contextmanager
def _watching(repo: GitRepo, state: Path) -> Iterator[tuple[RunningDaemon, Callable[[str], None]]]:
    """A daemon that nobody configured; what waits until its stream says that a commit is live."""
    with running(repo.path, state, DEFAULTS) as daemon:
        daemon.await_live(repo.git("rev-parse", "HEAD"), 300)
        connection = http.client.HTTPConnection(daemon.client().address)
        connection.request("GET", "/v1/watch")
        news = connection.getresponse()

        def await_live(head: str) -> None:
            limit = time.monotonic() + PATIENCE
            while head not in (line := news.readline().decode()) or '"changes"' not in line:
                assert line, "the stream has ended"
                assert time.monotonic() < limit, f"{head} does not go live: {daemon.log()}"

        yield daemon, await_live
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


def _commit(repo: GitRepo, path: str, await_live: Callable[[str], None], pause: float = PAUSE) -> float:
    """Seconds from git's return to the moment at which a client hears that the commit is live."""
    time.sleep(pause)
    number = next(NUMBERS)
    file = repo.path / path
    lines = file.read_text(encoding="utf-8").splitlines()
    risk = 0.51 + number % 25 / 100  # no rule of the example minds
    told = [f"  risk_per_trade_percent: {risk:.2f}" if "risk_per" in line else line for line in lines]
    file.write_text("\n".join(told) + "\n", encoding="utf-8")
    subprocess.run(["git", "add", str(file)], cwd=repo.path, check=True)
    subprocess.run(["git", "commit", "-q", "-m", f"Change {number}"], cwd=repo.path, check=True)
    began = time.perf_counter()
    await_live((repo.path / ".git" / "refs" / "heads" / repo.branch).read_text(encoding="ascii").strip())
    return time.perf_counter() - began
