"""Many hosts at one history: one commit is recorded once, and every host tells what it did."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.running.hosts import Host
from tests.support import fronts
from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

AT_MOST = 3
"""Inserts of a commit's version, of which one is due: a busy machine may keep a host from its turn."""
PATIENCE = 300.0
"""Seconds: so many daemons start slowly on two cores."""


def has_recorded(daemon: RunningDaemon, sha: str) -> bool:
    status = daemon.status()
    applied, history = status["applied"], status["history"]
    return bool(applied) and applied["commit"] == sha and history["versions"] == history["events"] == 0


@pytest.mark.parametrize(
    ("hosts", "commits"), [pytest.param(3, 2, marks=pytest.mark.slow), pytest.param(20, 5, marks=pytest.mark.soak)]
)
def test_one_commit_is_recorded_once(tmp_path: Path, hosts: int, commits: int) -> None:
    with fronts.running(tmp_path / "engine") as front, ExitStack() as closing:
        first = Host.create(tmp_path, HISTORY_URL=front.url("fleet"))
        fleet = [replace(first, state=tmp_path / f"state-{number}") for number in range(hosts)]
        daemons = [closing.enter_context(host.starting(HOST_NAME=f"host-{n}")) for n, host in enumerate(fleet)]
        await_all(daemons, first.head)
        for number in range(commits):
            front.inserts()
            await_all(daemons, first.risk("ann", 0.6 + number / 10))
            inserts = Counter(front.inserts())
            assert 1 <= inserts["config_versions"] <= AT_MOST
            assert inserts["user_config"] == inserts["config_versions"]
        sql = "SELECT DISTINCT host FROM host_events"
        told = {row[0] for row in daemons[0].client().query(sql, 100, history=True)["rows"]}
        assert told == {f"host-{number}" for number in range(hosts)}


def await_all(daemons: Iterable[RunningDaemon], sha: str) -> None:
    """All have a commit live, and the history has all that they have to tell."""
    for daemon in daemons:
        until(lambda daemon=daemon: has_recorded(daemon, sha), daemon.log, PATIENCE)


@pytest.mark.slow
def test_two_spellings_are_one_repository(tmp_path: Path) -> None:
    """One host has the repository by its path, the other by a URL; then it gets a name, and another one."""
    with fronts.running(tmp_path / "engine") as front:
        first = Host.create(tmp_path, HISTORY_URL=front.url("names"), HOST_NAME="host-1")
        other = {**first.settings, "HOST_NAME": "host-2"}
        second = replace(first, origin=first.repo.path.as_uri(), state=tmp_path / "second", settings=other)
        assert [host.run("sync").code for host in (first, second)] == [0, 0]
        assert Counter(front.inserts())["config_versions"] == 1
        assert recorded(first) == recorded(second) == {first.head}

        for number, name in enumerate(("desk/config", "desk/trading")):
            second.risk("ann", 0.7 + number / 10)
            renamed = replace(second, settings={**other, "REPOSITORY_NAME": name})
            assert renamed.run("sync").code == 0
            assert recorded(renamed) == set(second.repo.git("rev-list", "HEAD").split())
            assert renamed.run("verify").code == 0


def recorded(host: Host) -> set[str]:
    """The commits that the history has."""
    answer = host.run("sql", "SELECT commit_sha FROM versions", "--history", "--format", "json")
    assert answer.code == 0, answer
    return {row[0] for row in json.loads(answer.out)["rows"]}
