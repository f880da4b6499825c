"""What people and programs ask, answered read-only: the command line asks here, and so does HTTP."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.model.problem import APPROVABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from reconciler.kinds.kind import Kind
    from reconciler.kinds.registry import Kinds
    from reconciler.model.suspension import Suspension
    from reconciler.ports import Applied, Attempt, Clock, LedgerReader, LiveRow, Source, StoreReader, VersionRow


class Sync(StrEnum):
    """Whether the live rows are those of the branch's head. Argo CD's words."""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    """How this host is doing. Argo CD's words."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of the state, in the form of Flux: a type, whether it holds, a CamelCase reason and a message."""

    type: str
    holds: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """What is live, and whether it is what git says.

    `refused` is set while the head is a refused commit, `suspension` while one holds.
    """

    repository: str
    branch: str
    head: str | None
    sync: Sync
    health: Health
    applied: Applied | None
    refused: Attempt | None
    suspension: Suspension | None
    resources: Mapping[str, int]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """The reading side of one repository and branch on this host.

    `store` is None before the first sync. `open_ledger` is None when this host keeps no history.
    """

    source: Source
    repository: str
    branch: str
    store: StoreReader | None
    kinds: Kinds
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None
    clock: Clock

    def status(self) -> Status:
        """The state of this host at this moment."""
        head = self.source.resolve(self.branch)
        applied = self.store.applied() if self.store else None
        attempt = self.store.attempted() if self.store else None
        refused = attempt if attempt and attempt.refused and attempt.stamp.commit == head else None
        asked = self.store.suspension() if self.store else None
        suspension = asked if asked and asked.holds(self.clock.now()) else None
        sync = _sync(head, applied)
        return Status(
            repository=self.repository,
            branch=self.branch,
            head=head,
            sync=sync,
            health=_health(sync, refused, suspension),
            applied=applied,
            refused=refused,
            suspension=suspension,
            resources=self.store.counts() if self.store else {},
            conditions=(_ready(applied, sync), _stalled(refused), _suspended(suspension)),
        )

    def kind(self, word: str) -> Kind:
        """The kind somebody means. Raises `UsageError` with the nearest one when there is none."""
        found = self.kinds.find(word)
        if found is None:
            names = [kind.name for kind in self.kinds]
            close = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
            raise UsageError(f"there is no kind {word}", hint=hint)
        return found

    def rows(self, kind: Kind) -> tuple[LiveRow, ...]:
        """The live rows of a kind in order of name."""
        return self.store.live(kind) if self.store else ()

    def row(self, kind: Kind, name: str) -> LiveRow:
        """The live row of one resource. Raises `UsageError` with the nearest name when there is none."""
        found = self.store.live(kind, name) if self.store else ()
        if not found:
            close = difflib.get_close_matches(name, [row.name for row in self.rows(kind)], n=1)
            hint = f"did you mean {close[0]}?" if close else f"see `reconciler get {kind.name.lower()}`"
            raise UsageError(f"no {kind.name} {name} is live", hint=hint)
        return found[0]

    def log(self, limit: int) -> tuple[VersionRow, ...]:
        """The newest versions of the ledger. Raises `UsageError` when this host keeps no history."""
        if self.open_ledger is None:
            raise UsageError("this host keeps no history", hint="set history.url to chdb or a ClickHouse server")
        with self.open_ledger() as ledger:
            return ledger.versions(limit=limit)


def _sync(head: str | None, applied: Applied | None) -> Sync:
    if head is None or applied is None:
        return Sync.UNKNOWN
    return Sync.SYNCED if applied.stamp.commit == head else Sync.OUT_OF_SYNC


def _health(sync: Sync, refused: Attempt | None, suspension: Suspension | None) -> Health:
    if suspension is not None:
        return Health.SUSPENDED
    if refused is not None:
        return Health.DEGRADED
    return Health.HEALTHY if sync is Sync.SYNCED else Health.PROGRESSING


def _ready(applied: Applied | None, sync: Sync) -> Condition:
    if applied is None:
        return Condition("Ready", False, "NothingApplied", "no valid commit has gone live yet")
    if sync is Sync.SYNCED:
        return Condition("Ready", True, "Synced", "the live rows are those of the head")
    return Condition("Ready", True, "HoldingLastValid", "the live rows are those of the last valid commit applied")


def _suspended(suspension: Suspension | None) -> Condition:
    if suspension is None:
        return Condition("Suspended", False, "NotSuspended", "commits go live")
    return Condition("Suspended", True, "AskedFor", f"{suspension.actor} suspended it: {suspension.reason}")


def _stalled(refused: Attempt | None) -> Condition:
    if refused is None:
        return Condition("Stalled", False, "Progressing", "nothing waits for a human")
    errors = [problem for problem in refused.problems if problem.is_error]
    count = f"{len(errors)} error{'s'[: len(errors) > 1]}"
    if all(problem.code.startswith(APPROVABLE) for problem in errors):
        message = f"rules have {count} against the head: mend it with a new commit, or `reconciler sync --approve` it"
        return Condition("Stalled", True, "RefusedByRule", message)
    return Condition("Stalled", True, "InvalidCommit", f"the head has {count}: a new commit has to mend it")
