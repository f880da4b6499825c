"""The uploading thread: when it tries, when it tries again, what it reports, and that it ends."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.backoff import Backoff
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.reconcile import upload
from reconciler.reconcile.upload import HistoryUploader, UploadTarget
from tests.support.kinds import FixedClock, commit
from tests.support.memory.ledger import MemoryLedger
from tests.support.patience import DEADLINE, until
from tests.support.uploads import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ShortBackoff(Backoff):
    """Short pauses, which count."""

    def __init__(self, pause: float = 0.01) -> None:
        super().__init__()
        self.pause, self.failures, self.resets = pause, 0, 0

    def next(self) -> float:
        self.failures += 1
        return self.pause

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def host() -> Host:
    return Host(MemoryLedger(FixedClock()))


def start(host: Host, interval: float = 600, pauses: ShortBackoff | None = None, **more: Any) -> HistoryUploader:
    idle = more.pop("idle", 60.0)
    return HistoryUploader(
        host.pending, host.route(idle), pauses or ShortBackoff(), FixedClock(), interval=interval, **more
    )


def test_it_uploads_at_its_interval_and_says_how_it_stands(host: Host) -> None:
    host.outbox.offer(host.history.extend())
    with start(host, interval=0.02) as running:
        until(lambda: len(host.ledger.recorded_commits()) == 1)
        until(lambda: running.state().versions == 0)
        host.outbox.offer(host.history.extend())
        until(lambda: running.state().recorded == 2)
        state = running.state()
        assert (state.failures, state.failure, state.behind, state.events) == (0, None, False, 0)
        assert state.last_success is not None


def test_it_never_says_that_the_history_has_less_than_it_has(host: Host) -> None:
    for _ in range(3):
        host.outbox.offer(host.history.extend())
    with start(host, interval=0.02) as running:
        assert running.state().recorded in {None, 3}
        until(lambda: running.state().recorded == 3)
    host.start()
    with start(host, interval=0.2) as running:  # a new process, which has sent nothing itself
        assert running.state().recorded is None
        running.remember(2)  # as the last process saw it before the third went there
        assert running.state().recorded == 2
        until(lambda: running.state().recorded == 3)
        running.remember(2)
        assert running.state().recorded == 3
        host.outbox.offer(host.history.extend())
        until(lambda: running.state().recorded == 4)


def test_the_interval_may_change_at_run_time(host: Host) -> None:
    host.outbox.offer(host.history.extend())
    with start(host, interval=600) as running:
        time.sleep(0.05)
        assert host.opened == 0
        assert running.state().oldest == commit(1).stamp.time
        running.set_interval(0.01)
        until(lambda: running.state().versions == 0)


def test_a_flush_waits_for_what_was_offered_before(host: Host) -> None:
    with start(host) as running:
        for _ in range(3):
            host.outbox.offer(host.history.extend())
            assert running.flush(DEADLINE)
            assert len(host.ledger.recorded_commits()) == len(host.history.entries)


def test_a_flush_that_fails_says_so_and_keeps_everything(host: Host) -> None:
    host.outbox.offer(host.history.extend())
    host.faults[:] = ["open"]
    reported: list[Exception | None] = []
    with start(host, pauses=ShortBackoff(600), on_failure=reported.append) as running:
        assert not running.flush(DEADLINE)
        state = running.state()
        assert (state.versions, state.failures) == (1, 1)
        assert state.failure is not None
        assert (state.failure.message, state.failure.stalled) == ("the ledger cannot be opened", False)
        assert running.flush(DEADLINE)
        assert running.state().failure is None
    assert [str(one) for one in reported] == ["the ledger cannot be opened", "None"]


def test_it_tries_again_by_itself_and_pauses_begin_anew(host: Host) -> None:
    pauses = ShortBackoff()
    host.outbox.offer(host.history.extend())
    host.faults[:] = ["open", "before", "after"]
    with start(host, interval=0.01, pauses=pauses) as running:
        until(lambda: running.state().versions == 0 and pauses.resets > 0)
    assert pauses.failures == 3
    assert len(host.ledger.recorded_commits()) == 1


def test_what_needs_a_human_is_kept_and_tried_seldom(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = [True]

    @contextmanager
    def open_ledger() -> Iterator[Any]:
        if refused[0]:
            raise NeedsHuman("the login was refused", hint="check history.url")
        yield host.ledger

    monkeypatch.setattr(upload, "HUMAN_DELAY", 0.05)
    host.outbox.offer(host.history.extend())
    pauses = ShortBackoff(600)
    route = UploadTarget(open_ledger, host.history.backfill)
    with HistoryUploader(host.pending, route, pauses, FixedClock(), interval=0.01) as running:
        until(lambda: running.state().failures >= 2)
        failure = running.state().failure
        assert failure is not None
        assert (failure.stalled, failure.hint) == (True, "check history.url")
        refused[0] = False
        until(lambda: running.state().versions == 0)
    assert pauses.failures == 0


def test_a_bug_does_not_end_the_thread(host: Host) -> None:
    broken = [True]

    def backfill(ledger: Any, waiting: Any, pulse: Any) -> int | None:
        if broken:
            raise ZeroDivisionError(f"oops, {broken.pop()}")
        return host.history.backfill(ledger, waiting, pulse)

    reported: list[Exception | None] = []
    host.outbox.offer(host.history.extend())
    route = UploadTarget(host.route().open_ledger, backfill)
    with HistoryUploader(
        host.pending, route, ShortBackoff(), FixedClock(), interval=0.01, on_failure=reported.append
    ) as running:
        until(lambda: running.state().versions == 0)
    assert isinstance(reported[0], ZeroDivisionError)


def test_the_ledger_is_opened_when_there_is_something_and_closed_when_idle(host: Host) -> None:
    host.history.extend()
    open_now = []

    @contextmanager
    def open_ledger() -> Iterator[Any]:
        open_now.append(1)
        try:
            yield host.ledger
        finally:
            open_now.pop()

    route = UploadTarget(open_ledger, host.history.backfill, idle=0.2)
    with HistoryUploader(host.pending, route, ShortBackoff(), FixedClock(), interval=600) as running:
        assert running.flush(DEADLINE)
        assert open_now == [1]
        until(lambda: not open_now)
        assert running.flush(DEADLINE)
        assert open_now == []
        host.outbox.offer(host.history.extend())
        assert running.flush(DEADLINE)
        assert open_now == [1]
    assert open_now == []


def test_a_branch_without_commits_waits_without_opening_anything(host: Host) -> None:
    with start(host) as running:
        assert not running.flush(DEADLINE)
        assert (host.opened, running.state().failures, running.state().behind) == (0, 0, True)


def test_batches_shrink_while_the_ledger_refuses_them(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is short of memory takes small ones; one that refuses a commit gets all that is before it."""
    host.outbox.mark_backfilled(host.outbox.checkpoint())
    for _ in range(8):
        host.outbox.offer(host.history.extend())

    class Small(MemoryLedger):
        def record(self, versions: Any) -> None:
            if len(versions) > 2:
                raise RetryLater("memory limit exceeded")
            super().record(versions)

    monkeypatch.setattr("reconciler.reconcile.upload.BATCH_WEIGHT", 32)
    host.ledger = Small(FixedClock())
    with start(host, interval=0.01) as running:
        until(lambda: running.state().versions == 0)
    assert len(host.ledger.recorded_commits()) == 8


def test_it_ends_between_two_steps(host: Host) -> None:
    """A comparison with a long history does not hold up the end of the process."""
    for _ in range(50):
        host.history.extend()
    reached = threading.Event()

    def backfill(ledger: Any, waiting: Any, pulse: Callable[[], None]) -> int | None:
        def slow() -> None:
            reached.set()
            time.sleep(0.05)
            pulse()

        return host.history.backfill(ledger, waiting, slow)

    route = UploadTarget(host.route().open_ledger, backfill)
    running = HistoryUploader(host.pending, route, ShortBackoff(), FixedClock(), interval=0.001)
    with running:
        assert reached.wait(DEADLINE)
    assert "shipping" not in [thread.name for thread in threading.enumerate()]
    assert len(host.ledger.recorded_commits()) == 0


def test_a_ledger_that_hangs_does_not_hold_up_the_end(host: Host) -> None:
    hanging, released = threading.Event(), threading.Event()

    @contextmanager
    def open_ledger() -> Iterator[Any]:
        hanging.set()
        released.wait(DEADLINE)
        yield host.ledger

    host.history.extend()
    reported: list[Exception | None] = []
    route = UploadTarget(open_ledger, host.history.backfill)
    running = HistoryUploader(
        host.pending, route, ShortBackoff(), FixedClock(), interval=0.001, on_failure=reported.append
    )
    with running:
        assert hanging.wait(DEADLINE)
        assert running.state().under_way is not None
        assert not running.flush(0.05)
        running.stop(timeout=0.05)
        assert isinstance(reported[-1], RetryLater)
        released.set()
