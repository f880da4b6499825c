"""How often a client may ask: the buckets as properties, and the door over HTTP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.web.auth import Buckets, Limits, Rate, client_key
from reconciler.web.http import HttpError

RATES = st.builds(Rate, st.sampled_from([0.5, 1.0, 10.0, 200.0]), st.integers(1, 20))
STEPS = st.lists(st.floats(0, 3), min_size=1, max_size=80)


class Naive:
    """A token bucket as books have it: so many tokens, which come back at a rate."""

    def __init__(self, rate: Rate) -> None:
        self.rate, self.tokens, self.at = rate, float(rate.burst), 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(self.rate.burst, self.tokens + (now - self.at) * self.rate.per_second)
        self.at = now
        if self.tokens < 1 - 1e-6:
            return False
        self.tokens -= 1
        return True


@given(RATES, STEPS)
def test_it_is_a_token_bucket(rate: Rate, steps: list[float]) -> None:
    buckets, naive, now = Buckets(rate), Naive(rate), 0.0
    for step in steps:
        now += step
        allowed = buckets.wait("a", now) == 0
        assert allowed == naive.take(now)
        if allowed:
            buckets.take("a", now)


@given(RATES, STEPS)
def test_whoever_waits_as_told_may_go_on(rate: Rate, steps: list[float]) -> None:
    buckets, now = Buckets(rate), 0.0
    for step in steps:
        now += buckets.wait("a", now)
        assert buckets.wait("a", now) == 0
        buckets.take("a", now)
        now += step / 100


@given(RATES, st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 1)), max_size=80))
def test_clients_do_not_hinder_each_other(rate: Rate, asked: list[tuple[str, float]]) -> None:
    together, alone, now = Buckets(rate), {name: Buckets(rate) for name in "abcdef"}, 0.0
    for name, step in asked:
        now += step
        assert together.wait(name, now) == alone[name].wait(name, now)
        together.take(name, now)
        alone[name].take(name, now)


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1)), max_size=200))
def test_memory_is_bounded(asked: list[tuple[int, float]]) -> None:
    buckets, now = Buckets(Rate(0.1, 3), most=20), 0.0
    for number, step in asked:
        now += step
        buckets.take(str(number), now)
        assert len(buckets) <= 20


def test_a_full_bucket_is_forgotten() -> None:
    buckets = Buckets(Rate(1.0, 5))
    for number in range(100):
        buckets.take(str(number), 0.0)
    assert len(buckets) == 100
    buckets.take("late", 2.0)
    assert len(buckets) == 1


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (None, ""),
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_client_is_an_address_or_its_network(address: str | None, client: str) -> None:
    assert client_key(address) == client


def test_the_door_counts_requests_and_wrong_tokens_apart() -> None:
    now = [0.0]
    limits = Limits(Rate(10.0, 3), Rate(0.1, 1), lambda: now[0])
    limits.failed("a")
    with pytest.raises(HttpError, match="were wrong") as caught:
        limits.admit("a", with_token=True)
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "10"})
    limits.admit("a", with_token=False)
    limits.admit("b", with_token=True)
    limits.admit("a", with_token=False)
    with pytest.raises(HttpError, match="more often") as caught:
        limits.admit("a", with_token=False)
    assert caught.value.headers == {"retry-after": "1"}
    now[0] = 0.1
    limits.admit("a", with_token=False)
    now[0] = 10.0
    limits.admit("a", with_token=True)
