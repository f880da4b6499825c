"""The loop: what it does when, what it does after a failure, and how it ends, with a stand-in for the host."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.machine import SystemClock
from reconciler.backoff import IN_USE_RETRY, Backoff
from reconciler.daemon.conditions import Change, Conditions
from reconciler.daemon.host import SyncRequest
from reconciler.daemon.loop import Intervals, Loop
from reconciler.errors import InUse, NeedsHuman, RetryLater, UsageError
from reconciler.model.host import ConditionSeverity
from reconciler.plan import Plan
from reconciler.reconcile.sync import CommitApproval, SyncResult
from tests.support.patience import NEVER, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE = 10.0
CALM = Intervals()


class Host:
    """Works that note what is asked of them, and fail when told to."""

    def __init__(self) -> None:
        self.commit = "a" * 40
        self.synced: list[tuple[str, SyncRequest | None]] = []
        self.threads: set[str] = set()
        self.scans = self.rests = self.fetches = self.readied = 0
        self.failures: list[Exception] = []
        self.store_failures: list[Exception] = []
        self.synced_after: list[int] = []
        self.touches = self.refusals = 0
        self.gate, self.hangs = threading.Event(), threading.Event()
        self.gate.set()

    def obey_halts(self) -> None:
        self.threads.add(threading.current_thread().name)

    def fetch(self, heartbeat: Callable[[], None]) -> None:
        heartbeat()
        self.fetches += 1
        while self.hangs.is_set():
            heartbeat()
            time.sleep(0.01)
        self.threads.add(threading.current_thread().name)
        if self.failures:
            raise self.failures.pop(0)

    def head(self) -> str:
        return self.commit

    def reconcile(self, request: SyncRequest | None, heartbeat: Callable[[], None]) -> SyncResult | None:
        assert self.gate.wait(DEADLINE)
        heartbeat()
        if self.store_failures:
            raise self.store_failures.pop(0)
        self.synced_after.append(self.fetches)
        self.synced.append((self.commit, request))
        return SyncResult(self.commit, None, None, Plan(None, self.commit, ()), None)

    def scan(self) -> None:
        self.scans += 1

    def back_up(self) -> Path:
        return Path("copy")

    def until_backup(self) -> float:
        return 3600.0

    def make_root(self) -> float:
        return 3600.0

    def prepare(self) -> bool:
        self.readied += 1
        return self.readied > self.refusals

    def changed_externally(self) -> bool:
        self.touches -= 1
        return self.touches >= 0

    def settle(self) -> None:
        """Nothing to leave."""

    def close_idle(self) -> None:
        self.rests += 1


class Running:
    def __init__(self, host: Host, intervals: Intervals, backoff: Backoff | None = None) -> None:
        self.turns: list[Change] = []
        self.bugs: list[Exception] = []
        self.conditions = Conditions(SystemClock(), self.turns.append)
        self.loop = Loop(host, self.conditions, lambda: backoff or Backoff(0.05, 0.2, jitter=0), intervals, self._bug)

    def _bug(self, error: Exception) -> str:
        self.bugs.append(error)
        return "a file"


@contextmanager
def running(host: Host, intervals: Intervals = CALM) -> Iterator[Running]:
    run = Running(host, intervals)
    with run.loop:
        yield run


def test_it_looks_at_once_and_only_once_while_nothing_moves() -> None:
    host = Host()
    with running(host, Intervals(poll=0.05)) as run:
        until(lambda: host.fetches > 3)
        assert run.conditions.snapshot().ready
    assert len(host.synced) == 1
    assert host.threads == {"operations"}


def test_a_hint_is_a_look_and_a_storm_of_them_one_more() -> None:
    host = Host()
    with running(host) as run:
        until(lambda: len(host.synced) == 1)
        host.gate.clear()
        host.commit = "b" * 40
        run.loop.trigger()
        until(lambda: run.conditions.snapshot().phase == "Reconciling")
        for _ in range(1_000):
            run.loop.trigger()
        host.gate.set()
        until(lambda: host.fetches == 3)
    assert [commit[0] for commit, _ in host.synced] == ["a", "b"]


def test_a_foreboding_makes_ready_and_does_no_more() -> None:
    host = Host()
    with running(host) as run:
        until(lambda: len(host.synced) == 1)
        run.loop.prepare()
        until(lambda: host.readied == 1)
    assert (host.fetches, host.scans) == (1, 0)


def test_a_request_is_answered_when_it_was_handled_even_without_news() -> None:
    host = Host()
    with running(host) as run:
        until(lambda: len(host.synced) == 1)
        request = SyncRequest(CommitApproval("HEAD", "maren"))
        assert run.loop.sync(request).result(DEADLINE).head == host.commit
    assert host.synced[-1] == (host.commit, request)


def test_what_may_heal_is_tried_again_and_told_once_when_it_comes_and_once_when_it_goes() -> None:
    host = Host()
    host.failures = [RetryLater("no answer from the remote", hint="wait") for _ in range(4)]
    with running(host) as run:
        until(lambda: len(host.synced) == 1)
        until(lambda: len(run.turns) == 2)
    came, went = run.turns
    assert came.after is not None
    told = (came.before, came.after.severity, came.after.message)
    assert told == (None, ConditionSeverity.RETRYING, "no answer from the remote")
    assert (went.before, went.after) == (came.after, None)


def test_a_commit_that_waits_for_another_process_goes_live_when_that_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    assert IN_USE_RETRY < 1.0  # seconds after its release
    monkeypatch.setattr("reconciler.daemon.loop.IN_USE_RETRY", 0.01)
    host = Host()
    run = Running(host, CALM, Backoff(NEVER, NEVER, jitter=0))
    with run.loop:
        until(lambda: len(host.synced) == 1)
        host.commit, host.refusals = "b" * 40, 3
        host.store_failures = [InUse("the store is in use by process 7"), InUse("the store is in use by process 8")]
        run.loop.trigger()
        until(lambda: host.fetches == 2)
        run.loop.trigger()  # as polling does
        until(lambda: len(host.synced) == 2)
        until(lambda: host.fetches == 4)
    assert host.readied == 4
    assert host.synced_after == [1, 3]  # it needed no other fetch: the remote may be away
    assert [turn.after and turn.after.reason for turn in run.turns] == ["InUse", "InUse", None]


def test_what_needs_a_human_is_not_tried_again_before_something_changes() -> None:
    host = Host()
    host.failures = [NeedsHuman("the store is damaged", hint="mend it")]
    with running(host) as run:
        until(lambda: bool(run.conditions.snapshot().active))
        time.sleep(0.3)
        assert host.synced == []
        run.loop.trigger()
        until(lambda: len(host.synced) == 1)
        until(lambda: not run.conditions.snapshot().active)


def test_a_wrong_request_is_no_trouble_of_the_host() -> None:
    host = Host()
    with running(host) as run:
        until(lambda: len(host.synced) == 1)
        host.failures = [UsageError("no such commit")]
        with pytest.raises(UsageError, match="no such commit"):
            run.loop.sync(SyncRequest(CommitApproval("nonsense", "maren"))).result(DEADLINE)
        assert run.conditions.snapshot().active == {}


def test_a_bug_ends_one_operation_and_not_the_thread() -> None:
    host = Host()
    host.failures = [ZeroDivisionError("oops")]
    with running(host) as run:
        until(lambda: len(host.synced) == 1)
    assert [type(error) for error in run.bugs] == [ZeroDivisionError]
    first = run.turns[0].after
    assert first is not None
    assert (first.reason, first.hint) == ("UnexpectedError", "this is a bug; its trace is in a file")


def test_it_scans_by_itself() -> None:
    host = Host()
    with running(host, Intervals(scan=0.05)):
        until(lambda: host.scans > 2)


def test_with_nothing_to_do_it_lets_others_have_the_store() -> None:
    host = Host()
    with running(host, Intervals(close_idle=0.0)):
        until(lambda: host.rests > 0)


def test_leaving_ends_the_operation_at_its_next_sign_of_life_and_the_thread() -> None:
    host = Host()
    host.gate.clear()
    with running(host) as run:
        until(lambda: run.conditions.snapshot().phase == "Reconciling")
        threading.Timer(0.1, host.gate.set).start()
        waiting = run.loop.sync(SyncRequest())
    assert host.synced == []
    assert waiting.cancelled()
    assert not run.conditions.snapshot().active
    assert "operations" not in {thread.name for thread in threading.enumerate()}


def test_an_operation_that_hangs_is_left_to_die_with_the_process() -> None:
    host = Host()
    host.gate.clear()
    run = Running(host, CALM)
    with run.loop:
        until(lambda: run.conditions.snapshot().phase == "Reconciling")
        assert not run.loop.stop(0.05)
        host.gate.set()


def test_an_errand_is_done_in_its_turn_on_the_thread_that_has_the_store() -> None:
    host = Host()
    with running(host) as run:
        assert run.loop.submit(lambda heartbeat: threading.current_thread().name).result(DEADLINE) == "operations"


def test_what_is_urgent_breaks_off_a_fetch_which_is_begun_anew() -> None:
    host = Host()
    host.hangs.set()
    with running(host) as run:
        sync = run.loop.sync(SyncRequest())
        for fetches in (1, 2, 3):
            until(lambda fetches=fetches: host.fetches >= fetches)
            assert run.loop.submit_urgent(lambda heartbeat: "urgent").result(DEADLINE) == "urgent"
        assert not sync.done()
        host.hangs.clear()
        assert sync.result(DEADLINE).head == host.commit
        assert not run.conditions.snapshot().active


def test_an_errand_that_fails_is_told_to_whoever_sent_it_and_is_no_trouble() -> None:
    def fail(heartbeat: Callable[[], None]) -> None:
        raise RetryLater("the file is in use")

    host = Host()
    with running(host) as run:
        with pytest.raises(RetryLater):
            run.loop.submit(fail).result(DEADLINE)
        assert not run.conditions.snapshot().active


def test_what_somebody_else_wrote_is_scanned_at_once() -> None:
    host = Host()
    host.touches = 1
    with running(host, Intervals(close_idle=0.0)):
        until(lambda: host.scans == 1)


def test_looking_anew_reconciles_although_nothing_has_moved() -> None:
    host = Host()
    with running(host) as run:
        until(lambda: len(host.synced) == 1)
        run.loop.reconcile_again()
        until(lambda: len(host.synced) == 2)


def test_an_operation_that_takes_too_long_is_broken_off_and_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.daemon.loop.OPERATION_TIMEOUT", -1.0)
    host = Host()
    with running(host) as run:
        until(lambda: "Reconciling" in run.conditions.snapshot().active)
        assert "was broken off" in run.conditions.snapshot().active["Reconciling"].message
