"""Drift, shipping and backups: what is counted when."""

from __future__ import annotations

from reconciler.metrics import Outcome
from tests.metrics.test_work import told
from tests.support.standings import Ticks, meter


def test_drift_that_is_left_counts_as_found_once() -> None:
    one = meter()
    for _ in range(3):
        one.drifting.scanned(2, 0)
    one.drifting.scanned(5, 0)
    one.drifting.scanned(0, 0)
    one.drifting.scanned(1, 0)
    seen = told(one)
    assert (seen("reconciler_drift_found_total"), seen("reconciler_drift_healed_total")) == (6, 0)


def test_drift_that_is_healed_and_comes_back_counts_again() -> None:
    one = meter()
    for _ in range(3):
        one.drifting.scanned(2, 2)
    seen = told(one)
    assert (seen("reconciler_drift_found_total"), seen("reconciler_drift_healed_total")) == (6, 6)


def test_a_fight_counts_when_it_begins() -> None:
    one = meter()
    one.drifting.scanned(1, 0, ("Widget w1",))
    one.drifting.scanned(2, 0, ("Widget w1", "Widget w2"))
    one.drifting.scanned(1, 0, ("Widget w2",))
    one.drifting.scanned(1, 0, ("Widget w1",))
    assert told(one)("reconciler_drift_fights_total") == 3


def test_attempts_with_nothing_to_ship_take_no_time() -> None:
    one = meter()
    one.shipping.attempted(0.001, 0, Outcome.DONE, complete=True)
    one.shipping.attempted(0.5, 12, Outcome.DONE, complete=True)
    one.shipping.attempted(0.5, 3, Outcome.FAILED, complete=False)
    seen = told(one)
    assert seen("reconciler_ship_duration_seconds_count", outcome="done") == 1
    assert seen("reconciler_ship_duration_seconds_count", outcome="failed") == 1
    assert seen("reconciler_versions_shipped_total") == 15


def test_the_history_lags_from_the_last_moment_at_which_it_lacked_nothing() -> None:
    clock = Ticks()
    shipping = meter(clock).shipping
    clock.now += 7
    shipping.attempted(0.1, 1, Outcome.DONE, complete=True)
    clock.now += 20
    shipping.attempted(0.1, 1, Outcome.FAILED, complete=False)
    shipping.attempted(0.1, 1, Outcome.DONE, complete=False)
    assert shipping.since_complete() == 20


def test_a_backup_ages_from_when_it_was_made() -> None:
    clock = Ticks()
    backups = meter(clock).backing_up
    assert backups.age() is None
    backups.made(500.0)
    clock.now += 10
    assert backups.age() == 510
    backups.attempted(1.0, Outcome.FAILED)
    assert backups.age() == 510
    backups.attempted(1.0, Outcome.DONE)
    assert backups.age() == 0


def test_a_backup_from_the_future_is_of_now() -> None:
    """The clock was put back since."""
    backups = meter().backing_up
    backups.made(-86_400.0)
    age = backups.age()
    assert age is not None
    assert 0 <= age < 5
