"""Going back to an earlier applied commit, from what git still has on this machine. Nothing is fetched."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import NeedsHuman, ReconcilerError, RefusedError, UsageError
from reconciler.model.change import Change, Op, Prune, Removal
from reconciler.model.commit import Status
from reconciler.model.intervals import IntervalEnd
from reconciler.model.rollback import ROLLBACK_ENDED, ROLLED_BACK, Rollback, Skipped, SkippedFile
from reconciler.plan import Plan, sort_changes
from reconciler.reconcile.admission import MessageApprovals, commit_state, propose_replacement
from reconciler.reconcile.holds import as_candidate
from reconciler.reconcile.rollback import skipped_values, without_target
from reconciler.reconcile.rules import Role
from reconciler.reconcile.stayoff import find_switched_on
from reconciler.reconcile.sync import AppliedStep, HistoryWalk, Mainline, SyncResult
from reconciler.reconcile.walk import mainline_contains
from reconciler.snapshot.snapshot import EmptyBase, change_between
from reconciler.tables.rows import rows_under
from reconciler.values import replace
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row, RowId, Stamp
    from reconciler.model.commit import Applied
    from reconciler.model.intervals import LiveInterval
    from reconciler.ports import LedgerReader, Source, StoreReader
    from reconciler.reconcile.admission import AdmissionResult, CommitState, Proposal
    from reconciler.reconcile.sync import Reconciler
    from reconciler.reconcile.walk import ProcessedCommit, Progress

    MoreIntervals = Callable[[Collection[str] | None], Sequence[LiveInterval]]
    """The intervals of some commits of this host in the ledger; without any, the newest ones. For what the store does
    not know."""

MAX_INTERVALS = 10_000
"""Intervals that are looked at to find the commit before."""
MAX_EVENTS = 10_000
"""Host events of the ledger that are looked at for the last rollback."""
SHOWN = 3
"""Problems that a refusal names."""


class RollbackRequest(Struct, frozen=True):
    """Where to go (None: to the commit applied before this one), why, and who asks."""

    to: str | None
    reason: str
    by: str


def roll_back(
    reconciler: Reconciler,
    request: RollbackRequest,
    more: MoreIntervals = lambda commits: (),
    progress: Progress = lambda done, total: None,
) -> SyncResult:
    """Make the rows those of an earlier applied commit, and skip the one that is live.

    Raises `UsageError` where there is none, or it never was live here; `RefusedError` when a guard or a policy, of that
    commit or of the live one, is against it, or it would switch on what is halted; other `ReconcilerError` when git or
    the store fail. Then no row changes.
    """
    store, source = reconciler.store, reconciler.claimant.source
    applied, before = store.applied(), store.rollback()
    if applied is None:
        raise UsageError("nothing is live yet: there is nothing to go back from", hint="run `reconciler sync` first")
    reconciler.claimant.check(store)
    targets = Targets(source, store, applied, before, more)
    target = targets.find(request.to) if request.to else targets.find_before()
    reconciler.processor.faults.known.read(store)
    commit = _state_at(reconciler, target, progress)
    proposal = _propose(reconciler, commit, applied)
    admission = _review(reconciler, proposal)
    if admission.refused:
        errors = [problem for problem in admission.problems if problem.is_error]
        shown = "; ".join(f"{one.path}:{one.line} [{one.code}] {one.message}" for one in errors[:SHOWN])
        more_errors = f", and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        raise RefusedError(
            f"the rollback to {target[:8]} is refused, no row was changed: {shown}{more_errors}",
            hint=_halt_hint(reconciler.kinds(), store.counts()),
        )
    skipped = _find_skipped(reconciler, proposal, before)
    head = before.skipped if before else applied.stamp.commit
    rollback = Rollback(target, head, request.reason, request.by, reconciler.clock.now(), skipped)
    kinds, update = proposal.request.new.kinds, proposal.store_update(admission)
    migrated = bool(kinds.changed_from(reconciler.kinds()))
    began = time.perf_counter()
    now = store.roll_back(kinds, update, rollback)
    seconds, rows = time.perf_counter() - began, tuple(rows_under(store.halts(), kinds, update.rows))
    step = AppliedStep(kinds, applied, now, rows, True, migrated, seconds)
    plan = Plan(applied.stamp.commit, target, proposal.changes, admission.problems)
    return SyncResult(target, now, store.last_attempt(), plan, None, step)


class Targets(Struct, frozen=True):
    """Which commits a host can go back to: those that were live on it, and are not later than what is live now."""

    source: Source
    store: StoreReader
    applied: Applied
    rollback: Rollback | None
    more: MoreIntervals

    def find(self, revision: str) -> str:
        """The commit that somebody names. Raises `UsageError` for one to which there is no going back."""
        sha, live = self.source.resolve(revision), self.applied.stamp.commit
        if sha is None:
            raise UsageError(f"{revision} has no commits", hint="name a commit that was live here")
        if sha == live:
            raise UsageError(f"{sha[:8]} is live already: no row was changed", hint="`reconciler status` tells more")
        if self._is_later(sha):
            raise UsageError(
                f"{sha[:8]} is later than {live[:8]}, which is live: that is no way back",
                hint="`reconciler rollback --end --reason …` lets the head through again"
                if self.rollback
                else "`reconciler sync` goes to the head",
            )
        if not (self.store.intervals_of([sha]) or self.more([sha])):
            raise UsageError(
                f"{sha[:8]} was never live on this host, so there is no going back to it",
                hint="`reconciler log` tells which commits were; revert in git to go anywhere else",
            )
        return sha

    def find_before(self) -> str:
        """The commit applied before what is live. One that was left by a rollback is none to go back to."""
        found = self._newest(reversed(self.store.newest_intervals(MAX_INTERVALS))) or self._newest(self.more(None))
        if found is None:
            raise UsageError(
                f"nothing was live here before {self.applied.stamp.commit[:8]}: there is nothing to go back to",
                hint="halt what must not trade: `reconciler halt --all --reason …`",
            )
        return found

    def _newest(self, intervals: Iterable[LiveInterval]) -> str | None:
        """The newest fitting commit of some intervals, the oldest of which come first."""
        last = {one.commit: one for one in intervals}
        fitting = (
            one.commit
            for one in sorted(last.values(), key=lambda one: (one.since, one.change), reverse=True)
            if one.ended is not IntervalEnd.ROLLED_BACK
            and one.commit not in (self.applied.stamp.commit, self.rollback and self.rollback.skipped)
        )
        return next((sha for sha in fitting if self.source.has_commit(sha) and not self._is_later(sha)), None)

    def _is_later(self, sha: str) -> bool:
        """Whether a commit goes on from the live one."""
        live = self.applied.stamp.commit
        try:
            return mainline_contains(self.source.parents(sha, known=live), sha, live)
        except UsageError:  # git no longer has what is live
            return False


def _state_at(reconciler: Reconciler, target: str, progress: Progress) -> ProcessedCommit:
    """The target with the rows that its history made: their time stamps have to be those of any other host."""
    walk = HistoryWalk(reconciler.claimant.source, reconciler.processor, reconciler.store, reconciler.bundled)
    start, parents = walk.start_anew(target)
    mainline = Mainline()
    for done, commit in enumerate(walk.process_commits(start, target, parents), 1):
        mainline = mainline.extend(commit)
        progress(done, len(parents))
    last = mainline.last
    if last is None or last.version.commit.sha != target or last.version.status is not Status.VALID:
        raise NeedsHuman(
            f"this version of the program cannot read {target[:8]}, which was live: no row was changed",
            hint="go back to another one with --to, or revert in git",
        )
    return last


def _propose(reconciler: Reconciler, commit: ProcessedCommit, applied: Applied) -> Proposal:
    store, kinds, rules = reconciler.store, reconciler.kinds(), reconciler.processor.rules
    base = store.base(kinds)
    nothing = MessageApprovals()
    proposal = propose_replacement(base, applied.stamp.commit, kinds, rules, commit, nothing)
    old, new = proposal.request.old, proposal.request.new
    assert old is not None
    mode = old.rules.spec.prune.mode.milder(new.rules.spec.prune.mode)
    declared = {row.row_id for row in proposal.rows}
    left = [row for row in base.rows() if row.row_id not in declared]
    same = {kind.name for kind in new.kinds} - kinds.changed_from(new.kinds)
    return _keep_rows(proposal, [row for row in left if row.resource.kind in same], commit.version.commit.stamp, mode)


def _review(reconciler: Reconciler, proposal: Proposal) -> AdmissionResult:
    """What rules and halts have against the step."""
    admission = reconciler.admission.review(proposal.request)
    switched_on = find_switched_on(reconciler.store.halts(), proposal)
    return replace(admission, problems=tuple(sorted((*admission.problems, *switched_on))))


def _keep_rows(proposal: Proposal, left: Sequence[Row], stamp: Stamp, mode: Prune) -> Proposal:
    """What was created since is INACTIVE, as if it had left git: a missing row makes a trading program fall back.

    A mode that would leave it as it is does not count: it is what is to be taken back. Of kinds that are others now
    (they are not in `left`), the rows are deleted.
    """
    if mode is Prune.DELETE:
        return proposal
    removal = Removal(stamp.commit, stamp.time, Prune.DEACTIVATE)
    kept = {row.row_id: row if row.removed else replace(row, removed=removal) for row in left}
    changes = tuple(
        replace(one, prune=Prune.DEACTIVATE) if one.op is Op.DELETE and one.resource.row_id in kept else one
        for one in proposal.changes
    )
    request = replace(proposal.request, changes=changes)
    return replace(proposal, rows=(*proposal.rows, *kept.values()), request=request)


def _find_skipped(reconciler: Reconciler, proposal: Proposal, before: Rollback | None) -> Skipped:
    """What the live state says and the target does not, with what was skipped already."""
    old, new, commit = proposal.request.old, proposal.request.new, proposal.commit
    assert old is not None
    source = reconciler.claimant.source
    skipped = _compare_states(source, old, new)
    if before is None:
        return skipped
    return skipped + without_target(before.changes, as_candidate(before.changes, source, commit))


def _compare_states(source: Source, bad: CommitState, target: CommitState) -> Skipped:
    at_target: Mapping[RowId, Row] = {row.row_id: row for row in target.rows()}
    rows = {row.row_id: row for row in bad.rows()}
    changes = [change for row in rows.values() if (change := change_between(at_target.get(row.row_id), row))]
    gone = (row for row_id, row in at_target.items() if row_id not in rows and row.removed is None)
    changes += [Change(Op.DELETE, row.resource, None) for row in gone]
    return skipped_values(sort_changes(changes), _find_files(source, bad, target))


def _find_files(source: Source, bad: CommitState, target: CommitState) -> Iterable[SkippedFile]:
    """The files of rules that differ; none where git no longer has the bad commit."""
    new = target
    try:
        changed = source.changes(new.commit, bad.commit)
    except UsageError:
        return ()
    layouts = (bad.rules.layout, new.rules.layout)
    roles = {one.path: {layout.role(one.path) for layout in layouts} - {None, Role.RESOURCES} for one in changed}
    paths = [path for path, found in roles.items() if found]
    at_target = {file.path: file.blob for file in source.files(new.commit, paths)}
    return tuple(SkippedFile(one.path, at_target.get(one.path), one.blob) for one in changed if one.path in paths)


def recover_rollback(
    reconciler: Reconciler, open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None, host: str
) -> AppliedStep | None:
    """Go back again where the rows are not those of the target of the rollback in force; None where they are.

    Neither a deleted state folder nor a restored backup may bring the skipped commit back. Of a new store's host the
    events in the ledger know; one that is away cannot be asked.
    """
    store, source, applied = reconciler.store, reconciler.claimant.source, reconciler.store.applied()
    told = store.rollback()
    if applied is None and open_ledger is not None:
        told = _told_rollback(open_ledger, host)
    if told is None or not source.has_commit(told.target) or (applied and applied.stamp.commit == told.target):
        return None
    reconciler.claimant.bind(store, reconciler.branch, once=not reconciler.binds)
    commit = _state_at(reconciler, told.target, lambda done, total: None)
    if applied is None:
        rules, nothing = reconciler.processor.rules, MessageApprovals()
        proposal = propose_replacement(EmptyBase(), None, reconciler.bundled, rules, commit, nothing)
    else:
        proposal = _propose(reconciler, commit, applied)
    admission = _review(reconciler, proposal)
    if admission.refused:
        raise RefusedError(
            f"this host is rolled back to {told.target[:8]}, as the history says, and rules are against that commit",
            hint="mend the rules, or `reconciler rollback --end --reason …`",
        )
    if applied is None and source.has_commit(told.skipped):
        bad = _state_at(reconciler, told.skipped, lambda done, total: None)
        told = replace(told, changes=_compare_states(source, commit_state(bad), proposal.request.new))
    kinds, update = proposal.request.new.kinds, proposal.store_update(admission)
    now = store.roll_back(kinds, update, told)
    rows = tuple(rows_under(store.halts(), kinds, update.rows))
    return AppliedStep(kinds, applied, now, rows, replaced=True, migrated=True)


def _told_rollback(open_ledger: Callable[[], AbstractContextManager[LedgerReader]], host: str) -> Rollback | None:
    try:
        with open_ledger() as ledger:
            events = [one.event for one in ledger.events(limit=MAX_EVENTS, host=host)]
    except ReconcilerError:
        return None
    newest = next((event for event in events if event.event in (ROLLED_BACK, ROLLBACK_ENDED)), None)
    if newest is None or newest.event != ROLLED_BACK:
        return None
    detail = {name: str(value) for name, value in newest.detail.items()}
    since = datetime.fromisoformat(detail["since"])
    return Rollback(detail["target"], detail["skipped"], detail["reason"], detail["actor"], since)


def _halt_hint(kinds: Kinds, counts: Mapping[str, int]) -> str:
    """What a halt would do, which no rule can refuse."""
    rows = [f"{counts[kind.name]:,} {kind.name}" for kind in kinds if kind.halt and counts.get(kind.name)]
    if not rows:
        return "mend it in git; no kind with live rows can be halted"
    return (
        f"`reconciler halt --all --reason …` makes {list_words(rows)} INACTIVE at once, whatever the rules say; "
        "else revert in git and approve that"
    )


def recorded_intervals(
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None, host: str, commits: Collection[str] | None
) -> Sequence[LiveInterval]:
    """The intervals of some commits on a host in a ledger, or the newest ones, the oldest of them first."""
    if open_ledger is None:
        return ()
    with open_ledger() as ledger:
        if commits is None:
            return ledger.newest_intervals(host, MAX_INTERVALS)[::-1]
        return ledger.intervals_of(host, commits)
