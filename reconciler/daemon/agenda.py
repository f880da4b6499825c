"""What is to be done next, and when: tasks that fall due, and tasks that are asked for. Knows no clock of its own."""

from __future__ import annotations

import heapq
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
