"""How a host stands: what is live, whether it is what git says, and what keeps it from being so. Pure.

The words are Argo CD's and Flux's: sync and health, and conditions with a CamelCase reason and since when they hold.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.model.halt import Halts
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.model.problem import APPROVABLE
from reconciler.model.rollback import is_hold

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.model.commit import Applied, Attempt
    from reconciler.model.host import HostEvent, Owner, Suspension, UploadState
    from reconciler.model.live import CacheState
    from reconciler.model.rollback import Rollback
    from reconciler.ports import StoreReader


MAX_HELD = 5
"""Skipped values that a condition names."""


class Sync(StrEnum):
    """Whether the live rows are those of the branch's head."""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"


class Condition(Struct, frozen=True):
    """One aspect of the state: a type, whether it holds, why, and since when (UTC; None when that is not known)."""

    type: str
    holds: bool
    reason: str
    message: str
    since: datetime | None = None


class StoreState(Struct, frozen=True):
    """The store's state. `attempt` is the last attempt; `resources` counts live rows by kind.

    `halts` are those that the rows obey, `halted_rows` counts what they keep from what git says, by kind;
    `failed_halts` are the kinds whose tables do not take them, and why. `drill` is the host event of the last drill.
    """

    applied: Applied | None = None
    attempt: Attempt | None = None
    suspension: Suspension | None = None
    resources: Mapping[str, int] = field(default_factory=dict)
    owner: Owner | None = None
    rollback: Rollback | None = None
    halts: Halts = field(default_factory=Halts)
    halted_rows: Mapping[str, int] = field(default_factory=dict)
    drill: HostEvent | None = None
    failed_halts: Mapping[str, str] = field(default_factory=dict)


class Scan(Struct, frozen=True):
    """The last drift scan: rows that differed from git, those healed, those left as somebody keeps changing them."""

    at: datetime
    found: int
    healed: int
    fighting: tuple[str, ...] = ()


class FollowerStatus(Struct, frozen=True):
    """How a follower of the live rows fares: `Starting`, `Following`, or what its condition says."""

    name: str
    state: str
    message: str


class Running(Struct, frozen=True):
    """The daemon of a host. `working` says that an operation is under way, `phase` which; moments are UTC.

    `blind` is why changes in git are not noticed at once, empty when they are. `history` is None where none is kept,
    `view` where there is no live view, or Redis is out of reach. `followers` are those without a place of their own.
    """

    pid: int
    address: str
    started: datetime
    phase: str
    phase_since: datetime
    beat: datetime
    working: bool
    last_sync: datetime | None
    conditions: tuple[HostCondition, ...]
    history: UploadState | None
    scan: Scan | None
    blind: str = ""
    view: CacheState | None = None
    followers: tuple[FollowerStatus, ...] = ()


class Status(Struct, frozen=True):
    """All of it. `refused` is set while the head is a refused commit, `suspension` while one holds.

    `rollback` is set while this host is rolled back; a head that it holds is in `held`, and not refused.

    `shallow` says that the history in git was cut off, so that rows have other time stamps than elsewhere. `troubles`
    are what does not work, or is to be looked at. `halts` are those that stand; `obeys` says that the rows do.
    """

    repository: str
    branch: str
    head: str | None
    sync: Sync
    health: Health
    applied: Applied | None
    attempt: Attempt | None
    refused: Attempt | None
    suspension: Suspension | None
    resources: Mapping[str, int]
    conditions: tuple[Condition, ...]
    shallow: bool
    running: Running | None
    troubles: tuple[HostCondition, ...] = ()
    rollback: Rollback | None = None
    held: Attempt | None = None
    halts: Halts = field(default_factory=Halts)
    halted_rows: Mapping[str, int] = field(default_factory=dict)
    obeys: bool = True
    drill: HostEvent | None = None
    failed_halts: Mapping[str, str] = field(default_factory=dict)


class BranchHead(Struct, frozen=True):
    """What is reconciled: the repository, its branch, the head of it, and whether its history is cut off.

    `head` is None where the branch has no commits, or cannot be read. `conditions` are those of the branch, where no
    daemon keeps them.
    """

    repository: str
    branch: str
    head: str | None
    shallow: bool
    conditions: tuple[HostCondition, ...] = ()


def describe(
    target: BranchHead, stored: StoreState, running: Running | None, now: datetime, halts: Halts | None = None
) -> Status:
    """The state of a host at a time; `running` is None without a daemon. `halts` are those of the file, if it says."""
    standing = stored.halts if halts is None or halts.number < stored.halts.number else halts
    is_known = standing.digest == stored.halts.digest
    obeys = is_known and not stored.failed_halts
    attempt, last_suspension = stored.attempt, stored.suspension
    refused = attempt if attempt and attempt.refused and attempt.stamp.commit == target.head else None
    held = refused if refused and stored.rollback and is_hold(refused.problems) else None
    refused = None if held else refused
    suspension = last_suspension if last_suspension and last_suspension.holds(now) else None
    sync = _sync(target.head, stored.applied)
    troubles = running.conditions if running else target.conditions
    if not is_known and stored.applied is not None:
        troubles = (*troubles, _unobeyed(now))
    if stored.failed_halts:
        troubles = (*troubles, _failed_halts(stored.failed_halts, now))
    stalled = _stalled(refused, troubles)
    return Status(
        repository=target.repository,
        branch=target.branch,
        head=target.head,
        sync=sync,
        health=_health(sync, suspension, stored.rollback, degraded=stalled.holds or any(map(_degrades, troubles))),
        applied=stored.applied,
        attempt=attempt,
        refused=refused,
        suspension=suspension,
        resources=stored.resources,
        conditions=(
            _ready(stored.applied, sync),
            _reconciling(running),
            stalled,
            _suspended(suspension),
            _rolled_back(stored.rollback, held),
        ),
        shallow=target.shallow,
        running=running,
        troubles=troubles,
        rollback=stored.rollback,
        held=held,
        halts=standing,
        halted_rows=stored.halted_rows,
        obeys=obeys,
        drill=stored.drill,
        failed_halts=stored.failed_halts,
    )


HALTS = "Halts"


def _unobeyed(now: datetime) -> HostCondition:
    message = "halts.json says what is halted, and the live rows do not obey it yet"
    hint = "the process that has the store does it next; stop one that hangs, then `reconciler sync`"
    return HostCondition(HALTS, ConditionSeverity.RETRYING, "NotObeyed", message, hint, now)


def _failed_halts(failed: Mapping[str, str], now: datetime) -> HostCondition:
    message = "; ".join(f"{kind} does not obey what is halted: {why}" for kind, why in failed.items())
    hint = "see to its tables (`reconciler drift`), and stop by hand what trades; it is tried again by itself"
    return HostCondition(HALTS, ConditionSeverity.STALLED, "NotSwitchedOff", message, hint, now)


def _degrades(condition: HostCondition) -> bool:
    return condition.severity is not ConditionSeverity.WARNING


def read_store_state(store: StoreReader) -> StoreState:
    return StoreState(
        applied=store.applied(),
        attempt=store.last_attempt(),
        suspension=store.suspension(),
        resources=store.counts(),
        owner=store.owner(),
        halts=store.halts(),
        halted_rows=store.halted_rows(),
        failed_halts=store.failed_halts(),
        drill=store.last_drill(),
        rollback=store.rollback(),
    )


def _sync(head: str | None, applied: Applied | None) -> Sync:
    if head is None or applied is None:
        return Sync.UNKNOWN
    return Sync.SYNCED if applied.stamp.commit == head else Sync.OUT_OF_SYNC


def _health(sync: Sync, suspension: Suspension | None, rollback: Rollback | None, *, degraded: bool) -> Health:
    if suspension is not None:
        return Health.SUSPENDED
    if degraded:
        return Health.DEGRADED
    if rollback is not None and sync is not Sync.SYNCED:
        return Health.SUSPENDED
    return Health.HEALTHY if sync is Sync.SYNCED else Health.PROGRESSING


def _ready(applied: Applied | None, sync: Sync) -> Condition:
    if applied is None:
        return Condition("Ready", False, "NothingApplied", "no valid commit has gone live yet")
    if sync is Sync.SYNCED:
        return Condition("Ready", True, "Synced", "the live rows are those of the head", applied.at)
    message = "the live rows are those of the last valid commit applied"
    return Condition("Ready", True, "HoldingLastValid", message, applied.at)


def _reconciling(running: Running | None) -> Condition:
    if running is None:
        return Condition("Reconciling", False, "NotRunning", "no daemon runs here: `reconciler run` starts it")
    message = "an operation is under way" if running.working else "the daemon waits for something to change"
    return Condition("Reconciling", running.working, running.phase, message, running.phase_since)


def _suspended(suspension: Suspension | None) -> Condition:
    if suspension is None:
        return Condition("Suspended", False, "NotSuspended", "commits go live")
    message = f"{suspension.actor} suspended it: {suspension.reason}"
    return Condition("Suspended", True, "AskedFor", message, suspension.since)


def _rolled_back(rollback: Rollback | None, held: Attempt | None) -> Condition:
    if rollback is None:
        return Condition("RolledBack", False, "NotRolledBack", "no rollback is in force")
    asked = f"{rollback.actor} rolled back from {rollback.skipped[:8]} to {rollback.target[:8]}: {rollback.reason}"
    if held is None:
        return Condition("RolledBack", True, "AskedFor", asked, rollback.since)
    reason = "HeadSkipped" if held.stamp.commit == rollback.skipped else "HeadHeld"
    told = [problem.message for problem in held.problems if problem.is_error]
    more = f"; and {len(told) - MAX_HELD} more" if len(told) > MAX_HELD else ""
    message = f"{asked}. {held.stamp.commit[:8]} is held: {'; '.join(told[:MAX_HELD])}{more}"
    return Condition("RolledBack", True, reason, message, rollback.since)


def _stalled(refused: Attempt | None, troubles: tuple[HostCondition, ...]) -> Condition:
    stuck = next((condition for condition in troubles if condition.severity is ConditionSeverity.STALLED), None)
    if stuck is not None:
        return Condition("Stalled", True, stuck.reason, stuck.message, stuck.since)
    if refused is None:
        return Condition("Stalled", False, "Progressing", "nothing waits for a human")
    errors = [problem for problem in refused.problems if problem.is_error]
    count = f"{len(errors)} error{'s'[: len(errors) > 1]}"
    if all(problem.code.startswith(APPROVABLE) for problem in errors):
        message = f"rules have {count} against the head: mend it with a new commit, or `reconciler sync --approve` it"
        return Condition("Stalled", True, "RefusedByRule", message, refused.at)
    message = f"the head has {count}: a new commit has to mend it"
    return Condition("Stalled", True, "InvalidCommit", message, refused.at)
