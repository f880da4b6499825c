"""How much memory a daemon takes after its first sync and thousands of commits, and whether it takes more and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import (
    ALONE,
    DEFAULTS,
    Figure,
    await_whole,
    repository,
    resident,
    resident_with_children,
    user_files,
)
from tests.support import configs, fronts
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.daemons import RunningDaemon
    from tests.support.gitrepo import GitRepo

RESOURCES = 100_000
COMMITS = (500, 5_000)
"""After so many it is looked at."""
USERS = 500
"""How many of the resources are changed in turn."""


def commits(folder: Path) -> Iterator[Figure]:
    """With neither history nor live view, with a history in a ClickHouse server elsewhere, and with the defaults."""
    yield from _measured(folder / "none", "alone", ALONE, "200 MB")
    with fronts.running(folder / "engine") as front:
        settings = {**ALONE, "HISTORY_URL": front.url("memory")}
        yield from _measured(folder / "server", "ClickHouse elsewhere", settings, "200 MB")
    yield from _measured(folder / "defaults", "with its engines", DEFAULTS, "350 MB")


def _measured(folder: Path, what: str, settings: Mapping[str, str], target: str) -> Iterator[Figure]:
    repo = repository(folder, user_files(RESOURCES))
    with running(repo.path, folder / "state", settings) as daemon:
        daemon.await_live(repo.git("rev-parse", repo.branch), 300)
        if settings == DEFAULTS:
            await_whole(daemon, RESOURCES)
        used = resident(daemon)
        whole = f"with its children {resident_with_children(daemon)} MB"
        yield Figure(f"memory, {RESOURCES:,} resources, {what}", f"{used} MB", target, whole)
        done = 0
        for number in COMMITS:
            _change_users(repo, daemon, done, number)
            done, before, used = number, used, resident(daemon)
            grown = f"{used - before:+} MB"
            yield Figure(f"  after {number:,} commits", f"{used} MB", target, "more than before", grown)


def _change_users(repo: GitRepo, daemon: RunningDaemon, first: int, last: int) -> None:
    text = configs.user("NAME")
    for number in range(first, last):
        name = f"u{number % USERS:06}"
        other = text.replace("NAME", name).replace(
            "risk_per_trade_percent: 0.5", f"risk_per_trade_percent: {number % 97 / 100 + 0.51:.2f}"
        )
        daemon.await_live(repo.commit({f"users/000/{name}.yaml": other}))
