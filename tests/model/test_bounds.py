"""What several rules let stand at one place, and the one value to write there."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.bounds import ANY, Bounds, bounds_of_row, intersect

if TYPE_CHECKING:
    from reconciler.canonical import Value

LIMITS = st.one_of(st.none(), st.integers(-20, 20).map(str))
ROWS = st.builds(bounds_of_row, LIMITS, LIMITS, LIMITS)
HARD = Bounds(at_least=0.01, at_most=100)


@pytest.mark.parametrize(
    ("bounds", "written", "nearest"),
    [
        ((bounds_of_row("1.5", None, None), bounds_of_row("1.66", None, None)), 2.5, 1.5),
        ((bounds_of_row("1.5", None, None), HARD), 2.5, 1.5),
        ((bounds_of_row(None, "10", None),), 3, 10),
        ((bounds_of_row("5", None, None), bounds_of_row(None, "6", None)), 9, None),
        ((bounds_of_row("0.001", None, None), HARD), 1, None),
        ((bounds_of_row("1.66", None, None), Bounds(whole=True)), 9, 1),
        ((bounds_of_row("0.1", None, None), Bounds(at_least=1, whole=True)), 9, None),
        ((Bounds(above=0, at_most=100),), -1, None),
        ((Bounds(above=0, below=0),), 0, None),
        ((bounds_of_row("5", None, None),), 4, None),
        ((bounds_of_row("5", None, None),), "1:30", None),
        ((bounds_of_row("5", None, None),), True, None),
        ((bounds_of_row(None, None, "30"),), "1:30", 30),
        ((bounds_of_row(None, None, "BUY"), Bounds(words=("BUY", "SELL"))), "BOTH", "BUY"),
        ((Bounds(words=("BUY", "SELL")),), "BOTH", None),
        ((bounds_of_row(None, None, "BUY"), bounds_of_row(None, None, "SELL")), "BOTH", None),
        ((bounds_of_row("many", "few", None),), 5, None),
        ((bounds_of_row("0.30000000000000004", None, None),), 5, 0.3),
        ((bounds_of_row("inf", "nan", None),), 5, None),
        ((bounds_of_row("1.6666666666666667", None, None),), 5, 1.666666666),
        ((bounds_of_row(None, "3.3333333333333335", None),), 1, 3.333333334),
        ((bounds_of_row("2.0999999999999996", None, None),), 5, 2.1),
        ((bounds_of_row("1.66", None, None), Bounds(multiple_of=0.05)), 5, 1.65),
        ((bounds_of_row(None, "1.66", None), Bounds(multiple_of=0.05)), 1, 1.7),
        ((bounds_of_row("1.68", "1.66", None), Bounds(multiple_of=0.05)), 5, None),
        ((bounds_of_row("10", None, None), Bounds(multiple_of=2.5, whole=True)), 12, 10),
        ((bounds_of_row("9", None, None), Bounds(multiple_of=2.5, whole=True)), 12, 5),
        ((Bounds(below=5, multiple_of=0.5),), 9, 4.5),
        ((Bounds(below=5, whole=True),), 9, 4),
        ((Bounds(above=0, whole=True),), -3, 1),
        ((Bounds(at_most=1.0, multiple_of=0.1), Bounds(at_least=0.3)), 0.33, 0.3),
    ],
)
def test_the_one_value_satisfies_all(bounds: tuple[Bounds, ...], written: Value, nearest: Value) -> None:
    assert intersect(bounds).nearest(written) == nearest


@given(st.lists(ROWS, max_size=4), st.integers(-30, 30))
def test_what_is_written_instead_is_within_all_of_them_and_nothing_is_nearer(rows: list[Bounds], written: int) -> None:
    both = intersect(rows)
    found = both.nearest(written)
    assert both.is_empty == (both.low > both.high)
    fitting = [value for value in range(-40, 41) if all(one.low <= value <= one.high for one in rows)]
    if found is None:
        assert both.is_empty or written in fitting
    else:
        assert found in fitting
        assert abs(found - written) == min(abs(value - written) for value in fitting)


def test_rules_that_say_nothing_bound_nothing() -> None:
    assert intersect(()) == bounds_of_row(None, None, None) == ANY == Bounds(-inf, inf)
