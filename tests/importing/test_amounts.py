"""Numbers and dates as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.importing.amounts import read_amount, read_dates


@pytest.mark.parametrize(
    ("text", "values", "unit"),
    [
        ("7", {"": "7"}, ""),
        ("6,5", {",": "6.5"}, ""),
        ("7.50", {".": "7.5"}, ""),
        ("$7.00", {".": "7"}, ""),
        ("7 USD", {"": "7"}, ""),
        ("0.5 %", {".": "0.5"}, "%"),
        ("1.000,50", {",": "1000.5"}, ""),
        ("1,000.50", {".": "1000.5"}, ""),
        ("1 000,5", {",": "1000.5"}, ""),
        ("1\u00a0000", {"": "1000"}, ""),
        ("1'000.5", {".": "1000.5"}, ""),
        ("1.234.567", {",": "1234567"}, ""),
        ("1.234", {".": "1.234", ",": "1234"}, ""),
        ("1,234", {",": "1.234", ".": "1234"}, ""),
        ("12,345 lots", {",": "12.345", ".": "12345"}, "lots"),
        ("0.125", {".": "0.125"}, ""),
        ("0,125", {",": "0.125"}, ""),
        ("1234.567", {".": "1234.567"}, ""),
        (".5", {".": "0.5"}, ""),
        ("(5)", {"": "-5"}, ""),
        ("\u22123", {"": "-3"}, ""),
        ("5E-3", {"": "0.005"}, ""),
        ("1:30", {"": "30"}, ""),
        ("30:1", {"": "30"}, ""),
        ("1/100", {"": "100"}, ""),
    ],
)
def test_an_amount_is_all_that_it_may_be(text: str, values: dict[str, str], unit: str) -> None:
    amount = read_amount(text)
    assert amount is not None
    assert (amount.values, amount.unit) == ({sign: Decimal(value) for sign, value in values.items()}, unit)


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "1,2,3", "1..2", "-", "%", "2:30", "1,23,456.7.8", "9" * 100])
def test_no_amount(text: str) -> None:
    assert read_amount(text) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9))
def test_every_way_of_writing_an_amount_is_that_amount(number: Decimal) -> None:
    plain = f"{number:,.2f}"
    swapped = plain.translate(str.maketrans(",.", ".,"))
    for text in (plain, swapped, plain.replace(",", " "), plain.replace(",", "'"), plain.replace(",", "")):
        amount = read_amount(text)
        assert amount is not None
        assert set(amount.values.values()) == {number}


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2026-04-03", {"": "2026-04-03"}),
        ("3.4.2026", {"": "2026-04-03"}),
        ("03/04/2026", {"day-first": "2026-04-03", "month-first": "2026-03-04"}),
        ("13/04/2026", {"day-first": "2026-04-13"}),
        ("04/13/26", {"month-first": "2026-04-13"}),
        ("05-05-2026", {"": "2026-05-05"}),
        ("31/02/2026", {}),
        ("soon", {}),
    ],
)
def test_a_date_is_all_that_it_may_be(text: str, dates: dict[str, str]) -> None:
    assert {order: day.isoformat() for order, day in read_dates(text).items()} == dates
