"""How soon a change of a branch is noticed after the command that made it has returned: below 0 is before that."""

from __future__ import annotations

import threading
import time
from itertools import cycle, islice
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, user_files
from reconciler.adapters.refwatch import RefWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gitrepo import GitRepo

TIMES = 200
FILES = 1_000
PATIENCE = 10.0
PAUSE = 0.02
"""Seconds between two changes, as one person's changes do not come in the middle of each other."""


class _Notices:
    """When each commit was noticed to be the branch's, as the daemon notices it."""

    def __init__(self, repo: GitRepo) -> None:
        self._git_dir, self._branch = repo.path / ".git", repo.branch
        self._moments: dict[str, float] = {}
        self._came = threading.Condition()
        self._ready = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._watch)
        self._last = ""

    def __enter__(self) -> _Notices:
        self._thread.start()
        self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._refs.wake()
        self._thread.join()

    def moment(self, commit: str) -> float:
        """When this one was noticed, the last time."""
        with self._came:
            if not self._came.wait_for(lambda: commit in self._moments, PATIENCE):
                raise RuntimeError(f"{commit} was not noticed")
            return self._moments.pop(commit)

    def _watch(self) -> None:
        with RefWatch(self._git_dir, self._git_dir, self._branch, hint=self._look) as self._refs:
            self._ready.set()
            while not self._ending:
                self._refs.wait(PATIENCE)
                self._look()

    def _look(self) -> None:
        moment = time.perf_counter()
        commit = (self._git_dir / "refs" / "heads" / self._branch).read_text(encoding="ascii").strip()
        with self._came:
            if commit != self._last:
                self._moments[commit] = moment
                self._came.notify()
            self._last = commit


def commits(folder: Path) -> Iterator[Figure]:
    """Commits of one changed file in a working tree, and bare changes of the ref."""
    repo = repository(folder, user_files(FILES))
    repo.checkout()
    repo.git("config", "gc.auto", "0")  # how long git takes is not what is measured
    file = repo.path / "users" / "000" / "u000007.yaml"
    made, committed, moved = [], [], []
    with _Notices(repo) as notices:
        for number in range(TIMES):
            with file.open("a", encoding="utf-8", newline="\n") as opened:
                opened.write(f"# {number}\n")
            repo.git("commit", "-qam", f"Change {number}")
            returned = time.perf_counter()
            made.append(repo.git("rev-parse", "HEAD"))
            committed.append(notices.moment(made[-1]) - returned)
            time.sleep(PAUSE)
        for commit in islice(cycle(made), TIMES):
            repo.git("update-ref", f"refs/heads/{repo.branch}", commit)
            returned = time.perf_counter()
            moved.append(notices.moment(commit) - returned)
            time.sleep(PAUSE)
    for what, seconds in (("git commit", committed), ("git update-ref", moved)):
        yield Figure(f"noticed after {what} returned, median of {TIMES}", f"{median(seconds) * 1000:.1f} ms", "5 ms")
        slowest = quantiles(seconds, n=100)[-1]
        yield Figure("the same, 99 of 100 are faster", f"{slowest * 1000:.1f} ms", "20 ms")
