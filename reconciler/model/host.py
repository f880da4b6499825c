"""What one host says about itself: events, conditions, suspension, the upload of its history, what its doctor finds."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.canonical import Value


class Owner(Struct, frozen=True):
    """The repository and branch that a store belongs to.

    `repository` is its name in the history: that of the URL at which it was found first, or what settings say.
    `url` is where it was found last, with the folder of the configuration as `url//folder`. `roots` are its first
    commits, none while there are none or they are not known. `branch` is the one that was reconciled last, empty before
    that, and `bound` says that it is the host's own: one of a single call is not.
    """

    repository: str
    branch: str
    url: str
    folder: str
    roots: frozenset[str] = frozenset()
    bound: bool = True

    @property
    def bound_branch(self) -> str | None:
        """The host's own branch; None while it has none."""
        return self.branch if self.bound and self.branch else None


def ownership_events(before: Owner | None, after: Owner) -> Iterator[tuple[str, dict[str, Value]]]:
    """The host events of a store that gets another owner, with their detail: `bound` and `repository-moved`."""
    if before is None or (before.branch, before.bound) != (after.branch, after.bound):
        branch_before = before.branch or None if before else None
        once: dict[str, Value] = {} if after.bound or not after.branch else {"once": True}
        branches = {"branch": after.branch or None, "before": branch_before}
        yield "bound", {"repository": after.repository, **branches, **once}
    if before is not None and before.url != after.url:
        yield "repository-moved", {"url": after.url, "before": before.url}


class HostEvent(Struct, frozen=True):
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


class StreamEvent(Struct, frozen=True, eq=False):
    """One of them. `number` counts from 1 in each run of the daemon; `data` is JSON, as docs/http.md shows it."""

    number: int
    event: str
    data: Mapping[str, Any]


class ConditionSeverity(StrEnum):
    """What will come of it: nothing before a human has done something; trying again may help; nothing fails yet."""

    STALLED = "Stalled"
    RETRYING = "Retrying"
    WARNING = "Warning"


class HostCondition(Struct, frozen=True):
    """Something that does not work. `about` is what; `reason` one CamelCase word; `since` when it began (UTC)."""

    about: str
    severity: ConditionSeverity
    reason: str
    message: str
    hint: str
    since: datetime


class Suspension(Struct, frozen=True):
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


class Grade(StrEnum):
    """Whether somebody has to do something: no · perhaps, or one day · yes."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Diagnosis(Struct, frozen=True):
    """One line of a doctor's report: what was looked at, how it is, and how to mend it (empty when it is well)."""

    check: str
    grade: Grade
    message: str
    hint: str = ""


class Backlog(Struct, frozen=True):
    """The pending versions: how many, when the oldest was committed, and whether the ledger may lack others, too."""

    versions: int
    oldest: datetime | None
    behind: bool


class UploadFailure(Struct, frozen=True):
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


class UploadAttempt(Struct, frozen=True):
    """One attempt: its duration, the number of versions recorded, and whether the ledger is complete now."""

    seconds: float
    versions: int
    failed: bool
    complete: bool


class UploadState(Struct, frozen=True):
    """The state of an uploader; times are UTC.

    `versions` and `events` are pending; `oldest` is when the first of these versions was committed. `behind`: the
    ledger may lack other versions, too, and the next attempt compares it with git. `recorded` is how many versions the
    ledger has of the branch, None before it was asked; `failures` counts failed attempts in a row. `under_way` is when
    the present attempt began (None between two), `beat` its last sign of life.
    """

    versions: int = 0
    oldest: datetime | None = None
    behind: bool = False
    events: int = 0
    recorded: int | None = None
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
        """With so many versions in the ledger."""
        return replace(self, recorded=versions)

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
