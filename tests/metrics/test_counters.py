"""Counters of what happened: each thing once, and ages by a clock that does not jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.daemon.metrics import exposition
from reconciler.metrics import Outcome, timed
from tests.support.figures import Figures, figures
from tests.support.standings import Ticks, metrics

if TYPE_CHECKING:
    from reconciler.metrics import Metrics


def told(one: Metrics) -> Figures:
    return figures(exposition(one, (), "")[1].decode())


def test_all_that_may_be_counted_is_there_from_the_beginning() -> None:
    """A counter that appears with its first 1 has risen by nothing, says Prometheus."""
    seen = told(metrics())
    assert {one["outcome"] for one in seen.having("reconciler_commits_total")} == {"applied", "refused"}
    assert {one["op"] for one in seen.having("reconciler_changes_total")} == {"create", "update", "delete"}
    assert len(seen.having("reconciler_reconcile_duration_seconds_count")) == 5
    assert len(seen.having("reconciler_webhooks_total")) == 5
    assert seen("reconciler_drift_found_total") == 0


def test_a_refused_head_counts_once_however_often_it_is_looked_at() -> None:
    one = metrics()
    for commit in ("a", "a", "b", "b", "b", "a"):
        one.count_refused(commit)
    assert told(one)("reconciler_commits_total", outcome="refused") == 3


def test_an_age_goes_on_from_when_it_was_last_so() -> None:
    clock = Ticks()
    one = metrics(clock)
    clock.now += 30
    assert one.in_sync.seconds() == 30
    one.in_sync.reset()
    clock.now += 5
    assert one.in_sync.seconds() == 5


def test_two_daemons_of_one_process_do_not_mix() -> None:
    one, other = metrics(), metrics()
    one.drift.count(4, 4)
    one.reconciles[Outcome.APPLIED].observe(0.1)
    assert told(other)("reconciler_drift_found_total") == 0
    assert told(other)("reconciler_reconcile_duration_seconds_count", outcome="applied") == 0


def test_drift_that_is_left_counts_as_found_once() -> None:
    one = metrics()
    for _ in range(3):
        one.drift.count(2, 0)
    one.drift.count(5, 0)
    one.drift.count(0, 0)
    one.drift.count(1, 0)
    seen = told(one)
    assert (seen("reconciler_drift_found_total"), seen("reconciler_drift_healed_total")) == (6, 0)


def test_drift_that_is_healed_and_comes_back_counts_again() -> None:
    one = metrics()
    for _ in range(3):
        one.drift.count(2, 2)
    seen = told(one)
    assert (seen("reconciler_drift_found_total"), seen("reconciler_drift_healed_total")) == (6, 6)


def test_a_conflict_counts_when_it_begins() -> None:
    one = metrics()
    one.drift.count(1, 0, ("Widget w1",))
    one.drift.count(2, 0, ("Widget w1", "Widget w2"))
    one.drift.count(1, 0, ("Widget w2",))
    one.drift.count(1, 0, ("Widget w1",))
    assert told(one)("reconciler_drift_fights_total") == 3


def test_what_fails_is_timed_as_failed() -> None:
    one = metrics()
    with timed(one.backups):
        pass
    with pytest.raises(ZeroDivisionError), timed(one.backups):
        raise ZeroDivisionError
    seen = told(one)
    assert [seen("reconciler_backup_duration_seconds_count", outcome=word) for word in ("done", "failed")] == [1, 1]


def test_a_backup_ages_from_when_it_was_made() -> None:
    clock = Ticks()
    one = metrics(clock)
    assert one.backup is None
    one.set_backup_age(500.0)
    clock.now += 10
    assert one.backup.seconds() == 510
    one.set_backup_age()
    assert one.backup.seconds() == 0


def test_a_backup_from_the_future_is_of_now() -> None:
    """The clock was put back since."""
    one = metrics(Ticks())
    one.set_backup_age(-86_400.0)
    assert one.backup is not None
    assert one.backup.seconds() == 0
