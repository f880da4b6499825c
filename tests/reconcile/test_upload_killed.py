"""kill -9 between any two steps of an upload: the next process leaves one version per commit and one of each event."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.ledger import open_ledger
from reconciler.adapters.duckdb.store import open_store
from reconciler.ledger.connection import RecordedBranch
from tests.support.fronts import RunningFront, running
from tests.support.gitrepo import GitRepo
from tests.support.kinds import FixedClock
from tests.support.world import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFront]:
    with running(tmp_path_factory.mktemp("front") / "engine") as front:
        yield front


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_between_any_two_steps(tmp_path: Path, front: RunningFront) -> None:
    url = front.url("killed")
    repo = GitRepo.create(tmp_path / "config")
    command = [sys.executable, "-m", "tests.reconcile.dying_uploader", str(tmp_path), url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 6  # before and after: rows, versions, events, cursor; the last of them ends it
    commits = set(repo.git("rev-list", "main").splitlines())
    with (
        open_store(tmp_path / "state", FixedClock()) as store,
        open_ledger(url, Path("unused"), RecordedBranch(str(repo.path), "main"), FixedClock()) as ledger,
    ):
        assert ledger.recorded_commits() == dict.fromkeys(commits, True)
        assert [row.commit.sha for row in ledger.versions(limit=99)] == repo.git("rev-list", "main").splitlines()
        assert set(ledger.row_counts(SHIPPED.kinds, commits).values()) == {1}
        events = list(store.events_after(0, 1_000))
        assert [one.event for one in reversed(ledger.events(limit=1_000))] == events
        assert store.last_uploaded_event() == events[-1].seq
        intervals = store.intervals_after(0, 1_000)
        assert ledger.intervals_of("host-1", commits) == store.intervals_of(commits)
        # A process that dies before the rows leaves its commit to the next one, which applies both at once
        assert len(intervals) == len(store.intervals_of(commits)) <= len(commits)
        assert intervals[-1].commit == repo.git("rev-parse", "main")
        assert store.last_uploaded_interval() == intervals[-1].change
