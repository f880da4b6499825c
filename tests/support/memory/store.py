"""The live rows in dictionaries. Implements the port `Store`."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.errors import BugError, NeedsHuman
from reconciler.evidence.chain import ROOT_MADE
from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.model.commit import Applied, Attempt
from reconciler.model.halt import DRILLED, Halts, HaltStep
from reconciler.model.host import HostEvent, ownership_events
from reconciler.model.intervals import IntervalEnd, LiveInterval, why_replaced
from reconciler.model.refusal import REFUSED, Refusal, refusal_detail
from reconciler.model.rollback import ROLLBACK_ENDED, ROLLED_BACK, is_hold
from reconciler.model.rows import DRIFT_FOUND, DRIFT_GONE, DRIFT_HEALED, MAX_REPORTED, LiveRow, next_drift_event
from reconciler.reconcile.roots import parse_roots
from reconciler.tables.rows import is_live, live_values, with_halts
from reconciler.values import replace
from tests.support.memory.base import MemoryBase
from tests.support.memory.drift import filter_drift_events, scan, with_written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row, RowId
    from reconciler.model.commit import StoreUpdate
    from reconciler.model.host import Owner, Suspension
    from reconciler.model.keptrules import KeptRules
    from reconciler.model.rollback import Rollback
    from reconciler.model.rows import DriftFilter, Drifts
    from reconciler.ports import Base, Clock


class MemoryStore:
    """Holds every row by its id; what stands in a table is worked out when it is asked for.

    It has no tables, hence no checks either: a row that a schema does not allow is taken as it is.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owner: Owner | None = None
        self._kinds: dict[str, Kind] = {}
        self._rows: dict[RowId, Row] = {}
        self._applied: Applied | None = None
        self._attempted: Attempt | None = None
        self._written: dict[RowId, Mapping[str, Any] | None] = {}
        self._suspension: Suspension | None = None
        self._rollback: Rollback | None = None
        self._id = str(uuid.uuid4())
        self._events: list[HostEvent] = []
        self._seq = self._shipped = 0
        self._recorded: dict[str, int] = {}
        self._faults: dict[str, Mapping[str, str]] = {}
        self._intervals: list[LiveInterval] = []
        self._changes = self._shipped_changes = 0
        self._halts = Halts()
        self._rules: dict[str, KeptRules] = {}
        self._lacks_past = True

    def owner(self) -> Owner | None:
        """The repository and branch that it belongs to."""
        return self._owner

    def bind(self, owner: Owner) -> None:
        """Give it an owner."""
        for event, detail in ownership_events(self._owner, owner):
            self._happened(HostEvent(0, self._clock.now(), event, None, None, 0, detail))
        self._owner = owner

    def applied(self) -> Applied | None:
        """The applied commit."""
        return self._applied

    def last_attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self._attempted

    def known_faults(self, program: str) -> Mapping[str, str]:
        """What a version of the program could not judge."""
        return self._faults.get(program, {})

    def keep_faults(self, program: str, faults: Mapping[str, str]) -> None:
        """Know these in place of all before."""
        self._faults = {program: dict(faults)}

    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas of the kinds in force, by kind."""
        return {name: kind.schema for name, kind in self._kinds.items()}

    def base(self, kinds: Kinds) -> Base:
        """The state at the applied commit."""
        return MemoryBase({row_id: replace(row, halted=None) for row_id, row in self._rows.items()}, kinds)

    def apply(self, kinds: Kinds, step: StoreUpdate) -> Applied:
        """Write the touched rows; every other stays."""
        rows = self._rows | _by_id(kinds, step)
        declared = [row.resource for row in rows.values() if row.removed is None]
        homeless = {resource.kind for resource in declared if resource.kind not in kinds.by_name}
        if homeless:
            raise NeedsHuman(f"the kind {min(homeless)} is gone, but rows of it are still declared")
        touched = {row.row_id for row in step.rows}
        self._written = {row: values for row, values in self._written.items() if row not in touched}
        return self._become(kinds, step, rows, "advance")

    def replace(self, kinds: Kinds, step: StoreUpdate) -> Applied:
        """Hold exactly the rows of a step."""
        self._written = {}
        return self._become(kinds, step, _by_id(kinds, step), "replace")

    def rollback(self) -> Rollback | None:
        """The rollback that this host is under."""
        return self._rollback

    def went_live(self, commit: str) -> HostEvent | None:
        """The newest host event that says that a commit went live."""
        return next((one for one in reversed(self._events) if (one.event, one.commit) == ("applied", commit)), None)

    def kept_rules(self, rules_id: str) -> KeptRules | None:
        """Rules of this id."""
        return self._rules.get(rules_id)

    def roll_back(self, kinds: Kinds, step: StoreUpdate, rollback: Rollback) -> Applied:
        """Hold exactly the rows of a step, and the rollback."""
        self._written = {}
        return self._become(kinds, step, _by_id(kinds, step), "replace", rollback)

    def end_rollback(self, reason: str, actor: str) -> Rollback | None:
        """End the rollback; gives it, None when there was none."""
        found, self._rollback = self._rollback, None
        if found is not None:
            detail = {**found.detail(), "ended_by": actor, "end_reason": reason}
            self._happened(HostEvent(0, self._clock.now(), ROLLBACK_ENDED, None, None, 0, detail))
        return found

    def lacks_past(self) -> bool:
        """Whether the ledger has yet to tell what stood on this host before."""
        return self._lacks_past

    def recall(self, rollback: Rollback | None) -> None:
        """Be under this rollback, or under none, from now on."""
        self._rollback, self._lacks_past = rollback, False

    def halts(self) -> Halts:
        """The halts that the rows obey."""
        return self._halts

    def failed_halts(self) -> Mapping[str, str]:
        """It has no tables that could be in the way."""
        return {}

    def halts_at(self, moment: datetime) -> HostEvent | None:
        """The newest host event until a moment that says which halts stood."""
        told = [one for one in self._events if "halts" in one.detail and one.at <= moment]
        return max(told, key=lambda one: (one.at, one.seq), default=None)

    def halted_rows(self) -> Mapping[str, int]:
        """How many live rows halts keep from what git says."""
        halted = (row for row in self._rows.values() if row.halted and is_live(self._kinds[row.resource.kind], row))
        return dict(sorted(Counter(row.resource.kind for row in halted).items()))

    def said_by_git(self, kind: Kind, rows: Sequence[LiveRow]) -> Mapping[str, Mapping[str, Any]]:
        """What git says of the fields that a halt set, of each of some rows where one did, by id."""
        asked = {str(row.values[kind.key]) for row in rows}
        halted = [row for row in self._rows.values() if row.halted and row.resource.id in asked]
        return {row.resource.id: {name: row.resource.values[name] for name in row.halted or ()} for row in halted}

    def obey(self, kinds: Kinds, halts: Halts) -> HaltStep | None:
        """Make the rows what git says and these halts leave of it."""
        halts = halts.named(kinds.tables)
        if halts == self._halts:
            return None
        base, changes = self._applied, halts.changes_after(self._halts.number)
        self._halts = halts
        self._applied = replace(base, halts=halts.digest) if base else None
        rows = self._halted(kinds, self._rows)
        changed = [row for row_id, row in rows.items() if row != self._rows[row_id]]
        self._rows = rows
        for change in changes:
            outcome = {"halts": halts.detail()} if change is changes[-1] else {}
            self._happened(HostEvent(0, change.at, str(change.act), None, None, 0, {**change.detail(), **outcome}))
        if self._applied is not None and self._applied != base:
            self._begin_interval(self._applied.stamp.commit, self._applied.live_digest, self._clock.now())
        counts = dict(Counter(row.resource.kind for row in changed))
        return HaltStep(base, self._applied, counts, tuple(changed), changes)

    def _halted(self, kinds: Kinds, rows: Mapping[RowId, Row]) -> dict[RowId, Row]:
        named = kinds.by_name
        return {
            row_id: with_halts(named[row_id.kind], row, self._halts) if row_id.kind in named else row
            for row_id, row in rows.items()
        }

    def refuse(self, attempt: Attempt, judged: Attempt | None = None) -> None:
        """Record that a commit was refused."""
        if not attempt.refused:
            raise BugError(f"the attempt at {attempt.stamp.commit} was not refused")
        before, self._attempted = self._attempted, attempt
        again = before is not None and before.refused and before.stamp == attempt.stamp
        if not again or before is None or is_hold(before.problems) != is_hold(attempt.problems):
            for one in (attempt, judged):
                if one is not None:
                    detail = refusal_detail(one.problems)
                    self._happened(HostEvent(0, attempt.at, REFUSED, one.stamp.commit, None, 0, detail))

    def refusals_of(self, commits: Collection[str]) -> tuple[Refusal, ...]:
        """Why some commits were refused."""
        return tuple(map(Refusal.of_event, _newest_refusals(self._events, commits)))

    def refused_since(self, moment: datetime) -> tuple[str, ...]:
        """The commits that were refused since a time."""
        found = (one for one in self._events if one.event == REFUSED and one.at >= moment)
        return tuple(sorted({one.commit for one in found if one.commit}))

    def drift_events(self, only: DriftFilter) -> tuple[HostEvent, ...]:
        """The host events about drift that a filter lets through."""
        return filter_drift_events(self._events, only)

    def newest_intervals(self, limit: int, *, off: str | None = None) -> tuple[LiveInterval, ...]:
        """The newest intervals, of all branches or of all but one."""
        return tuple([one for one in reversed(self._intervals) if one.branch != off][:limit])

    def suspension(self) -> Suspension | None:
        """The suspension that was asked for last, expired or not."""
        return self._suspension

    def suspend(self, suspension: Suspension) -> None:
        """Suspend reconciling, in place of a suspension that is there."""
        self._suspension = suspension
        self._happened(HostEvent(0, self._clock.now(), "suspended", None, None, 0, suspension.detail()))

    def resume(self, actor: str) -> Suspension | None:
        """End the suspension; gives it, None when there was none."""
        return self._end_suspension("resumed", {"resumed_by": actor})

    def expire(self) -> Suspension | None:
        """End the suspension if it has expired; gives it, None when there is none or it still holds."""
        found = self._suspension
        if found is None or found.holds(self._clock.now()):
            return None
        return self._end_suspension("suspension-expired", {})

    def identity(self) -> str:
        """The store's id."""
        return self._id

    def events(self, limit: int, before: int | None = None, only: Collection[str] = ()) -> tuple[HostEvent, ...]:
        """The newest host events first."""
        found = (one for one in reversed(self._events) if before is None or one.seq < before)
        return tuple(one for one in found if not only or one.event in only)[:limit]

    def events_after(self, seq: int, limit: int) -> tuple[HostEvent, ...]:
        """The host events that follow one, the oldest first."""
        return tuple(event for event in self._events if event.seq > seq)[:limit]

    def last_drill(self) -> HostEvent | None:
        """The newest host event of a drill."""
        return next((one for one in reversed(self._events) if one.event == DRILLED), None)

    def last_uploaded_event(self) -> int:
        """The newest host event that the ledger has."""
        return self._shipped

    def record_event(self, event: str, detail: Mapping[str, Value]) -> None:
        """Write down as a host event what this host did beside the rows."""
        self._happened(HostEvent(0, self._clock.now(), event, None, None, 0, detail))

    def recorded_versions(self, branch: str) -> int:
        """How many versions the ledger was last seen to have of a branch."""
        return self._recorded.get(branch, 0)

    def note_recorded_versions(self, branch: str, versions: int) -> None:
        """Note how many versions the ledger has of a branch."""
        self._recorded[branch] = versions

    def mark_uploaded(self, seq: int) -> None:
        """The ledger has the host events up to this one. Those of them that are older than a week go."""
        self._shipped = max(seq, self._shipped)
        kept_since = self._clock.now() - timedelta(days=7)
        rooted = [one for one in self._events if one.event == ROOT_MADE and one.at < kept_since]
        gone = min(seq, max((one.root.events for one in parse_roots(rooted)), default=0))
        self._events = [event for event in self._events if event.seq > gone or event.event == ROOT_MADE]

    def live_at(self, moment: datetime) -> LiveInterval | None:
        """What was live at a moment."""
        found = [one for one in self._intervals if one.since <= moment and (one.until is None or moment < one.until)]
        return found[-1] if found else None

    def intervals_of(self, commits: Collection[str]) -> tuple[LiveInterval, ...]:
        """From when to when some commits were live."""
        return tuple(one for one in self._intervals if one.commit in commits)

    def intervals_after(self, change: int, limit: int) -> tuple[LiveInterval, ...]:
        """The intervals that began or ended after a change."""
        later = sorted((one for one in self._intervals if one.change > change), key=lambda one: one.change)
        return tuple(later[:limit])

    def last_uploaded_interval(self) -> int:
        """The newest change that the ledger has."""
        return self._shipped_changes

    def mark_intervals_uploaded(self, change: int) -> None:
        """The ledger has the intervals up to this change."""
        self._shipped_changes = max(change, self._shipped_changes)

    def _begin_interval(self, commit: str, digest: str, now: datetime, ended: IntervalEnd | None = None) -> None:
        branch, since = self._owner.branch if self._owner else "", now
        if self._intervals:
            before = self._intervals[-1]
            if (before.commit, before.branch, before.digest) == (commit, branch, digest):
                return
            since = max(now, before.since)
            self._changes += 1
            same = (before.commit, before.branch) == (commit, branch)
            why = ended or (IntervalEnd.HALT_CHANGED if same else why_replaced(before.branch, branch))
            self._intervals[-1] = replace(before.end(since, why), change=self._changes)
        self._changes += 1
        self._intervals.append(
            LiveInterval(self._changes, commit, branch, digest, since, change=self._changes, store=self._id)
        )

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind."""
        return {name: len(self.live(kind)) for name, kind in self._kinds.items()}

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind in order of name, or those that go by a name or id."""
        if kind.name not in self._kinds:
            return ()
        rows = with_written(self._said([kind]), self._written, kind.name)
        wanted = [row for row in rows if name in (None, row.name, row.values[kind.key])]
        wanted.sort(key=lambda row: (row.path is None, row.values[kind.key]))
        return tuple(sorted(wanted, key=lambda row: row.name if name is None else str(row.name != name)))

    def write_past(self, row_id: RowId, values: Mapping[str, Any] | None) -> None:
        """Write all values of a live row as others do who have the database open; None deletes it."""
        self._written[row_id] = values

    def rewrite_git(self, row: Row) -> None:
        """Write what git says of a row in the same way."""
        self._rows[row.row_id] = row

    def drift(self, kinds: Kinds, *, leaving: Collection[RowId] = (), limit: int = MAX_REPORTED) -> Drifts:
        """Where the live rows are not what git says."""
        found = scan(self._said(kinds), self._written, leaving, limit)
        halted = {row.row_id: row.halted for row in self._rows.values() if row.halted}
        return replace(
            found,
            reported=tuple(
                replace(one, halted=tuple(name for name in one.fields if name in halted.get(one.row_id, ())))
                for one in found.reported
            ),
        )

    def heal(
        self,
        kinds: Kinds,
        *,
        leaving: Collection[RowId] = (),
        checked: datetime | None = None,
        limit: int = MAX_REPORTED,
    ) -> Drifts:
        """Make the live rows what git says."""
        found = self.drift(kinds, leaving=leaving, limit=limit)
        for drift in found.reported:
            del self._written[drift.row_id]
        if found.reported:
            self._drifted(DRIFT_HEALED, found.detail(checked) | ({"left": True} if leaving else {}))
        return found

    def record_drift(self, kinds: Kinds, *, checked: datetime | None = None) -> Drifts:
        """What `drift` finds, and an event when it is news."""
        found = self.drift(kinds)
        told = [
            (one.event, str(one.detail["found"]))
            for one in self._events
            if one.event in {DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE} and "left" not in one.detail
        ]
        news = next_drift_event(found, told[-1] if told else None)
        if news is not None:
            self._drifted(news, found.detail(checked))
        return found

    def _said(self, kinds: Iterable[Kind]) -> dict[RowId, LiveRow]:
        """The live rows as git says them."""
        by_name = {kind.name: kind for kind in kinds}
        rows = (row for row in self._rows.values() if row.resource.kind in by_name)
        pairs = ((by_name[row.resource.kind], row) for row in rows)
        return {row.row_id: _live_row(kind, row) for kind, row in pairs if is_live(kind, row)}

    def _drifted(self, event: str, detail: dict[str, Value]) -> None:
        commit, digest = (self._applied.stamp.commit, self._applied.digest) if self._applied else (None, None)
        self._happened(HostEvent(0, self._clock.now(), event, commit, digest, 0, detail))

    def _happened(self, event: HostEvent) -> None:
        self._seq += 1
        self._events.append(replace(event, seq=self._seq, store=self._id))

    def _end_suspension(self, how: str, more: dict[str, Value]) -> Suspension | None:
        found, self._suspension = self._suspension, None
        if found is not None:
            self._happened(HostEvent(0, self._clock.now(), how, None, None, 0, {**found.detail(), **more}))
        return found

    def _become(
        self, kinds: Kinds, step: StoreUpdate, rows: dict[RowId, Row], how: str, rollback: Rollback | None = None
    ) -> Applied:
        now, stamp = self._clock.now(), step.commit.stamp
        self._kinds = dict(kinds.by_name)
        self._rows = self._halted(kinds, rows)
        self._applied = Applied(stamp, step.height, step.digest, now, self._halts.digest, step.rebuilt, step.rules_id)
        self._attempted = Attempt(stamp, now, refused=False, problems=step.warnings)
        ended = IntervalEnd.ROLLED_BACK if rollback else None
        self._begin_interval(stamp.commit, self._applied.live_digest, now, ended)
        self._happened(HostEvent(0, now, "applied", stamp.commit, step.digest, 0, step.detail(how)))
        if step.rules:
            self._rules[step.rules.id] = step.rules.read()
        over, self._rollback = self._rollback, rollback
        told = [(ROLLED_BACK, rollback)] if rollback else [(ROLLBACK_ENDED, over)] if over else []
        for event, about in told:
            self._happened(HostEvent(0, now, event, stamp.commit, step.digest, 0, about.detail()))
        return self._applied


def _newest_refusals(events: list[HostEvent], commits: Collection[str]) -> list[HostEvent]:
    """The newest refusal of each commit."""
    found = {one.commit: one for one in events if one.event == REFUSED and one.commit in commits}
    return list(found.values())


def _by_id(kinds: Kinds, step: StoreUpdate) -> dict[RowId, Row]:
    rows = {row.row_id: row for row in step.rows}
    if len(rows) < len(step.rows):
        raise BugError("a step holds a row twice")
    for row in step.rows:
        if row.removed is None and row.resource.kind not in kinds.by_name:
            raise BugError(f"a step declares {row.resource.name}, but there is no kind {row.resource.kind}")
    return rows


def _live_row(kind: Kind, row: Row) -> LiveRow:
    *values, created, updated = live_values(kind, row)
    read = {
        column.name: json.loads(value) if column.type is SqlType.JSON and value is not None else value
        for column, value in zip(kind.columns, values, strict=True)
    }
    stamps = zip(TIMESTAMPS, map(canonical.utc, (created, updated)), strict=True)
    declared = row.removed is None
    return LiveRow(
        kind=kind.name,
        name=row.resource.name,
        values={**read, **dict(stamps)},
        path=row.resource.path if declared else None,
        line=row.resource.line if declared else None,
    )
