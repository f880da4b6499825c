"""Times and spans of time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

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
