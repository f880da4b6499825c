"""What a host counts of what it does: by outcome, once, and only what was done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from reconciler.daemon.host import SyncRequest
from reconciler.daemon.metrics import TimedPolicyEngine
from reconciler.errors import RefusedError, RetryLater
from reconciler.model.host import Suspension, UploadAttempt
from tests.daemon.hosts import Lines, host
from tests.metrics.test_counters import told
from tests.support import configs
from tests.support.gitrepo import GitRepo
from tests.support.standings import NOON, Ticks, metrics

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.metrics import Metrics

WISH = SyncRequest()


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    made = GitRepo.create(tmp_path / "config")
    made.commit({"users/ann.yaml": configs.user("ann"), "users/ben.yaml": configs.user("ben")})
    return made


def outcomes(figure: Metrics, name: str) -> dict[str, float]:
    seen, name = told(figure), f"reconciler_{name}_duration_seconds_count"
    counted = {one["outcome"]: seen(name, **one) for one in seen.having(name)}
    return {outcome: count for outcome, count in counted.items() if count}


def test_reconciles_count_by_what_came_of_them(repo: GitRepo, tmp_path: Path) -> None:
    figure = metrics()
    with host(repo.path, tmp_path / "state", figure) as desk:
        desk.reconcile(None, lambda: None)
        assert outcomes(figure, "reconcile") == {"applied": 1}
        desk.reconcile(None, lambda: None)
        repo.commit({"users/ben.yaml": "kind: Nothing"})
        for _ in range(2):
            desk.reconcile(None, lambda: None)
        assert outcomes(figure, "reconcile") == {"applied": 1, "unchanged": 1, "refused": 2}
        desk.deps.store.store().suspend(Suspension("a pause", "ann", NOON, None))
        assert desk.reconcile(None, lambda: None) is None
        with pytest.raises(RefusedError):
            desk.reconcile(WISH, lambda: None)
        assert outcomes(figure, "reconcile")["suspended"] == 2
    seen = told(figure)
    assert [seen("reconciler_commits_total", outcome=word) for word in ("applied", "refused")] == [1, 1]
    assert [seen("reconciler_changes_total", op=word) for word in ("create", "update", "delete")] == [2, 0, 0]
    assert seen("reconciler_apply_duration_seconds_count") == 1


def test_a_reconcile_that_breaks_counts_as_failed(repo: GitRepo, tmp_path: Path) -> None:
    figure = metrics()
    with host(repo.path, tmp_path / "state", figure) as desk, pytest.raises(ZeroDivisionError):
        desk.reconcile(None, lambda: 1 / 0)
    assert outcomes(figure, "reconcile") == {"failed": 1}


def test_each_poll_that_finds_the_live_commit_is_a_moment_in_sync(repo: GitRepo, tmp_path: Path) -> None:
    clock = Ticks()
    figure = metrics(clock)
    with host(repo.path, tmp_path / "state", figure) as desk:
        desk.reconcile(None, lambda: None)
        clock.now += 90
        desk.head()
        assert figure.in_sync.seconds() == 0
        repo.commit({"users/ben.yaml": None})
        clock.now += 90
        desk.head()
        assert figure.in_sync.seconds() == 90


def test_only_what_is_elsewhere_is_fetched(repo: GitRepo, tmp_path: Path) -> None:
    near, far = metrics(), metrics()
    with host(repo.path, tmp_path / "near", near) as desk:
        desk.fetch(lambda: None)
    assert outcomes(near, "fetch") == {}
    with host(repo.path.as_uri(), tmp_path / "far", far) as desk:
        desk.deps.repository.fetch(lambda: None)
        repo.path.rename(tmp_path / "gone")
        with pytest.raises(RetryLater):
            desk.deps.repository.fetch(lambda: None)
    assert outcomes(far, "fetch") == {"done": 1, "failed": 1}


def test_a_scan_that_was_not_made_is_not_counted(repo: GitRepo, tmp_path: Path) -> None:
    """While a host is suspended, the scan of before stands."""
    figure = metrics()
    with host(repo.path, tmp_path / "state", figure, DRIFT_MODE="report") as desk:
        desk.scan()
        desk.reconcile(None, lambda: None)
        desk.scan()
        desk.deps.store.store().suspend(Suspension("a pause", "ann", NOON, None))
        desk.scan()
    assert [name for name, _ in log(desk.deps.log)].count("Scanned") == 1


def test_the_age_of_a_backup_is_known_after_a_restart(repo: GitRepo, tmp_path: Path) -> None:
    figure = metrics()
    with host(repo.path, tmp_path / "state", figure) as desk:
        desk.reconcile(None, lambda: None)
        desk.back_up()
    assert outcomes(figure, "backup") == {"done": 1}
    again = metrics()
    with host(repo.path, tmp_path / "state", again):
        assert again.backup is not None


def test_attempts_with_nothing_to_upload_take_no_time(repo: GitRepo, tmp_path: Path) -> None:
    clock = Ticks()
    figure = metrics(clock)
    with host(repo.path, tmp_path / "state", figure) as desk:
        clock.now += 7
        desk.deps.upload._count(UploadAttempt(0.001, 0, failed=False, complete=True))
        clock.now += 20
        desk.deps.upload._count(UploadAttempt(0.5, 3, failed=True, complete=False))
        desk.deps.upload._count(UploadAttempt(0.5, 12, failed=False, complete=False))
    assert outcomes(figure, "ship") == {"done": 1, "failed": 1}
    assert told(figure)("reconciler_versions_shipped_total") == 15
    assert figure.history_complete.seconds() == 20


def test_policies_are_timed_where_there_are_any() -> None:
    figure = metrics()
    engine = SimpleNamespace(run=lambda *_: ("verdict",))
    timed = TimedPolicyEngine(engine, figure)
    assert timed.run(["policy"], None, (), ()) == ("verdict",)
    timed.run([], None, (), ())
    assert told(figure)("reconciler_policies_duration_seconds_count") == 1


def log(lines: object) -> list[tuple[str, str]]:
    assert isinstance(lines, Lines)
    return lines.events
