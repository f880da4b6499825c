"""Numbers and dates as people write them in spreadsheets: each text with all that it may mean.

1.234 is a thousand to some and a fraction to others, 03/04/2026 is in March or in April. Nothing here decides: what a
text means under each convention is told, and whoever knows the whole column chooses.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
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


_TIME = r"(?:[T ,]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,6}))?)?"
_TIME += r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[-+]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4}|\d{2})" + _TIME)
CENTURY = 2000
LAST_SHORT = 49
"""The last year that two digits stand for, as in spreadsheet programs: 99 may be 1999."""
SHORT_YEARS = range(20, 32)
"""Two digits that may be a year of ours, and a day as well."""
SERIAL_START = date(1899, 12, 30)
"""Day 0 of the dates that spreadsheets count (their day 60 is one that there was not)."""
DATES = range(1954, 2120)
"""Years of the dates that a bare number may count."""
NOON = 12
SECOND = 1_000
"""In milliseconds; a day's fraction is not good for more."""
DAY = 86_400 * SECOND


def read_dates(text: str) -> dict[str, date]:
    """What a text may mean as a date, by the order of day and month; under an empty one where that does not matter.

    Where the text has a time they are datetimes, in the zone that it has, if any.
    """
    first = _YEAR_FIRST.fullmatch(text)
    if first:
        return _dates({"": (first[1], first[3], first[4])}, first)
    last = _YEAR_LAST.fullmatch(text)
    if not last:
        return {}
    one, sign, two, year = last.group(1, 2, 3, 4)
    if sign == ".":  # nobody writes the month first with points
        return _dates({"": (year, two, one)}, last)
    if len(year) == len("26") and int(one) in SHORT_YEARS and _dates({"": (one, two, year)}, last):
        return {}  # 26-04-30 may begin with its year
    found = _dates({DAY_FIRST: (year, two, one), MONTH_FIRST: (year, one, two)}, last)
    return {"": found[DAY_FIRST]} if len(found) > 1 and len(set(found.values())) == 1 else found


def _dates(orders: dict[str, tuple[str, str, str]], match: re.Match[str]) -> dict[str, date]:
    found: dict[str, date] = {}
    for order, (year, month, day) in orders.items():
        is_short = len(year) == len("26")
        if is_short and int(year) > LAST_SHORT:
            continue
        try:
            found[order] = _with_time(date(CENTURY * is_short + int(year), int(month), int(day)), match)
        except ValueError:
            continue
    return found


def _with_time(day: date, match: re.Match[str]) -> date:
    """The day with the time that stands behind it, if there is one. Raises `ValueError` for a time that is none."""
    if match["hour"] is None:
        return day
    hour, half = int(match["hour"]), (match["half"] or "")[:1].lower()
    if half and not 1 <= hour <= NOON:
        raise ValueError(hour)
    hour = hour % NOON + NOON * (half == "p") if half else hour
    micro = int((match["fraction"] or "0").ljust(6, "0"))
    naive = datetime.combine(day, time(hour, int(match["minute"]), int(match["second"] or 0), micro))
    zone = match["zone"]
    if not zone:
        return naive
    return naive.replace(tzinfo=UTC if zone.isalpha() else datetime.strptime(zone, "%z").tzinfo)


def read_serial(number: float, day_zero: date = SERIAL_START) -> datetime | None:
    """The moment that a spreadsheet counts with a number of days; None for a number that is no date of our time."""
    start = datetime.combine(day_zero, time())
    try:
        moment = start + timedelta(milliseconds=round(number * DAY))
    except (OverflowError, ValueError):
        return None
    return moment if moment.year in DATES else None
