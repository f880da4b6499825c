"""Long work in slices: the same as at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.slices import SLICE, in_order, slices

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
