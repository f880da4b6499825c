"""What is done next: order, joining of requests, and moments that pass."""

from __future__ import annotations

import threading
import time

from reconciler.daemon.loop import Agenda, Task


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_due_comes_in_the_order_of_tasks() -> None:
    clock = Clock()
    agenda = Agenda(clock)
    agenda.schedule(Task.SCAN, 90)
    agenda.schedule(Task.RECONCILE, 99)
    agenda.schedule(Task.BACK_UP, 101)
    tasks = [agenda.next(0), agenda.next(0), agenda.next(0)]
    assert [job.task if job else None for job in tasks] == [Task.RECONCILE, Task.SCAN, None]
    clock.now = 101
    job = agenda.next(0)
    assert job is not None
    assert job.task is Task.BACK_UP


def test_a_thousand_hints_are_one_look() -> None:
    agenda = Agenda(Clock())
    for _ in range(1_000):
        agenda.schedule(Task.RECONCILE, 100)
    assert agenda.next(0) is not None
    assert agenda.next(0) is None


def test_a_later_moment_does_not_put_a_task_off_but_putting_off_does() -> None:
    clock = Clock()
    agenda = Agenda(clock)
    agenda.schedule(Task.SCAN, 100)
    agenda.schedule(Task.SCAN, 200)
    assert agenda.next(0) is not None
    agenda.schedule(Task.SCAN, 100)
    agenda.reschedule(Task.SCAN, 200)
    assert agenda.next(0) is None
    clock.now = 200
    assert agenda.next(0) is not None


def test_requests_without_an_argument_share_one_run() -> None:
    agenda = Agenda(Clock())
    first, second, own = agenda.request(Task.SCAN), agenda.request(Task.SCAN), agenda.request(Task.SCAN, "own")
    job, other = agenda.next(0), agenda.next(0)
    assert job is not None
    assert other is not None
    assert job.futures == (first, second)
    assert (other.argument, other.futures) == ("own", (own,))
    assert agenda.next(0) is None


def test_a_request_goes_before_what_is_due_and_less_urgent() -> None:
    agenda = Agenda(Clock())
    agenda.schedule(Task.SCAN, 100)
    agenda.request(Task.RECONCILE, "now")
    job = agenda.next(0)
    assert job is not None
    assert job.task is Task.RECONCILE


def test_a_job_that_was_broken_off_comes_again_for_those_who_wait() -> None:
    agenda = Agenda(Clock())
    waiting = agenda.request(Task.RECONCILE, "now")
    agenda.schedule(Task.RECONCILE, 200)
    job = agenda.next(0)
    assert job is not None
    urgent = agenda.request(Task.URGENT, "first")
    assert agenda.is_asked_for(Task.URGENT)
    agenda.put_back(job)
    order = [agenda.next(0), agenda.next(0), agenda.next(0), agenda.next(0)]
    assert [(job.task, job.futures) if job else None for job in order] == [
        (Task.URGENT, (urgent,)),
        (Task.RECONCILE, (waiting,)),
        (Task.RECONCILE, ()),
        None,
    ]
    agenda.close()
    agenda.put_back(job)
    assert waiting.cancelled()


def test_waiting_ends_with_a_hint_from_another_thread() -> None:
    agenda = Agenda(time.monotonic)
    began = time.monotonic()
    threading.Timer(0.05, lambda: agenda.schedule(Task.RECONCILE, time.monotonic())).start()
    assert agenda.next(10) is not None
    assert time.monotonic() - began < 5


def test_closing_ends_every_wait() -> None:
    agenda = Agenda(time.monotonic)
    waiting = agenda.request(Task.SCAN)
    threading.Timer(0.05, agenda.close).start()
    assert agenda.next(10) is not None
    assert agenda.next(10) is None
    left = agenda.request(Task.SCAN)
    assert left.cancelled()
    assert not waiting.cancelled()
