"""Operations that somebody asks a daemon for: on the operations thread, in their turn, answered by a future."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.backoff import Backoff
from reconciler.daemon.control import DaemonControl, HostState
from reconciler.daemon.loop import Intervals, Loop
from reconciler.errors import RefusedError, UsageError
from reconciler.report.verification import is_drift
from reconciler.service.control import new_rollback
from reconciler.status import Health
from tests.daemon.hosts import host
from tests.support import configs
from tests.support.cases import some
from tests.support.githttp import serving
from tests.support.gitrepo import GitRepo
from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE = 60.0
ANN = "user_id = (SELECT user_id FROM desired.user_config WHERE name = 'ann')"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    made = GitRepo.create(tmp_path / "config")
    made.commit({"users/ann.yaml": configs.user("ann"), "users/ben.yaml": configs.user("ben")})
    return made


@contextmanager
def controlled(repository: GitRepo | str, state: Path, **settings: str) -> Iterator[tuple[DaemonControl, Loop]]:
    where = repository if isinstance(repository, str) else repository.path
    with host(where, state, **settings) as desk:
        loop = Loop(desk, desk.deps.conditions, Backoff, Intervals(), str)
        with loop:
            yield DaemonControl(desk, loop), loop


def test_a_sync_gives_what_changed(repo: GitRepo, tmp_path: Path) -> None:
    with controlled(repo, tmp_path / "state") as (control, _):
        first = control.sync("ann").result(DEADLINE)
        head = repo.commit({"users/ann.yaml": configs.user("ann", risk=0.75)})
        done = control.sync("ann").result(DEADLINE)
    assert first.applied is not None
    assert (done.head, done.applied and done.applied.commit) == (head, head)
    assert [(change.op, change.name) for change in done.changes] == [("update", "ann")]


def test_a_suspended_host_refuses_a_sync_unless_it_is_forced(repo: GitRepo, tmp_path: Path) -> None:
    with controlled(repo, tmp_path / "state") as (control, _):
        control.sync("ann").result(DEADLINE)
        suspension = control.suspend("ann", " a pause ", "2h").result(DEADLINE)
        assert (suspension.reason, suspension.actor, suspension.until is not None) == ("a pause", "ann", True)
        head = repo.commit({"users/ben.yaml": configs.user("ben", risk=0.75)})
        with pytest.raises(RefusedError, match="suspended by ann"):
            control.sync("ben").result(DEADLINE)
        forced = control.sync("ben", force=True).result(DEADLINE)
        assert forced.applied is not None
        assert forced.applied.commit == head
        assert control.resume("ben").result(DEADLINE).ended == suspension
        assert control.resume("ben").result(DEADLINE).ended is None


def test_a_suspension_without_a_reason_never_gets_to_the_loop(repo: GitRepo, tmp_path: Path) -> None:
    with controlled(repo, tmp_path / "state") as (control, _), pytest.raises(UsageError):
        control.suspend("ann", " ")


def test_a_rollback_holds_the_head_until_it_is_ended(repo: GitRepo, tmp_path: Path) -> None:
    with controlled(repo, tmp_path / "state") as (control, _):
        control.sync("ann").result(DEADLINE)
        bad = repo.commit({"users/ann.yaml": configs.user("ann", risk=0.75)})
        control.sync("ann").result(DEADLINE)
        with pytest.raises(UsageError, match="needs a reason"):
            control.roll_back("ines", " ")
        back = control.roll_back("ines", "it loses money").result(DEADLINE)
        assert (back.rolled_back.skipped, back.rolled_back.actor) == (bad, "ines")
        assert [(change.op, change.name) for change in back.changes] == [("update", "ann")]
        held = control.sync("ann").result(DEADLINE)
        assert [problem.code for problem in held.problems] == ["rolled-back"]
        assert control.verify("ann").result(DEADLINE).differences == ()
        ended = control.end_rollback("ines", "it was right").result(DEADLINE).ended
        assert ended is not None
        assert ended.target == back.rolled_back.target
        assert control.sync("ann").result(DEADLINE).problems == ()


def test_a_rollback_does_not_wait_for_a_server_that_never_answers(repo: GitRepo, tmp_path: Path) -> None:
    with serving(tmp_path) as server, controlled(f"{server.url}/config/.git", tmp_path / "state") as (control, loop):
        server.patience = 10 * DEADLINE
        first = control.sync("ann").result(DEADLINE).head
        bad = repo.commit({"users/ann.yaml": configs.user("ann", risk=0.75)})
        assert control.sync("ann").result(DEADLINE).head == bad
        for go in (
            lambda: control.roll_back("ines", "it loses money").result(DEADLINE).rolled_back.target,
            lambda: control.suspend("ines", "a pause").result(DEADLINE).reason,
            lambda: control.resume("ines").result(DEADLINE).ended and "a pause",
        ):
            asked = len(server.requests)
            server.silent.set()
            waiting = control.sync("ann")
            until(lambda asked=asked: len(server.requests) > asked)
            assert go() in (first, "a pause")
            assert not waiting.done()
        server.silent.clear()
        server.over.set()
        assert [problem.code for problem in control.sync("ben").result(DEADLINE).problems] == ["rolled-back"]
        assert loop._host.deps.store.store().rollback() is not None


def test_a_rollback_of_a_repository_that_is_gone(repo: GitRepo, tmp_path: Path) -> None:
    away, where = tmp_path / "away", tmp_path / "config"
    with controlled(repo, tmp_path / "state", HISTORY_URL="duckdb") as (control, loop):
        first = control.sync("ann").result(DEADLINE).head
        repo.commit({"users/ann.yaml": configs.user("ann", risk=0.75)})
        control.sync("ann").result(DEADLINE)
        assert loop._host.deps.upload.flush(DEADLINE)
        where.rename(away)
        back = control.roll_back("ines", "it loses money").result(DEADLINE)
        assert (back.rolled_back.target, back.rolled_back.skips) == (first, ("User ann risk_per_trade_percent",))
        with pytest.raises(UsageError, match="nothing was live here before"):
            control.roll_back("ines", "again").result(DEADLINE)
        away.rename(where)
        assert [problem.code for problem in control.sync("ann").result(DEADLINE).problems] == ["rolled-back"]
        assert control.verify("ann").result(DEADLINE).differences == ()


def test_a_rollback_right_after_a_start_without_the_repository(repo: GitRepo, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        url = f"{server.url}/config/.git"
        with controlled(url, tmp_path / "state", HISTORY_URL="duckdb") as (control, loop):
            first = control.sync("ann").result(DEADLINE).head
            repo.commit({"users/ann.yaml": configs.user("ann", risk=0.75)})
            control.sync("ann").result(DEADLINE)
            assert loop._host.deps.upload.flush(DEADLINE)
        shutil.rmtree(tmp_path / "state" / "mirror.git")
        server.silent.set()
        with host(url, tmp_path / "state", HISTORY_URL="duckdb") as desk:
            result = desk.roll_back(new_rollback("ines", "it loses money", None), lambda commits: (), lambda: None)
            assert result.applied is not None
            assert (result.head, result.applied.rebuilt) == (first, True)
        server.over.set()


def test_what_drifted_is_healed_and_verified(repo: GitRepo, tmp_path: Path) -> None:
    with controlled(repo, tmp_path / "state") as (control, loop):
        control.sync("ann").result(DEADLINE)
        store = loop._host.deps.store

        def spoil(heartbeat: object) -> None:
            store.store()._connection.execute(f"UPDATE main.user_config SET risk_per_trade_percent = 9 WHERE {ANN}")

        loop.submit(spoil).result(DEADLINE)
        assert control.verify("ann").result(DEADLINE).differences
        assert [row.name for row in control.heal("ann").result(DEADLINE).drift] == ["ann"]
        verified = control.verify("ann").result(DEADLINE)
    assert (verified.differences, verified.rows, verified.commits) == ((), 2, None)


def put_right(way: str, control: DaemonControl, repo: GitRepo) -> None:
    """One of the ways in which a row that drifted becomes what git says."""
    if way == "heal":
        control.heal("ann").result(DEADLINE)
    elif way == "commit":
        repo.commit({"users/ann.yaml": configs.user("ann", risk=0.75)})
        control.sync("ann").result(DEADLINE)
    else:
        control.restore("ann", way).result(DEADLINE)


@pytest.mark.parametrize("suspended", some([True, False], 1))
@pytest.mark.parametrize("mode", some(["report", "heal"], 1))
@pytest.mark.parametrize("way", some(["restore", "heal", "commit"], 1))
def test_nothing_is_said_to_drift_once_it_was_put_right(
    repo: GitRepo, tmp_path: Path, way: str, mode: str, suspended: bool
) -> None:
    with controlled(repo, tmp_path / "state", DRIFT_MODE=mode) as (control, loop):
        state = HostState(loop._host, loop, str)
        control.sync("ann").result(DEADLINE)
        backup = control.back_up("ann").result(DEADLINE).file
        assert state.status().health is Health.HEALTHY
        store = loop._host.deps.store

        def spoil(heartbeat: object) -> None:
            store.store()._connection.execute(f"UPDATE main.user_config SET risk_per_trade_percent = 9 WHERE {ANN}")
            if mode == "report":
                loop._host.scan()

        loop.submit(spoil).result(DEADLINE)
        assert (state.status().health is Health.DEGRADED) is (mode == "report")
        if suspended and way != "commit":
            control.suspend("ann", "a pause").result(DEADLINE)
        put_right(backup if way == "restore" else way, control, repo)
        said = state.status()
        assert said.running is not None
        assert said.running.conditions == ()
        assert said.health is (Health.SUSPENDED if suspended and way != "commit" else Health.HEALTHY)
        if mode == "report":
            assert said.running.scan is not None
            assert said.running.scan.found == 0


@pytest.mark.slow
def test_a_backup_brings_back_what_was_live_and_git_goes_on_from_there(repo: GitRepo, tmp_path: Path) -> None:
    with controlled(repo, tmp_path / "state") as (control, _):
        before = control.sync("ann").result(DEADLINE).applied
        backup = control.back_up("ann").result(DEADLINE)
        head = repo.commit({"users/ben.yaml": configs.user("ben", risk=0.75)})
        control.sync("ann").result(DEADLINE)
        restored = control.restore("ann", backup.file).result(DEADLINE)
        assert restored.applied == before
        assert restored.aside is not None
        assert (restored.unread, restored.differences) == (False, ())
        after = control.sync("ann").result(DEADLINE).applied
    assert after is not None
    assert after.commit == head


@pytest.mark.slow
def test_a_backup_that_was_changed_is_told_as_such(repo: GitRepo, tmp_path: Path) -> None:
    with controlled(repo, tmp_path / "state") as (control, _):
        control.sync("ann").result(DEADLINE)
        backup = control.back_up("ann").result(DEADLINE)
        with duckdb.connect(backup.file) as other:
            other.execute(f"UPDATE main.user_config SET risk_per_trade_percent = 9 WHERE {ANN}")
        restored = control.restore("ann", backup.file).result(DEADLINE)
        ((difference,), (example,)) = restored.differences, restored.differences[0].examples
        assert (difference.sort, example.subject) == ("wrong-row", "main User ann")
        assert "risk_per_trade_percent is 9" in example.message
        assert is_drift(restored.differences)


def test_operations_wait_their_turn_and_end_with_the_daemon(repo: GitRepo, tmp_path: Path) -> None:
    gate, begun = threading.Event(), threading.Event()

    def block(heartbeat: object) -> None:
        begun.set()
        assert gate.wait(DEADLINE)

    with controlled(repo, tmp_path / "state") as (control, loop):
        loop.submit(block)
        assert begun.wait(DEADLINE)
        waiting = control.heal("ann")
        assert not waiting.done()
        threading.Timer(0.05, gate.set).start()
        loop.agenda.close()
    assert waiting.cancelled()
