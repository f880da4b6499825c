"""A pause of automatic reconciling: why, who asked for it, since when and until when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.canonical import Value

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
SPAN = re.compile(r"(?:\d{1,6}[dhms])+", re.IGNORECASE | re.ASCII)
PART = re.compile(r"(\d+)([dhms])", re.IGNORECASE | re.ASCII)
HINT = "write a span such as 30m, 2h or 1d12h, or a moment with its zone: 2026-11-23T08:00Z, 2026-11-23 08:00+01:00"


@dataclass(frozen=True, slots=True)
class Suspension:
    """`since` and `until` are aware, in UTC; `until` None lasts until somebody resumes."""

    reason: str
    actor: str
    since: datetime
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until

    def detail(self) -> dict[str, Value]:
        """What a host event says about it."""
        until = canonical.timestamp(self.until) if self.until else None
        return {"reason": self.reason, "actor": self.actor, "since": canonical.timestamp(self.since), "until": until}


def parse_until(text: str, now: datetime) -> datetime:
    """The moment (UTC) that a span from now or a moment with its zone stands for.

    Raises `UsageError` for anything else, for a moment without a zone, and for one that has passed.
    """
    words = text.strip()
    span = parse_span(words)
    try:
        until = now + span if span is not None else datetime.fromisoformat(words)
        if until.tzinfo is None:
            raise UsageError(f"{words} could be meant in any time zone", hint=HINT)
        until = until.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{words!r} is neither a span nor a moment", hint=HINT) from error
    if until <= now:
        raise UsageError(f"{words} has passed: here it is {now.astimezone(UTC):%Y-%m-%dT%H:%MZ}", hint=HINT)
    return until


def parse_span(words: str) -> timedelta | None:
    """A span such as `30m` or `1d12h`; None for anything else."""
    if not SPAN.fullmatch(words):
        return None
    try:
        return sum((timedelta(**{UNITS[unit.lower()]: int(many)}) for many, unit in PART.findall(words)), timedelta())
    except OverflowError:
        return None
