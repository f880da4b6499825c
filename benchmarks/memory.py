"""How much memory a daemon takes after a day's worth of commits, and whether it takes more and more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, user_files
from tests.support import configs, fronts
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.daemons import RunningDaemon
    from tests.support.gitrepo import GitRepo

RESOURCES = 10_000
EARLY, LATE = 500, 2_000
"""Commits after which it is looked at."""
MB = 1_024
"""Kilobytes of one."""
USERS = 500
"""How many of the resources are changed in turn."""


def commits(folder: Path) -> Iterator[Figure]:
    """Without a history, and with one in a ClickHouse server elsewhere; no embedded engine in either."""
    yield from _measured(folder / "none", "no history", "none")
    with fronts.running(folder / "engine") as front:
        yield from _measured(folder / "server", "ClickHouse elsewhere", front.url("memory"))


def _measured(folder: Path, what: str, history: str) -> Iterator[Figure]:
    repo = repository(folder, user_files(RESOURCES))
    with running(repo.path, folder / "state", {"HISTORY_URL": history, "REDIS_URL": "none"}) as daemon:
        daemon.await_live(repo.git("rev-parse", repo.branch), 300)
        yield Figure(f"resident with {RESOURCES:,} resources, {what}", f"{resident(daemon)} MB", "200 MB")
        early = _after(repo, daemon, 0, EARLY)
        yield Figure(f"after {EARLY:,} commits", f"{early} MB", "200 MB")
        late = _after(repo, daemon, EARLY, LATE)
        yield Figure(f"after {LATE:,} commits", f"{late} MB", "200 MB")
        yield Figure(f"growth per thousand, {what}", f"{(late - early) / (LATE - EARLY) * 1_000:.1f} MB", "0 MB")


def _after(repo: GitRepo, daemon: RunningDaemon, first: int, last: int) -> int:
    text = configs.user("NAME")
    for number in range(first, last):
        name = f"u{number % USERS:06}"
        other = text.replace("NAME", name).replace(
            "risk_per_trade_percent: 0.5", f"risk_per_trade_percent: {number % 97 / 100 + 0.51:.2f}"
        )
        daemon.await_live(repo.commit({f"users/000/{name}.yaml": other}))
    return resident(daemon)


def resident(daemon: RunningDaemon) -> int:
    """Megabytes of the daemon's process that are in memory; its children have theirs."""
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // MB
