"""What one host says about itself: its events, its troubles, its suspension, and what its doctor finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.canonical import Value


@dataclass(frozen=True, slots=True)
class HostEvent:
    """Something this host did, and when (aware, UTC). `seq` only ever rises, gaps are possible.

    `commit` and `digest` are None where the event is about neither; `duration_ms` is 0 for what takes no time.
    `store` is the id of the store that wrote it down (a UUID, given by the store): `seq` counts within it.
    """

    seq: int
    at: datetime
    event: str
    commit: str | None
    digest: str | None
    duration_ms: float
    detail: Mapping[str, Value]
    store: str = ""


APPLIED, REFUSED, STATE, DRIFT = "applied", "refused", "state", "drift"
"""A commit went live · the head is kept from it · sync, health or troubles changed · live rows were not as git says."""


@dataclass(frozen=True, slots=True, eq=False)
class StreamEvent:
    """One of them. `number` counts from 1 in each run of the daemon; `data` is JSON, as docs/http.md shows it."""

    number: int
    event: str
    data: Mapping[str, Any]


class Level(StrEnum):
    """The words of the setting `log_level`, from the most talkative on."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class ConditionSeverity(StrEnum):
    """What will come of it: nothing before a human has done something, or trying again may help."""

    STALLED = "Stalled"
    RETRYING = "Retrying"


@dataclass(frozen=True, slots=True)
class HostCondition:
    """Something that does not work. `about` is what; `reason` one CamelCase word; `since` when it began (UTC)."""

    about: str
    severity: ConditionSeverity
    reason: str
    message: str
    hint: str
    since: datetime


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
    stripped = text.strip()
    span = parse_span(stripped)
    try:
        until = now + span if span is not None else datetime.fromisoformat(stripped)
        if until.tzinfo is None:
            raise UsageError(f"{stripped} could be meant in any time zone", hint=HINT)
        until = until.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{stripped!r} is neither a span nor a moment", hint=HINT) from error
    if until <= now:
        raise UsageError(f"{stripped} has passed: here it is {now.astimezone(UTC):%Y-%m-%dT%H:%MZ}", hint=HINT)
    return until


def parse_span(words: str) -> timedelta | None:
    """A span such as `30m` or `1d12h`; None for anything else."""
    if not SPAN.fullmatch(words):
        return None
    try:
        return sum((timedelta(**{UNITS[unit.lower()]: int(many)}) for many, unit in PART.findall(words)), timedelta())
    except OverflowError:
        return None


class Grade(StrEnum):
    """Whether somebody has to do something: no · perhaps, or one day · yes."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of a doctor's report: what was looked at, how it is, and how to mend it (empty when it is well)."""

    check: str
    grade: Grade
    message: str
    hint: str = ""
