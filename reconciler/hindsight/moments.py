"""Moments in the past as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from reconciler.errors import UsageError

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
HINT = "write a date (UTC) or a moment with its zone: 2026-11-23, 2026-11-23T08:00Z, 2026-11-23 08:00+01:00"


def is_moment(text: str) -> bool:
    """Whether it is meant as a moment: it begins with a date, which no sha does."""
    return DATE.match(text) is not None


def moment(text: str, *, end_of_day: bool = False) -> datetime:
    """The moment (aware, UTC) that is meant; of a date alone its first, or with `end_of_day` the first after it.

    RFC 3339, and what else of ISO 8601 has date, time and zone. Raises `UsageError` for anything else.
    """
    try:
        found = datetime.fromisoformat(text)
        if DATE.fullmatch(text):
            return found.replace(tzinfo=UTC) + timedelta(days=end_of_day)
        if found.tzinfo is None:
            raise UsageError(f"{text} could be meant in any time zone", hint=HINT)
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no moment", hint=HINT) from error
