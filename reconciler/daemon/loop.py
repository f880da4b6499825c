"""The loop: one thread, one operation at a time. Every trigger says "look again"; what to do shows when it looks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.daemon.agenda import Agenda, Job, Task
from reconciler.daemon.board import Health, Phase
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from reconciler.daemon.backoff import Backoff
    from reconciler.daemon.board import Board
    from reconciler.daemon.works import Works
    from reconciler.pipeline.syncing import Consent, SyncResult

BREATH = 1.0
"""Seconds after which the thread shows that it lives, with nothing to do."""
PATIENCE = 300.0
"""Seconds until something is tried again that needs a human, in case one was there."""
PHASES = {Task.RECONCILE: Phase.RECONCILING, Task.SCAN: Phase.SCANNING, Task.BACK_UP: Phase.BACKING_UP}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between two looks without a trigger, between two scans for drift, and until an idle store is let go."""

    poll: float = 60.0
    scan: float = 60.0
    rest: float = 2.0


class Loop:
    """Owns the thread `operations`. A context manager: leaving it ends the operation that runs, and then the thread."""

    def __init__(
        self, works: Works, board: Board, backoff: Callable[[], Backoff], pace: Pace, bug: Callable[[Exception], str]
    ) -> None:
        self.agenda = Agenda(time.monotonic)
        self._works, self._board, self._pace, self._bug = works, board, pace, bug
        self._backoffs = {task: backoff() for task in Task}
        self._settled: str | None = None
        self._used = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operations", daemon=True)

    def __enter__(self) -> Loop:
        now = time.monotonic()
        self.agenda.at(Task.RECONCILE, now)
        self.agenda.at(Task.SCAN, now + self._pace.scan)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.agenda.close()
        self._thread.join()

    def look(self) -> None:
        """Something may have changed: look as soon as possible."""
        self.agenda.at(Task.RECONCILE, time.monotonic())

    def sync(self, consent: Consent | None = None) -> Future[SyncResult]:
        """Reconcile for somebody who waits for what comes of it."""
        return self.agenda.ask(Task.RECONCILE, _Wish(consent))

    def _run(self) -> None:
        while not self._stopping.is_set():
            job = self.agenda.next(BREATH)
            self._board.beat()
            if job is not None:
                self._do(job)
                self._used = time.monotonic()
            elif time.monotonic() - self._used > self._pace.rest:
                self._works.rest()
        self._board.enter(Phase.STOPPING)
        self._works.rest()

    def _do(self, job: Job) -> None:
        self._board.enter(PHASES[job.task])
        try:
            outcome = self._outcome(job)
        except Exception as error:  # noqa: BLE001  the thread must outlive whatever happens to one operation
            self._failed(job, error)
            for request in job.requests:
                request.set_exception(error)
        else:
            self._backoffs[job.task].reset()
            self._board.well(job.task.name)
            for request in job.requests:
                request.set_result(outcome)
        self._board.enter(Phase.IDLE)

    def _outcome(self, job: Job) -> Any:
        now = time.monotonic()
        if job.task is Task.RECONCILE:
            self.agenda.put_off(Task.RECONCILE, now + self._pace.poll)
            return self._reconcile(job.argument)
        if job.task is Task.SCAN:
            self.agenda.put_off(Task.SCAN, now + self._pace.scan)
            return self._works.scan()
        self.agenda.put_off(Task.BACK_UP, now + self._works.backup_interval())
        return self._works.back_up()

    def _reconcile(self, wish: _Wish | None) -> SyncResult | None:
        """What a reconcile came to; None when nobody waits for it and nothing has moved since the last one."""
        self._board.enter(Phase.FETCHING)
        self._works.fetch()
        head = self._works.head()
        if wish is None and head is not None and head == self._settled:
            return None
        self._board.enter(Phase.RECONCILING)
        self._settled = None
        result = self._works.reconcile(wish.consent if wish else None, self._board.beat)
        self._settled = result.head
        self._board.synced()
        return result

    def _failed(self, job: Job, error: Exception) -> None:
        """Say so, and try again: soon, late, or not before something changes."""
        if job.requests and isinstance(error, UsageError):
            return  # it is the request that was wrong, and who made it is told
        if isinstance(error, RetryLater):
            health, reason, pause = Health.RETRYING, "RetryLater", self._backoffs[job.task].next()
        elif isinstance(error, (NeedsHuman, UsageError)):
            health, reason, pause = Health.STALLED, "NeedsHuman", PATIENCE
        else:
            health, reason, pause = Health.RETRYING, "UnexpectedError", self._backoffs[job.task].next()
        known = isinstance(error, ReconcilerError) and reason != "UnexpectedError"
        hint = str(getattr(error, "hint", "")) if known else f"this is a bug; its trace is in {self._bug(error)}"
        self._board.trouble(job.task.name, health, reason, str(error), hint)
        self.agenda.put_off(job.task, time.monotonic() + pause)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What came with a request for a reconcile."""

    consent: Consent | None
