"""Numbers and dates as people write them in spreadsheets: each text with all that it may mean.

1.234 is a thousand to some and a fraction to others, 03/04/2026 is in March or in April. Nothing here decides: what a
text means under each convention is told, and whoever knows the whole column chooses.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

from msgspec import Struct

POINT, COMMA = ".", ","
DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
MAX_LENGTH = 60
"""Characters of an amount; what is longer is none."""

_MONEY = re.compile(r"[$€£¥₣₹]|\b(?:USD|EUR|GBP|CHF|JPY|AUD|CAD|NZD|SGD|HKD|PLN|CZK|SEK|NOK|DKK|ZAR)\b", re.IGNORECASE)
_PARTS = re.compile(
    r"([-+\u2212]?)\s*((?:\d[\d.,' \u00a0\u202f\u2009\u2019]*|[.,]\d+)(?:[eE][-+]?\d{1,3})?)\s*(.*)", re.DOTALL
)
_SPACED = re.compile(r"(?<=\d)[ '\u2019\u00a0\u202f\u2009](?=\d{3}(?!\d))")
_RATIO = re.compile(r"1\s*[:/]\s*([0-9.,' ]+)|([0-9.,' ]+)\s*:\s*1")
_PLAIN = re.compile(r"\d+(?:[eE][-+]?\d{1,3})?")
_ONE = re.compile(r"(\d*)([.,])(\d*)((?:[eE][-+]?\d{1,3})?)")
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_BOTH = re.compile(r"\d{1,3}(?:([.,])\d{3})+(?!\1)([.,])\d*")
GROUP = 3
"""Digits of a group of thousands."""


class Amount(Struct, frozen=True):
    """The values that a text may have: by the decimal sign, or under an empty one where that does not matter.

    `unit` is what stands behind the number, in lower case: `%`, `lots`, or nothing. `is_money`: a sign of money
    stands with it.
    """

    values: dict[str, Decimal]
    unit: str = ""
    is_ratio: bool = False
    is_money: bool = False

    @property
    def is_ambiguous(self) -> bool:
        return len(self.values) > 1

    @property
    def sign(self) -> str:
        """The decimal sign that this text is a proof of; empty when it is none."""
        return next(iter(self.values)) if len(self.values) == 1 else ""


def read_amount(text: str) -> Amount | None:
    """The number in a text, such as `6,5`, `$7.00`, `1.000,50`, `0.5 %`, `1:30` or `2 lots`; None when it is none."""
    if len(text) > MAX_LENGTH:
        return None
    bare = _MONEY.sub(" ", text).strip()
    is_money = _MONEY.search(text) is not None
    ratio = _RATIO.fullmatch(bare)
    if ratio:
        inner = read_amount(ratio[1] or ratio[2])
        return Amount(inner.values, "", is_ratio=True, is_money=is_money) if inner and not inner.unit else None
    if bare.startswith("(") and bare.endswith(")"):
        bare = f"-{bare[1:-1].strip()}"
    parts = _PARTS.fullmatch(bare)
    if parts is None or any(letter.isdigit() for letter in parts[3]):
        return None
    minus, digits, unit = parts.groups()
    values = _read_digits(_SPACED.sub("", digits.strip()))
    factor = -1 if minus in {"-", "\u2212"} else 1
    if not values:
        return None
    signed = {sign: value * factor for sign, value in values.items()}
    return Amount(signed, unit.strip().lower(), is_money=is_money)


def _read_digits(digits: str) -> dict[str, Decimal]:
    if _PLAIN.fullmatch(digits):
        return {"": Decimal(digits)}
    one = _ONE.fullmatch(digits)
    if one:
        whole, sign, fraction, exponent = one.groups()
        value = {sign: Decimal(f"{whole or 0}.{fraction or 0}{exponent}")}
        if len(fraction) == GROUP and whole.strip("0") and not whole.startswith("0") and not exponent:
            is_group = len(whole) <= GROUP
            return value | ({_other(sign): Decimal(whole + fraction)} if is_group else {})
        return value
    grouped = _GROUPED.fullmatch(digits)
    if grouped:
        return {_other(grouped[1]): Decimal(digits.replace(grouped[1], ""))}
    both = _BOTH.fullmatch(digits)
    if both and both[1] != both[2]:
        whole, _, fraction = digits.rpartition(both[2])
        return {both[2]: Decimal(f"{whole.replace(both[1], '')}.{fraction or 0}")}
    return {}


def _other(sign: str) -> str:
    return COMMA if sign == POINT else POINT


_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?:[T ].*)?")
CENTURY = 2000
SERIAL_START = date(1899, 12, 30)
"""Day 0 of the dates that spreadsheets count (their day 60 is one that there was not)."""
SERIALS = range(20_000, 80_000)
"""Numbers that are dates of 1954 to 2119."""


def read_dates(text: str) -> dict[str, date]:
    """What a text may mean as a date, by the order of day and month; under an empty one where that does not matter."""
    first = _YEAR_FIRST.fullmatch(text)
    if first:
        return _dates({"": (first[1], first[2], first[3])})
    last = _YEAR_LAST.fullmatch(text)
    if not last:
        return {}
    one, sign, two, year = last.groups()
    if sign == ".":  # nobody writes the month first with points
        return _dates({"": (year, two, one)})
    found = _dates({DAY_FIRST: (year, two, one), MONTH_FIRST: (year, one, two)})
    return {"": found[DAY_FIRST]} if len(found) > 1 and len(set(found.values())) == 1 else found


def _dates(orders: dict[str, tuple[str, str, str]]) -> dict[str, date]:
    found: dict[str, date] = {}
    for order, (year, month, day) in orders.items():
        whole = int(year) if len(year) > 2 else CENTURY + int(year)  # noqa: PLR2004 - digits of a short year
        try:
            found[order] = date(whole, int(month), int(day))
        except ValueError:
            continue
    return found


def read_serial(number: float) -> datetime | None:
    """The moment that a spreadsheet counts with a number of days; None for a number that is no date of our time."""
    if int(number) not in SERIALS:
        return None
    start = datetime(SERIAL_START.year, SERIAL_START.month, SERIAL_START.day)  # noqa: DTZ001 - spreadsheets have no zones
    return start + timedelta(days=number)
