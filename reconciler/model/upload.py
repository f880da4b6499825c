"""How shipping to the ledger stands: a frozen value, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, ReconcilerError

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: versions, and when the oldest was committed. `behind` says that the ledger may lack others, too."""

    versions: int
    oldest: datetime | None
    behind: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, and when (UTC). `stalled` says that trying again will not help: a human is needed."""

    message: str
    hint: str
    at: datetime
    stalled: bool

    @classmethod
    def of(cls, error: Exception, at: datetime) -> Failure:
        """What an exception says to a reader."""
        if isinstance(error, ReconcilerError):
            return cls(str(error), error.hint, at, isinstance(error, NeedsHuman))
        return cls(f"unexpected {type(error).__name__}: {error}", "this is a bug; its trace is in the log", at, False)


@dataclass(frozen=True, slots=True)
class UploadAttempt:
    """What came of one attempt: how long it took, the versions that the ledger took, whether it lacks nothing now."""

    seconds: float
    versions: int
    failed: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class UploadState:
    """Moments are UTC. `versions` and `events` wait; `oldest` is when the first of these versions was committed.

    `behind` says that the ledger may lack more than waits here: it is compared with git in the next attempt.
    `recorded` counts versions since the start, `failures` attempts in a row. `under_way` is when the present attempt
    began (None between two), `beat` its newest sign of life.
    """

    versions: int = 0
    oldest: datetime | None = None
    behind: bool = False
    events: int = 0
    recorded: int = 0
    last_success: datetime | None = None
    failure: Failure | None = None
    failures: int = 0
    next_attempt: datetime | None = None
    under_way: datetime | None = None
    beat: datetime | None = None

    def with_backlog(self, backlog: Backlog, events: int) -> UploadState:
        """With what waits now."""
        return replace(self, versions=backlog.versions, oldest=backlog.oldest, behind=backlog.behind, events=events)

    def with_recorded(self, versions: int) -> UploadState:
        """With so many more versions recorded."""
        return replace(self, recorded=self.recorded + versions)

    def begun(self, now: datetime) -> UploadState:
        """At the beginning of an attempt."""
        return replace(self, under_way=now, beat=now, next_attempt=None)

    def alive(self, now: datetime) -> UploadState:
        """In the midst of an attempt."""
        return replace(self, beat=now)

    def ended(self, failure: Failure | None, now: datetime, pause: float) -> UploadState:
        """After an attempt; the next one is due in so many seconds."""
        done = replace(self, under_way=None, next_attempt=now + timedelta(seconds=pause), failure=failure)
        if failure is None:
            return replace(done, failures=0, last_success=now)
        return replace(done, failures=self.failures + 1)
