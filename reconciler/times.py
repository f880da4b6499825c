"""Times and spans of time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from reconciler.errors import UsageError

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
SPAN = re.compile(r"(?:\d{1,6}[dhms])+", re.IGNORECASE | re.ASCII)
PART = re.compile(r"(\d+)([dhms])", re.IGNORECASE | re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
SPAN_HINT = (
    "write a span such as 30m, 2h or 1d12h, or a moment with its zone: 2026-11-23T08:00Z, 2026-11-23 08:00+01:00"
)
TIME_HINT = "write a date (UTC) or a moment with its zone: 2026-11-23, 2026-11-23T08:00Z, 2026-11-23 08:00+01:00"


def is_time(text: str) -> bool:
    """Whether a text is meant as a time: it begins with a date, which no sha does."""
    return DATE.match(text) is not None


def parse_time(text: str, *, end_of_day: bool = False) -> datetime:
    """A time (aware, UTC) from RFC 3339 or any other form of ISO 8601 with date, time and zone.

    A date alone stands for its first moment, with `end_of_day` for the first one after it. Raises `UsageError`.
    """
    try:
        parsed = datetime.fromisoformat(text)
        if DATE.fullmatch(text):
            return parsed.replace(tzinfo=UTC) + timedelta(days=end_of_day)
        if parsed.tzinfo is None:
            raise UsageError(f"{text} could be meant in any time zone", hint=TIME_HINT)
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no moment", hint=TIME_HINT) from error


def parse_until(text: str, now: datetime) -> datetime:
    """The moment (UTC) that a span from now or a moment with its zone stands for.

    Raises `UsageError` for anything else, for a moment without a zone, and for one that has passed.
    """
    stripped = text.strip()
    span = parse_span(stripped)
    try:
        until = now + span if span is not None else datetime.fromisoformat(stripped)
        if until.tzinfo is None:
            raise UsageError(f"{stripped} could be meant in any time zone", hint=SPAN_HINT)
        until = until.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{stripped!r} is neither a span nor a moment", hint=SPAN_HINT) from error
    if until <= now:
        raise UsageError(f"{stripped} has passed: here it is {now.astimezone(UTC):%Y-%m-%dT%H:%MZ}", hint=SPAN_HINT)
    return until


def format_span(seconds: float) -> str:
    """A span of time in words, to its largest unit: `26 min`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def parse_span(words: str) -> timedelta | None:
    """A span such as `30m` or `1d12h`; None for anything else."""
    if not SPAN.fullmatch(words):
        return None
    try:
        return sum((timedelta(**{UNITS[unit.lower()]: int(many)}) for many, unit in PART.findall(words)), timedelta())
    except OverflowError:
        return None


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HOURS_COUNTED = 12
"""Hours up to which a time is told by how long ago it is; people say the day of what is longer ago."""


def format_moment(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """A moment as people say it: `2h ago`, `in 5m`, `yesterday 13:30`, `Friday 13:30`, `3 Oct 13:30`, `3 Oct 2024`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < HOURS_COUNTED * 3_600:
        return _format_distance(seconds)
    here = moment.astimezone(zone)
    return _format_day(here, now.astimezone(zone)) + (f" {here:%H:%M}" if _is_near(here, now.astimezone(zone)) else "")


def format_moment_in_full(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """The same with the time of day and the zone, for what matters: `Friday 13:30 Europe/London`.

    Of what is near the distance is told too: `today 13:30 Europe/London, 2h ago`.
    """
    here = moment.astimezone(zone)
    seconds = (now - moment).total_seconds()
    near = f", {_format_distance(seconds)}" if abs(seconds) < HOURS_COUNTED * 3_600 else ""
    return f"{_format_day(here, now.astimezone(zone))} {here:%H:%M} {zone_name(here)}{near}"


def zone_name(moment: datetime) -> str:
    """The zone of an aware time: its name in the time zone database, else its abbreviation or offset."""
    return getattr(moment.tzinfo, "key", None) or moment.tzname() or f"{moment:%z}"


def _format_distance(seconds: float) -> str:
    """How long ago something is, or in how long it will be."""
    for size, unit in ((3_600, "h"), (60, "m")):
        if abs(seconds) >= size:
            number = f"{abs(seconds) // size:.0f}{unit}"
            return f"{number} ago" if seconds > 0 else f"in {number}"
    return "just now" if seconds > -1 else f"in {-seconds:.0f}s"


def _format_day(here: datetime, today: datetime) -> str:
    days = (today.date() - here.date()).days
    if abs(days) <= 1:
        return ("tomorrow", "today", "yesterday")[days + 1]
    if abs(days) < len(DAYS):
        return DAYS[here.weekday()]
    day = f"{here.day} {MONTHS[here.month - 1]}"
    return day if here.year == today.year else f"{day} {here.year}"


def _is_near(here: datetime, today: datetime) -> bool:
    """Whether the time of day still says something."""
    return here.year == today.year or abs((today.date() - here.date()).days) < len(DAYS)
