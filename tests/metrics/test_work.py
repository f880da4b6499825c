"""Counters of what happened: each thing once, and ages by a clock that does not jump."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from reconciler.daemon.metrics import exposition
from reconciler.metrics import Outcome
from tests.support.figures import Figures, figures
from tests.support.standings import Ticks, meter

if TYPE_CHECKING:
    from reconciler.metrics import Meter

PER_RECONCILE = 50e-6
"""Seconds that counting may cost a reconcile."""


def told(one: Meter) -> Figures:
    return figures(exposition(one, (), "")[1].decode())


def test_all_that_may_be_counted_is_there_from_the_beginning() -> None:
    """A counter that appears with its first 1 has risen by nothing, says Prometheus."""
    seen = told(meter())
    assert {one["outcome"] for one in seen.having("reconciler_commits_total")} == {"applied", "refused"}
    assert {one["op"] for one in seen.having("reconciler_changes_total")} == {"create", "update", "delete"}
    assert len(seen.having("reconciler_reconcile_duration_seconds_count")) == 5
    assert len(seen.having("reconciler_webhooks_total")) == 6
    assert seen("reconciler_drift_found_total") == 0


def test_a_refused_head_counts_once_however_often_it_is_looked_at() -> None:
    one = meter()
    for commit in ("a", "a", "b", "b", "b", "a"):
        one.work.refused(commit)
    assert told(one)("reconciler_commits_total", outcome="refused") == 3


def test_a_step_counts_its_changes_and_its_time() -> None:
    one = meter()
    one.work.applied(0.02, {"create": 3, "update": 0, "delete": 2})
    one.work.applied(2.0, {"create": 1, "update": 0, "delete": 0})
    seen = told(one)
    assert seen("reconciler_commits_total", outcome="applied") == 2
    assert [seen("reconciler_changes_total", op=op) for op in ("create", "update", "delete")] == [4, 0, 2]
    assert seen("reconciler_apply_duration_seconds_bucket", le="0.025") == 1
    assert seen("reconciler_apply_duration_seconds_sum") == pytest.approx(2.02)


def test_the_time_in_step_goes_on_from_the_last_moment_in_step() -> None:
    clock = Ticks()
    one = meter(clock)
    clock.now += 30
    assert one.work.since_in_sync() == 30
    one.work.in_sync()
    clock.now += 5
    assert one.work.since_in_sync() == 5


def test_two_daemons_of_one_process_do_not_mix() -> None:
    one, other = meter(), meter()
    one.drifting.scanned(4, 4)
    one.work.reconciled(0.1, Outcome.APPLIED)
    assert told(other)("reconciler_drift_found_total") == 0
    assert told(other)("reconciler_reconcile_duration_seconds_count", outcome="applied") == 0


def test_counting_costs_a_reconcile_next_to_nothing() -> None:
    work, times = meter().work, 2_000
    began = time.thread_time()
    for number in range(times):
        work.fetched(0.01, Outcome.DONE)
        work.reconciled(0.01, Outcome.APPLIED)
        work.judged(0.01)
        work.applied(0.01, {"create": 1, "update": 2, "delete": 3})
        work.refused(str(number))
        work.in_sync()
    assert (time.thread_time() - began) / times < PER_RECONCILE
