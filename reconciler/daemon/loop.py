"""The loop: one thread, one operation at a time.

It is level-based: a watcher, a webhook, a poll and a command all say "look again", and what to do shows when it looks.
Asking a hundred times is asking once, and nothing is lost with a trigger, because polling never stops.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from reconciler.backoff import IN_USE_RETRY
from reconciler.daemon.conditions import Phase
from reconciler.daemon.roots import FIRST_LOOK
from reconciler.errors import (
    BranchError,
    BugError,
    InUse,
    NeedsHuman,
    ReconcilerError,
    RefusedError,
    RetryLater,
    UsageError,
)
from reconciler.model.host import ConditionSeverity
from reconciler.slices import let_go

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.backoff import Backoff
    from reconciler.daemon.conditions import Conditions
    from reconciler.daemon.host import Host, SyncRequest
    from reconciler.reconcile.sync import SyncResult

POLL_JITTER = (0.9, 1.1)
"""So that a hundred hosts do not ask one server in the same second."""
HEARTBEAT_INTERVAL = 1.0
"""Seconds between two heartbeats of an idle thread."""
STALLED_RETRY = 300.0
"""Seconds until something is tried again that needs a human, in case one was there."""
OPERATION_TIMEOUT = 3600.0
"""Seconds that one operation may take: at its next heartbeat it is ended, and later begun anew."""
STOP_TIMEOUT = 4.0
"""Seconds that an operation has to end when the daemon stops."""
T = TypeVar("T")


class Task(IntEnum):
    """What the operations thread does. Of several that are due, the first in this order goes first."""

    URGENT = 0
    REQUEST = 1
    RECONCILE = 2
    SCAN = 3
    BACK_UP = 4
    PREPARE = 5
    DRILL = 6
    ROOT = 7


PHASES = {
    Task.URGENT: Phase.ANSWERING,
    Task.REQUEST: Phase.ANSWERING,
    Task.RECONCILE: Phase.RECONCILING,
    Task.SCAN: Phase.SCANNING,
    Task.BACK_UP: Phase.BACKING_UP,
    Task.PREPARE: Phase.IDLE,
    Task.DRILL: Phase.DRILLING,
    Task.ROOT: Phase.ROOTING,
}
ASKED_FOR = frozenset({Task.URGENT, Task.REQUEST})
"""Tasks that are nothing but what somebody asks for."""


class Job(Struct, frozen=True):
    """A task to run now. `futures` get its result; `argument` came with the first of them."""

    task: Task
    argument: Any = None
    futures: tuple[Future[Any], ...] = ()


class Agenda:
    """Tasks that fall due, and tasks that are asked for. Safe for several threads; `now` gives monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._due: dict[Task, float] = {}
        self._requests: list[tuple[Task, int, Any, Future[Any]]] = []
        self._number = 0
        self._closed = False

    def schedule(self, task: Task, at: float) -> None:
        """Run a task at a moment, unless it is due sooner."""
        with self._changed:
            self._due[task] = min(at, self._due.get(task, at))
            self._changed.notify()

    def reschedule(self, task: Task, at: float) -> None:
        """Run a task at a moment and not before, unless somebody asks for it."""
        with self._changed:
            self._due[task] = at
            self._changed.notify()

    def request(self, task: Task, argument: Any = None) -> Future[Any]:
        """Run a task now. Requests for the same task are answered by one run, unless they have an argument."""
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
                return future
            self._number += 1
            heapq.heappush(self._requests, (task, self._number, argument, future))
            self._changed.notify()
        return future

    def put_back(self, job: Job) -> None:
        """Run a job that was broken off as soon as it is its turn again, for whoever waits for it."""
        with self._changed:
            self._due[job.task] = self._now()
            for future in job.futures:
                if self._closed:
                    future.cancel()
                    continue
                self._number += 1
                heapq.heappush(self._requests, (job.task, self._number, job.argument, future))
            self._changed.notify()

    def is_asked_for(self, task: Task) -> bool:
        """Whether somebody waits for a task."""
        with self._changed:
            return any(asked is task for asked, *_ in self._requests)

    def next(self, timeout: float) -> Job | None:
        """Wait for the next job; None after so many seconds, or when the agenda is closed."""
        limit = self._now() + timeout
        with self._changed:
            while not self._closed:
                job = self._take()
                if job is not None:
                    return job
                if self._now() >= limit:
                    return None
                self._changed.wait(max(min([limit, *self._due.values()]) - self._now(), 0.0))
        return None

    def close(self) -> None:
        """Give no more jobs, and cancel the futures of those that were asked for."""
        with self._changed:
            self._closed = True
            for *_, future in self._requests:
                future.cancel()
            self._requests.clear()
            self._changed.notify_all()

    def _take(self) -> Job | None:
        due = sorted(task for task, at in self._due.items() if at <= self._now())
        if self._requests and (not due or self._requests[0][0] <= due[0]):
            return self._take_request()
        if not due:
            return None
        del self._due[due[0]]
        return Job(due[0])

    def _take_request(self) -> Job:
        task, _, argument, future = heapq.heappop(self._requests)
        futures = [future]
        while argument is None and self._requests and self._requests[0][0] is task and self._requests[0][2] is None:
            futures.append(heapq.heappop(self._requests)[3])
        if argument is None:
            self._due.pop(task, None)
        return Job(task, argument, tuple(futures))


class Intervals(Struct, frozen=True):
    """Seconds between two polls, between two scans for drift, and until an idle store is closed."""

    poll: float = 60.0
    scan: float = 60.0
    close_idle: float = 2.0


class Loop:
    """Owns the thread `operations`. A context manager: leaving it ends the operation that runs, and then the thread.

    `log_bug` is given an exception nobody expected, and says where its trace is.
    """

    def __init__(
        self,
        host: Host,
        conditions: Conditions,
        make_backoff: Callable[[], Backoff],
        intervals: Intervals,
        log_bug: Callable[[Exception], str],
    ) -> None:
        self.agenda = Agenda(time.monotonic)
        self._host, self._conditions, self._intervals, self._log_bug = host, conditions, intervals, log_bug
        self._backoffs = {task: make_backoff() for task in Task}
        self._settled: str | None = None
        self._waiting: set[Task] = set()
        self._has_fetched = self._resumed = False
        self._used = self._begun = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operations", daemon=True)

    def __enter__(self) -> Loop:
        now = time.monotonic()
        self.agenda.schedule(Task.RECONCILE, now)
        self.agenda.schedule(Task.SCAN, now + self._intervals.scan)
        self.agenda.schedule(Task.ROOT, now + FIRST_LOOK)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """End the operation at its next heartbeat, or with its transaction, and then the thread.

        False when it has not ended after so many seconds: it dies with the process, and what was begun is undone.
        """
        self._stopping.set()
        self.agenda.close()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def trigger(self) -> None:
        """Reconcile soon: something may have changed in git."""
        self.agenda.schedule(Task.RECONCILE, time.monotonic())

    def prepare(self) -> None:
        """Open what takes a while to open: a commit may come in a moment."""
        self.agenda.schedule(Task.PREPARE, time.monotonic())

    def reconcile_again(self) -> None:
        """Reconcile soon, even if nothing has changed in git."""
        self._settled = None
        self.trigger()

    def sync(self, request: SyncRequest) -> Future[SyncResult]:
        """Reconcile for somebody who waits for the result."""
        return self.agenda.request(Task.RECONCILE, request)

    def back_up(self) -> Future[Path]:
        """Make a backup for somebody who waits for it."""
        return self.agenda.request(Task.BACK_UP)

    def submit(self, operation: Callable[[Callable[[], None]], T]) -> Future[T]:
        """Run an operation on the operations thread, in its turn. It is given what to call as a heartbeat."""
        return self.agenda.request(Task.REQUEST, operation)

    def submit_urgent(self, operation: Callable[[Callable[[], None]], T]) -> Future[T]:
        """The same before any other, and not only once a fetch has ended: that is broken off, and begun anew later.

        For what a person asks for, and needs nothing that is fetched.
        """
        return self.agenda.request(Task.URGENT, operation)

    def _run(self) -> None:
        while not self._stopping.is_set():
            job = self.agenda.next(HEARTBEAT_INTERVAL)
            self._conditions.heartbeat()
            self._obey_halts()
            if job is not None:
                left = self._do(job)
                del job
                let_go(left)
                self._used = time.monotonic()
            elif time.monotonic() - self._used > self._intervals.close_idle:
                self._close_idle()
        self._conditions.enter(Phase.STOPPING)
        self._host.settle()
        self._host.close_idle()

    def _obey_halts(self) -> None:
        """Obey what a command wrote that this daemon did not answer in time."""
        with suppress(ReconcilerError):  # the next operation opens the store, and meets the error again
            self._host.obey_halts()

    def _close_idle(self) -> None:
        """Let other processes have the store. What one of them wrote is looked at without waiting for the next scan."""
        try:
            self._host.close_idle()
            if self._host.changed_externally():
                self.agenda.schedule(Task.SCAN, time.monotonic())
        except Exception as error:  # noqa: BLE001  the thread must outlive it; the next operation meets it again
            self._conditions.set(
                "Resting", ConditionSeverity.RETRYING, type(error).__name__, str(error), self._log_bug(error)
            )
        else:
            self._conditions.clear("Resting")

    def _do(self, job: Job) -> list[object]:
        """Do a job; what its result holds much of."""
        self._begun = time.monotonic()
        left: list[object] = []
        self._conditions.enter(PHASES[job.task])
        try:
            result = self._execute(job)
        except _Stopping:
            for future in job.futures:
                future.cancel()
        except _GivingWay:
            self.agenda.put_back(job)
        except Exception as error:  # noqa: BLE001  the thread must outlive whatever happens to one operation
            self._handle_error(job, error)
            for future in job.futures:
                future.set_exception(error)
        else:
            self._backoffs[job.task].reset()
            self._conditions.clear(PHASES[job.task])
            for future in job.futures:
                future.set_result(result)
            left = result.contents() if job.task is Task.RECONCILE and result is not None else []
        self._conditions.enter(Phase.IDLE)
        return left

    def _execute(self, job: Job) -> Any:
        if job.task in ASKED_FOR:
            return job.argument(self._heartbeat)
        now = time.monotonic()
        if job.task is Task.RECONCILE:
            poll = self._intervals.poll * random.uniform(*POLL_JITTER)  # noqa: S311  no secret
            self.agenda.reschedule(Task.RECONCILE, now + poll)
            return self._reconcile(job.argument)
        if job.task is Task.SCAN:
            self.agenda.reschedule(Task.SCAN, now + self._intervals.scan)
            return self._host.scan()
        if job.task is Task.BACK_UP:
            return self._back_up()
        if job.task is Task.ROOT:
            return self.agenda.reschedule(Task.ROOT, now + self._host.make_root())
        return self._drill() if job.task is Task.DRILL else self._prepare()

    def _back_up(self) -> Path:
        backup = self._host.back_up()
        self._schedule_backup()
        return backup

    def _reconcile(self, request: SyncRequest | None) -> SyncResult | None:
        """The result; None when nobody waits for one and nothing has changed in git since the last one."""
        resumed, self._resumed = self._resumed, False
        if resumed:
            self.trigger()
        else:
            self._fetch()
        head = self._host.head()
        if request is None and head is not None and head == self._settled:
            return None
        self._conditions.enter(Phase.RECONCILING)
        self._settled = None
        result = self._host.reconcile(request, self._heartbeat)
        self._settled = result.head if result else None
        self._conditions.mark_synced()
        if Phase.BACKING_UP not in self._conditions.snapshot().active:
            self._schedule_backup()
        if (
            Phase.DRILLING not in self._conditions.snapshot().active
            and result is not None
            and result.applied is not None
        ):
            self._schedule_drill()
        return result

    def _fetch(self) -> None:
        self._conditions.enter(Phase.FETCHING)
        self._host.fetch(self._give_way)
        self._has_fetched = True

    def _give_way(self) -> None:
        """A heartbeat of a fetch, which a server that does not answer may keep for minutes."""
        self._heartbeat()
        if self.agenda.is_asked_for(Task.URGENT):
            raise _GivingWay

    def _drill(self) -> None:
        self._host.drill()
        self._schedule_drill()

    def _prepare(self) -> None:
        """Open the store. Once another process has closed it, what waits for that is done; a commit needs no fetch."""
        now = time.monotonic()
        if self._host.prepare():
            self._resumed = self._has_fetched and Task.RECONCILE in self._waiting
            for task in self._waiting:
                self._backoffs[task].reset()
                self.agenda.schedule(task, now)
            self._waiting.clear()
        elif self._waiting:
            self.agenda.schedule(Task.PREPARE, now + IN_USE_RETRY)

    def _schedule_backup(self) -> None:
        self.agenda.reschedule(Task.BACK_UP, time.monotonic() + self._host.until_backup())

    def _schedule_drill(self) -> None:
        self.agenda.schedule(Task.DRILL, time.monotonic() + self._host.until_drill())

    def _heartbeat(self) -> None:
        """A heartbeat from within an operation; raises when that has to end."""
        self._conditions.heartbeat()
        self._obey_halts()
        if self._stopping.is_set():
            raise _Stopping
        if time.monotonic() - self._begun > OPERATION_TIMEOUT:
            message = f"the operation was not done after {OPERATION_TIMEOUT:g} s, and was broken off"
            raise RetryLater(message, hint="see the log")

    def _handle_error(self, job: Job, error: Exception) -> None:
        """Show it as a condition, and schedule the next try."""
        known = isinstance(error, ReconcilerError) and not isinstance(error, BugError)
        if known and job.futures and (job.task in ASKED_FOR or isinstance(error, (UsageError, RefusedError))):
            return  # it is the request that could not be met, and its future tells who made it
        severity, pause = ConditionSeverity.RETRYING, STALLED_RETRY
        if isinstance(error, NeedsHuman):
            severity = ConditionSeverity.STALLED
        else:
            pause = self._backoffs[job.task].next()
        if isinstance(error, BranchError):  # git is looked at as usual: whoever brings the branch back need not wait
            self._conditions.set(PHASES[job.task], severity, error.reason, error.message, error.hint)
            return
        reason = type(error).__name__ if known else "UnexpectedError"
        hint = str(getattr(error, "hint", "")) if known else f"this is a bug; its trace is in {self._log_bug(error)}"
        self._conditions.set(PHASES[job.task], severity, reason, str(error), hint)
        if job.task not in ASKED_FOR:
            self.agenda.reschedule(job.task, time.monotonic() + pause)
        if isinstance(error, InUse):
            self._waiting.add(job.task)
            self.agenda.schedule(Task.PREPARE, time.monotonic() + IN_USE_RETRY)


class _Stopping(Exception):
    """The daemon is stopping."""


class _GivingWay(Exception):
    """Something urgent is asked for."""
