"""The state of the upload to the ledger, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, ReconcilerError

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """The pending versions: how many, when the oldest was committed, and whether the ledger may lack others, too."""

    versions: int
    oldest: datetime | None
    behind: bool


@dataclass(frozen=True, slots=True)
class UploadFailure:
    """Why an attempt failed, and when (UTC). `stalled`: trying again does not help, a human is needed."""

    message: str
    hint: str
    at: datetime
    stalled: bool

    @classmethod
    def of(cls, error: Exception, at: datetime) -> UploadFailure:
        """The failure that an exception stands for."""
        if isinstance(error, ReconcilerError):
            return cls(str(error), error.hint, at, isinstance(error, NeedsHuman))
        return cls(f"unexpected {type(error).__name__}: {error}", "this is a bug; its trace is in the log", at, False)


@dataclass(frozen=True, slots=True)
class UploadAttempt:
    """One attempt: its duration, the number of versions recorded, and whether the ledger is complete now."""

    seconds: float
    versions: int
    failed: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class UploadState:
    """The state of an uploader; times are UTC.

    `versions` and `events` are pending; `oldest` is when the first of these versions was committed. `behind`: the
    ledger may lack other versions, too, and the next attempt compares it with git. `recorded` counts versions since
    the start, `failures` failed attempts in a row. `under_way` is when the present attempt began (None between two),
    `beat` its last sign of life.
    """

    versions: int = 0
    oldest: datetime | None = None
    behind: bool = False
    events: int = 0
    recorded: int = 0
    last_success: datetime | None = None
    failure: UploadFailure | None = None
    failures: int = 0
    next_attempt: datetime | None = None
    under_way: datetime | None = None
    beat: datetime | None = None

    def with_backlog(self, backlog: Backlog, events: int) -> UploadState:
        """With what is pending now."""
        return replace(self, versions=backlog.versions, oldest=backlog.oldest, behind=backlog.behind, events=events)

    def with_recorded(self, versions: int) -> UploadState:
        """With more versions recorded."""
        return replace(self, recorded=self.recorded + versions)

    def with_start(self, now: datetime) -> UploadState:
        """At the start of an attempt."""
        return replace(self, under_way=now, beat=now, next_attempt=None)

    def with_beat(self, now: datetime) -> UploadState:
        """With a sign of life of the attempt."""
        return replace(self, beat=now)

    def with_end(self, failure: UploadFailure | None, now: datetime, pause: float) -> UploadState:
        """After an attempt; the next one is due after `pause` seconds."""
        done = replace(self, under_way=None, next_attempt=now + timedelta(seconds=pause), failure=failure)
        if failure is None:
            return replace(done, failures=0, last_success=now)
        return replace(done, failures=self.failures + 1)
