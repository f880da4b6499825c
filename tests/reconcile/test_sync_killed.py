"""kill -9 of a sync that records a long history, again and again: each start records more of it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.ledger import open_ledger
from reconciler.ledger.connection import RecordedBranch
from tests.support import configs
from tests.support.fronts import running
from tests.support.gitrepo import GitRepo
from tests.support.kinds import FixedClock
from tests.support.patience import DEADLINE, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow

VERSIONS, USERS, KILLS = 60, 1_000, 3
"""Each version takes long to judge and has one row: no batch is ever full."""


def test_each_start_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    users = "---\n".join(configs.user(f"u{number}") for number in range(1, USERS))
    with repo.bulk():
        for number in range(VERSIONS):
            repo.commit({"users.yaml": f"{configs.user('u0', risk=number / 100)}---\n{users}"})
    with running(tmp_path / "engine") as front:
        url, state = front.url("killed"), tmp_path / "state"

        def recorded() -> Mapping[str, bool]:
            with open_ledger(url, state, RecordedBranch(str(repo.path), "main"), FixedClock()) as ledger:
                return ledger.recorded_commits()

        command = [sys.executable, "-m", "reconciler", "--repo", str(repo.path), "--state", str(state), "sync", "-q"]
        settings = {**os.environ, "RECONCILER_HISTORY_URL": url, "RECONCILER_REDIS_URL": "none"}
        counts = [0]
        for _ in range(KILLS):
            with subprocess.Popen(command, env=settings) as process:
                until(lambda: len(recorded()) > counts[-1], lambda: counts)
                assert process.poll() is None
                process.kill()
            counts.append(len(recorded()))
        assert counts[-1] < VERSIONS
        assert subprocess.run(command, env=settings, check=False, timeout=DEADLINE).returncode == 0
        assert recorded() == dict.fromkeys(repo.git("rev-list", "main").splitlines(), True)
