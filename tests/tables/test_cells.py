"""Values of any SQL type as JSON has them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.rows import CutBy
from reconciler.tables.rows import take_fitting, to_json_cell


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        (30.0, 30),
        (0.1, 0.1),
        (-0.0, 0),
        (2**63, 2**63),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (Decimal("1.50"), 1.5),
        (Decimal("30"), 30),
        (Decimal("0.1"), 0.1),
        (Decimal("12345678901234567.89"), "12345678901234567.89"),
        (Decimal("NaN"), "NaN"),
        (datetime(2026, 11, 22, 15, 0, tzinfo=UTC).replace(tzinfo=None), "2026-11-22T15:00:00Z"),
        (datetime(2026, 11, 22, 15, 0, tzinfo=timezone(timedelta(hours=2))), "2026-11-22T13:00:00Z"),
        (datetime(2026, 11, 22, 15, 0, 0, 500_000, tzinfo=UTC), "2026-11-22T15:00:00.500000Z"),
        (date(2026, 11, 22), "2026-11-22"),
        (time(1, 2), "01:02:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\xff\x00", "ff00"),
        (IPv4Address("10.0.0.1"), "10.0.0.1"),
        ([1.0, None, "a"], [1, None, "a"]),
        ({date(2026, 1, 1): (1.0, Decimal("2.5"))}, {"2026-01-01": [1, 2.5]}),
    ],
)
def test_each_is_told_as_the_rest_of_the_program_would(value: Any, told: Any) -> None:
    found = to_json_cell(value)
    assert (found, type(found)) == (told, type(told))


@given(st.floats() | st.decimals() | st.dictionaries(st.floats(), st.lists(st.binary())))
def test_whatever_it_is_it_is_json(value: Any) -> None:
    json.dumps(to_json_cell(value), allow_nan=False)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=10**30, min_value=-(10**30)))
def test_no_decimal_loses_a_digit(value: Decimal) -> None:
    found = to_json_cell(value)
    assert isinstance(found, (int, float, str))
    assert Decimal(repr(found) if isinstance(found, float) else str(found)) == value


def test_as_many_rows_as_there_may_be_and_fit() -> None:
    rows = [(number, "x" * 10) for number in range(10)]
    assert take_fitting(rows, 10, 1_000_000) == (rows, None)
    assert take_fitting(rows, 9, 1_000_000) == (rows[:9], CutBy.ROWS)
    assert take_fitting(rows, 10, 50) == (rows[:2], CutBy.BYTES)
    assert take_fitting([], 1, 0) == ([], None)
