"""Long work in slices: the same as at once."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan import Plan
from reconciler.slices import SLICE, contents, in_order, let_go, slices

FEW = st.lists(st.tuples(st.integers(0, 3), st.text(max_size=2)), max_size=6)
TIMES = st.sampled_from([1, SLICE // 3, SLICE])


@given(FEW, TIMES)
def test_in_order_is_sorted(few: list[tuple[int, str]], times: int) -> None:
    values = few * times
    assert in_order(values) == sorted(values)


@given(FEW, TIMES)
def test_equal_ones_keep_their_order(few: list[tuple[int, str]], times: int) -> None:
    values = list(enumerate(few * times))
    assert in_order(values, key=lambda one: one[1][0]) == sorted(values, key=lambda one: one[1][0])


@given(st.integers(0, 3 * SLICE), st.integers(1, SLICE))
def test_slices_are_all_of_it_in_order(number: int, size: int) -> None:
    found = list(slices(range(number), size))
    assert [value for one in found for value in one] == list(range(number))
    assert all(len(one) == size for one in found[:-1])
    assert all(found)


class Value:
    """What can be seen to be freed."""


HOLDERS = {
    "a tuple": tuple,
    "a dictionary": lambda values: dict(enumerate(values)),
    "a struct": lambda values: Plan(None, "head", values),
    "a nested one": lambda values: [{"first": (Plan(None, "head", values),)}],
    "a method": lambda values: Plan(None, "head", values).count,
    "a closure": lambda values: lambda: values,
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_contents_outlive_what_held_them_until_they_are_let_go(holder: str) -> None:
    values = tuple(Value() for _ in range(3 * SLICE + 1))
    alive = weakref.WeakSet(values)
    root = HOLDERS[holder](values)
    left = contents(root)
    del values, root
    assert len(alive) == 3 * SLICE + 1
    let_go(left)
    assert not left
    assert not alive


@given(st.integers(0, 3 * SLICE))
def test_what_somebody_else_holds_stays(number: int) -> None:
    values = [Value() for _ in range(number)]
    alive = weakref.WeakSet(values)
    let_go(list(values))
    assert len(alive) == number


def test_small_collections_are_not_held() -> None:
    assert contents(tuple(Value() for _ in range(SLICE))) == []
