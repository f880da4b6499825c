"""Waiting longer after each failure, never too long, and never all hosts at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.backoff import Backoff


def test_it_doubles_up_to_the_longest() -> None:
    backoff = Backoff(jitter=0)
    assert [backoff.next() for _ in range(8)] == [5, 10, 20, 40, 80, 160, 300, 300]


def test_it_begins_again() -> None:
    backoff = Backoff(first=2, longest=9, jitter=0)
    assert [backoff.next(), backoff.next(), backoff.next()] == [2, 4, 8]
    backoff.reset()
    assert [backoff.next(), backoff.next()] == [2, 4]


def test_hosts_spread_at_every_length() -> None:
    early, late = Backoff(random=lambda: 0.0), Backoff(random=lambda: 0.999)
    for _ in range(10):
        one, other = early.next(), late.next()
        assert one * 1.19 < other <= 300
    assert (one, round(other)) == (250, 300)


def test_months_of_failures_are_not_too_many() -> None:
    backoff = Backoff(jitter=0)
    for _ in range(5000):
        last = backoff.next()
    assert last == 300


@given(
    first=st.floats(0.01, 100),
    factor=st.floats(1, 1000),
    jitter=st.floats(0, 0.99),
    numbers=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40),
)
def test_it_stays_within_its_bounds(first: float, factor: float, jitter: float, numbers: list[float]) -> None:
    given_numbers = iter(numbers)
    backoff = Backoff(first, first * factor, jitter=jitter, random=lambda: next(given_numbers))
    waits = [backoff.next() for _ in numbers]
    assert all(first <= wait <= first * factor for wait in waits)


@pytest.mark.parametrize(("first", "longest", "jitter"), [(0, 5, 0), (-1, 5, 0), (6, 5, 0), (1, 5, 1), (1, 5, -0.1)])
def test_what_makes_no_sense_is_refused(first: float, longest: float, jitter: float) -> None:
    with pytest.raises(ValueError, match="no back-off"):
        Backoff(first, longest, jitter=jitter)
