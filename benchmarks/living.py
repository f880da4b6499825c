"""How soon a commit is live after `git commit` has returned, with a daemon on the repository, which tells of it."""

from __future__ import annotations

import http.client
import subprocess
import time
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, user_files
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gitrepo import GitRepo

TIMES = 40
PAUSE = 0.3
"""Seconds between two commits: a person's, not a storm."""
SMALL, LARGE = 1_000, 100_000


def commits(folder: Path) -> Iterator[Figure]:
    """In a small and a large repository; with a commit while the daemon has let go of the store."""
    for files in (SMALL, LARGE):
        repo = repository(folder / str(files), user_files(files))
        repo.git("config", "user.name", "Ann")
        repo.git("config", "user.email", "ann@example.com")
        repo.git("reset", "-q", "--hard")
        repo.git("gc", "-q")
        with running(repo.path, folder / f"state-{files}") as daemon:
            daemon.await_live(repo.git("rev-parse", "HEAD"), 300)
            connection = http.client.HTTPConnection(daemon.client().address)
            connection.request("GET", "/v1/watch")
            news = connection.getresponse()
            seconds = [_live(repo, news, number) for number in range(TIMES)]
            yield Figure(f"commit to live, {files:,} files, median", f"{median(seconds) * 1000:.1f} ms", "50 ms")
            yield Figure("the slowest in twenty", f"{quantiles(seconds, n=20)[-1] * 1000:.1f} ms", "-")
            rested = [_live(repo, news, TIMES + number, pause=4.0) for number in range(5)]
            connection.close()
            yield Figure("after a rest, median", f"{median(rested) * 1000:.1f} ms", "50 ms")


def _live(repo: GitRepo, news: http.client.HTTPResponse, number: int, pause: float = PAUSE) -> float:
    """Seconds from git's return to the moment at which a client hears that the commit is live."""
    time.sleep(pause)
    file = repo.path / "users" / "000" / "u000007.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    told = [f"  risk_per_trade_percent: {0.01 * (number + 1):.2f}" if "risk_per" in line else line for line in lines]
    file.write_text("\n".join(told) + "\n", encoding="utf-8")
    subprocess.run(["git", "add", str(file)], cwd=repo.path, check=True)
    subprocess.run(["git", "commit", "-q", "-m", f"Change {number}"], cwd=repo.path, check=True)
    began = time.perf_counter()
    head = (repo.path / ".git" / "refs" / "heads" / repo.branch).read_text(encoding="ascii").strip()
    while head not in (line := news.readline().decode()) or '"changes"' not in line:
        assert line, "the stream has ended"
    return time.perf_counter() - began
