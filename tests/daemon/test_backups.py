"""Backups are kept by age and count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.backups import DAYS, HOURS, NEWEST, superfluous

NOW = datetime(2026, 11, 22, 15, 31, 40, tzinfo=UTC)
moments = st.sets(st.integers(-100_000, 3_000_000).map(lambda seconds: NOW - timedelta(seconds=seconds)), max_size=200)


@pytest.mark.parametrize("interval", [60, 3600, 86_400, 604_800])
def test_months_of_backups_stay_few_and_reach_back(interval: int) -> None:
    kept: set[datetime] = set()
    for number in range(6_000 if interval == 60 else 500):
        now = NOW + timedelta(seconds=number * interval)
        kept |= {now}
        kept -= superfluous(kept, now)
        assert len(kept) <= 48
    ages = sorted(now - at for at in kept)
    assert len(kept) >= NEWEST
    assert ages[0] == timedelta(0)
    assert ages[-1] >= min(timedelta(days=3), (number - 1) * timedelta(seconds=interval))


def test_the_last_of_each_hour_and_of_each_day() -> None:
    made = [NOW - timedelta(minutes=minutes) for minutes in range(0, 3 * 24 * 60, 10)]
    kept = sorted(set(made) - superfluous(made, NOW), reverse=True)
    assert kept[:NEWEST] == made[:NEWEST]
    assert {at.minute for at in kept[NEWEST:]} == {51}
    assert [at.strftime("%d %H:%M") for at in kept[-3:]] == ["21 15:51", "20 23:51", "19 23:51"]


def test_a_backup_of_long_ago_stays_until_there_are_enough_of_other_days() -> None:
    old = NOW - timedelta(days=400)
    assert superfluous({old}, NOW) == frozenset()
    assert superfluous({old, *(NOW - timedelta(minutes=one) for one in range(8))}, NOW) == frozenset()
    assert superfluous({old, *(NOW - timedelta(days=one) for one in range(DAYS))}, NOW) == frozenset()
    days = {NOW - timedelta(days=one) for one in range(HOURS)}
    assert superfluous({old} | days, NOW) == {old}


def test_a_clock_that_jumps_ahead_costs_no_more_than_what_is_made_meanwhile() -> None:
    made = {NOW - timedelta(hours=hours) for hours in range(24 * 14)}
    made -= superfluous(made, NOW)
    ahead = NOW + timedelta(days=365)
    assert len(superfluous(made | {ahead}, ahead)) <= 2


def test_a_clock_that_was_put_back_costs_nothing() -> None:
    future = {NOW + timedelta(days=30, seconds=second) for second in range(60)}
    assert superfluous(future | {NOW}, NOW) == frozenset()
    assert len(superfluous(future | {NOW}, NOW + timedelta(days=31))) > 40


@given(moments)
def test_never_too_many_and_never_the_newest(made: set[datetime]) -> None:
    gone = superfluous(made, NOW)
    past = sorted(at for at in made if at <= NOW)
    kept = set(past) - gone
    assert gone <= set(past)
    assert len(kept) <= 48
    assert set(past[-NEWEST:]) <= kept
    assert superfluous(made - gone, NOW) == frozenset()
    assert sorted({at.date() for at in past})[-DAYS:] == sorted({at.date() for at in kept})[-DAYS:]
