"""How long a reconcile takes, as whole processes, on embedded engines."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import DEFAULTS, Figure, await_whole, repository, run, user_files
from tests.support import configs
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 100_000
COMMITS = 20_000
FILES = 200


def first_sync(folder: Path) -> Iterator[Figure]:
    """The first sync of a large repository: by a command, and by a daemon that nobody configured."""
    repo = repository(folder, user_files(MANY))
    seconds = run(repo.path, folder / "state", "sync")
    yield Figure(f"first sync of {MANY:,} resources by `sync`", f"{seconds:.1f} s", "12 s")
    began = time.perf_counter()
    with running(repo.path, folder / "daemon", DEFAULTS) as daemon:
        daemon.await_live(repo.git("rev-parse", "HEAD"), 300)
        yield Figure("  by a daemon, until the rows are live", f"{time.perf_counter() - began:.1f} s", "14 s")
        await_whole(daemon, MANY)
        yield Figure("  until history and live view are whole", f"{time.perf_counter() - began:.1f} s", "20 s")


def one_file_after_many(folder: Path) -> Iterator[Figure]:
    """A commit of one file in a large repository that is live already."""
    repo = repository(folder, user_files(MANY))
    run(repo.path, folder / "state", "sync")
    seconds = []
    for number in range(5):
        repo.commit({"users/000/u000007.yaml": configs.user("u000007", risk=1 + number / 10)})
        seconds.append(run(repo.path, folder / "state", "sync"))
    yield Figure(f"sync of one changed file among {MANY:,}", f"{median(seconds):.2f} s", "0.6 s")
    yield Figure("  the same with nothing to do", f"{run(repo.path, folder / 'state', 'sync'):.2f} s")


def long_history(folder: Path) -> Iterator[Figure]:
    """A history of many small commits, a merge in ten."""
    repo = GitRepo.create(folder / "config")
    repo.commit({f"users/u{i}.yaml": configs.user(f"u{i}") for i in range(FILES)})
    dice = random.Random(1)
    with repo.bulk():
        for number in range(COMMITS - 1):
            name = f"u{dice.randrange(FILES)}"
            repo.commit({f"users/{name}.yaml": configs.user(name, risk=0.1 + number % 40 / 10)})
    seconds = run(repo.path, folder / "state", "sync", settings=DEFAULTS)
    yield Figure(f"history of {COMMITS:,} commits recorded", f"{COMMITS / seconds:,.0f} commits/s", "1,500 commits/s")
