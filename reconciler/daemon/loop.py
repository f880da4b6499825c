"""The loop: one thread, one operation at a time. Every trigger says "look again"; what to do shows when it looks."""

from __future__ import annotations

import heapq
import random
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from reconciler.daemon.conditions import Phase
from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RefusedError, RetryLater, UsageError
from reconciler.model.host import Outlook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.backoff import Backoff
    from reconciler.daemon.conditions import Board
    from reconciler.reconcile.sync import CommitApproval, SyncResult


class Task(IntEnum):
    """What the operations thread does. Of several that are due, the first in this order goes first."""

    ERRAND = 0
    RECONCILE = 1
    SCAN = 2
    BACK_UP = 3
    MAKE_READY = 4


@dataclass(frozen=True, slots=True)
class Job:
    """A task to run now. `requests` are those who wait for what comes of it; `argument` came with the first of them."""

    task: Task
    argument: Any = None
    requests: tuple[Future[Any], ...] = ()


class Agenda:
    """Safe for several threads. Asking for the same task twice before it runs is asking once.

    `now` gives monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._due: dict[Task, float] = {}
        self._asked: list[tuple[Task, int, Any, Future[Any]]] = []
        self._number = 0
        self._closed = False

    def at(self, task: Task, moment: float) -> None:
        """Do a task at a moment, unless it is due sooner."""
        with self._changed:
            self._due[task] = min(moment, self._due.get(task, moment))
            self._changed.notify()

    def put_off(self, task: Task, moment: float) -> None:
        """Do a task at a moment and not before, unless somebody asks for it."""
        with self._changed:
            self._due[task] = moment
            self._changed.notify()

    def ask(self, task: Task, argument: Any = None) -> Future[Any]:
        """Do a task now. The future gets what comes of it; with an argument, a task is not joined with another one."""
        request: Future[Any] = Future()
        with self._changed:
            if self._closed:
                request.cancel()
                return request
            self._number += 1
            heapq.heappush(self._asked, (task, self._number, argument, request))
            self._changed.notify()
        return request

    def next(self, longest: float) -> Job | None:
        """The next job, waited for; None after so many seconds, or when the agenda is closed."""
        limit = self._now() + longest
        with self._changed:
            while not self._closed:
                job = self._taken()
                if job is not None:
                    return job
                if self._now() >= limit:
                    return None
                self._changed.wait(max(min([limit, *self._due.values()]) - self._now(), 0.0))
        return None

    def close(self) -> None:
        """No more jobs; who still waits is told so by a cancelled future."""
        with self._changed:
            self._closed = True
            for *_, request in self._asked:
                request.cancel()
            self._asked.clear()
            self._changed.notify_all()

    def _taken(self) -> Job | None:
        due = sorted(task for task, moment in self._due.items() if moment <= self._now())
        if self._asked and (not due or self._asked[0][0] <= due[0]):
            return self._answering()
        if not due:
            return None
        del self._due[due[0]]
        return Job(due[0])

    def _answering(self) -> Job:
        task, _, argument, request = heapq.heappop(self._asked)
        requests = [request]
        while argument is None and self._asked and self._asked[0][0] is task and self._asked[0][2] is None:
            requests.append(heapq.heappop(self._asked)[3])
        if argument is None:
            self._due.pop(task, None)
        return Job(task, argument, tuple(requests))


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants who waits for a reconcile: to approve what is refused, to have a suspension ignored."""

    approval: CommitApproval | None = None
    force: bool = False


class Works(Protocol):
    """One repository, its store and its ledger on this host. All calls come from the operations thread.

    Each raises `RetryLater` when trying again may help, `NeedsHuman` when it will not.
    """

    def fetch(self, beat: Callable[[], None]) -> None:
        """Bring the mirror up to date; nothing to do for a repository on disk. `beat` is called now and then."""
        ...

    def head(self) -> str | None:
        """The commit that the branch is at; None for a branch without commits."""
        ...

    def reconcile(self, wish: Wish | None, beat: Callable[[], None]) -> SyncResult | None:
        """Bring the live rows to the head, or do nothing (None) while that is suspended.

        With a wish a suspension raises `RefusedError` instead. `beat` is called now and then, and may raise to end it.
        """
        ...

    def scan(self) -> None:
        """Look for live rows that are not as git says, and put them right or tell."""
        ...

    def back_up(self) -> Path:
        """Copy the store, and delete copies that are too old."""
        ...

    def until_backup(self) -> float:
        """Seconds until the next backup is due."""
        ...

    def make_ready(self) -> None:
        """A commit is about to come: open what takes a while, unless somebody else has it now."""
        ...

    def touched(self) -> bool:
        """Whether something else wrote to the live rows since `rest`."""
        ...

    def rest(self) -> None:
        """Let go of what others may want, such as the store's file."""
        ...


JITTER = (0.9, 1.1)
"""So that a hundred hosts do not ask one server in the same second."""
BREATH = 1.0
"""Seconds after which the thread shows that it lives, with nothing to do."""
PATIENCE = 300.0
"""Seconds until something is tried again that needs a human, in case one was there."""
LONGEST = 3600.0
"""Seconds that one operation may take: at its next sign of life it is broken off, and begun anew."""
GRACE = 4.0
"""Seconds that an operation has to end when the daemon stops."""
PHASES = {
    Task.ERRAND: Phase.ANSWERING,
    Task.RECONCILE: Phase.RECONCILING,
    Task.SCAN: Phase.SCANNING,
    Task.BACK_UP: Phase.BACKING_UP,
    Task.MAKE_READY: Phase.IDLE,
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between two looks without a trigger, between two scans for drift, and until an idle store is let go."""

    poll: float = 60.0
    scan: float = 60.0
    rest: float = 2.0


class Loop:
    """Owns the thread `operations`. A context manager: leaving it ends the operation that runs, and then the thread.

    `bug` is given an exception nobody expected, and says where its trace is.
    """

    def __init__(
        self, works: Works, board: Board, backoff: Callable[[], Backoff], pace: Pace, bug: Callable[[Exception], str]
    ) -> None:
        self.agenda = Agenda(time.monotonic)
        self._works, self._board, self._pace, self._bug = works, board, pace, bug
        self._backoffs = {task: backoff() for task in Task}
        self._settled: str | None = None
        self._used = self._begun = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operations", daemon=True)

    def __enter__(self) -> Loop:
        now = time.monotonic()
        self.agenda.at(Task.RECONCILE, now)
        self.agenda.at(Task.SCAN, now + self._pace.scan)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, grace: float = GRACE) -> bool:
        """End the operation at its next sign of life, or the transaction it is in, and then the thread.

        False when it has not ended after so many seconds: it dies with the process, and what was begun is undone.
        """
        self._stopping.set()
        self.agenda.close()
        self._thread.join(grace)
        return not self._thread.is_alive()

    def look(self) -> None:
        """Something may have changed: look as soon as possible."""
        self.agenda.at(Task.RECONCILE, time.monotonic())

    def make_ready(self) -> None:
        """A commit may come in a moment: what takes a while to open is open then."""
        self.agenda.at(Task.MAKE_READY, time.monotonic())

    def look_anew(self) -> None:
        """Reconcile as soon as possible, even if nothing seems to have changed in git."""
        self._settled = None
        self.look()

    def sync(self, wish: Wish) -> Future[SyncResult]:
        """Reconcile for somebody who waits for what comes of it."""
        return self.agenda.ask(Task.RECONCILE, wish)

    def back_up(self) -> Future[Path]:
        """Make a backup for somebody who waits for it."""
        return self.agenda.ask(Task.BACK_UP)

    def do(self, errand: Callable[[Callable[[], None]], T]) -> Future[T]:
        """Do something on the operations thread, in its turn. The errand is given what to call as a sign of life."""
        return self.agenda.ask(Task.ERRAND, errand)

    def _run(self) -> None:
        while not self._stopping.is_set():
            job = self.agenda.next(BREATH)
            self._board.beat()
            if job is not None:
                self._do(job)
                self._used = time.monotonic()
            elif time.monotonic() - self._used > self._pace.rest:
                self._rest()
        self._board.enter(Phase.STOPPING)
        self._works.rest()

    def _rest(self) -> None:
        """Let others have their turn; what one of them wrote is looked at without waiting for the next scan."""
        try:
            self._works.rest()
            if self._works.touched():
                self.agenda.at(Task.SCAN, time.monotonic())
        except Exception as error:  # noqa: BLE001  the thread must outlive it; the next operation meets it again
            self._board.trouble("Resting", Outlook.RETRYING, type(error).__name__, str(error), self._bug(error))
        else:
            self._board.well("Resting")

    def _do(self, job: Job) -> None:
        self._begun = time.monotonic()
        self._board.enter(PHASES[job.task])
        try:
            outcome = self._outcome(job)
        except _Stopping:
            for request in job.requests:
                request.cancel()
        except Exception as error:  # noqa: BLE001  the thread must outlive whatever happens to one operation
            self._failed(job, error)
            for request in job.requests:
                request.set_exception(error)
        else:
            self._backoffs[job.task].reset()
            self._board.well(PHASES[job.task])
            for request in job.requests:
                request.set_result(outcome)
        self._board.enter(Phase.IDLE)

    def _outcome(self, job: Job) -> Any:
        if job.task is Task.ERRAND:
            return job.argument(self._pulse)
        now = time.monotonic()
        if job.task is Task.RECONCILE:
            self.agenda.put_off(Task.RECONCILE, now + self._pace.poll * random.uniform(*JITTER))  # noqa: S311  no secret
            return self._reconcile(job.argument)
        if job.task is Task.SCAN:
            self.agenda.put_off(Task.SCAN, now + self._pace.scan)
            return self._works.scan()
        if job.task is Task.MAKE_READY:
            return self._works.make_ready()
        copy = self._works.back_up()
        self._schedule_backup()
        return copy

    def _reconcile(self, wish: Wish | None) -> SyncResult | None:
        """What a reconcile came to; None when nobody waits for it and nothing has moved since the last one."""
        self._board.enter(Phase.FETCHING)
        self._works.fetch(self._pulse)
        head = self._works.head()
        if wish is None and head is not None and head == self._settled:
            return None
        self._board.enter(Phase.RECONCILING)
        self._settled = None
        result = self._works.reconcile(wish, self._pulse)
        self._settled = result.head if result else None
        self._board.synced()
        if Phase.BACKING_UP not in self._board.look().troubles:
            self._schedule_backup()
        return result

    def _schedule_backup(self) -> None:
        self.agenda.put_off(Task.BACK_UP, time.monotonic() + self._works.until_backup())

    def _pulse(self) -> None:
        """A sign of life from within an operation; raises when it has to end."""
        self._board.beat()
        if self._stopping.is_set():
            raise _Stopping
        if time.monotonic() - self._begun > LONGEST:
            raise RetryLater(f"the operation was not done after {LONGEST:g} s, and was broken off", hint="see the log")

    def _failed(self, job: Job, error: Exception) -> None:
        """Say so, and try again: soon, late, or not before something changes."""
        known = isinstance(error, ReconcilerError) and not isinstance(error, BugError)
        if known and job.requests and (job.task is Task.ERRAND or isinstance(error, (UsageError, RefusedError))):
            return  # it is the request that could not be met, and who made it is told
        outlook, pause = Outlook.RETRYING, PATIENCE
        if isinstance(error, NeedsHuman):
            outlook = Outlook.STALLED
        else:
            pause = self._backoffs[job.task].next()
        reason = type(error).__name__ if known else "UnexpectedError"
        hint = str(getattr(error, "hint", "")) if known else f"this is a bug; its trace is in {self._bug(error)}"
        self._board.trouble(PHASES[job.task], outlook, reason, str(error), hint)
        if job.task is not Task.ERRAND:
            self.agenda.put_off(job.task, time.monotonic() + pause)


class _Stopping(Exception):
    """The daemon is stopping."""
