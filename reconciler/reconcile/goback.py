"""Going back to an earlier applied commit, from what is on this machine. Nothing is fetched."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial, reduce
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import NeedsHuman, RefusedError, UsageError
from reconciler.history.points import SHA
from reconciler.kinds.build import stored_kinds
from reconciler.model.change import Change, Op, Prune, Removal
from reconciler.model.commit import Status
from reconciler.model.rollback import Rollback, RollbackRequest, Skipped
from reconciler.plan import Plan, sort_changes
from reconciler.reconcile.admission import MessageApprovals, commit_state, propose_replacement
from reconciler.reconcile.holds import find_skipped_files
from reconciler.reconcile.rollback import candidate_of_rows, skipped_values, without_target
from reconciler.reconcile.stayoff import find_switched_on
from reconciler.reconcile.sync import AppliedStep, Mainline, SyncResult
from reconciler.reconcile.targets import MAX_INTERVALS, Lookup, Targets
from reconciler.snapshot.snapshot import EmptyBase, change_between
from reconciler.tables.rows import changes_under, rows_under
from reconciler.values import replace
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.gitports import Source, Trees
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row, RowId, Stamp
    from reconciler.model.commit import Applied, StoreUpdate
    from reconciler.ports import Base, Clock, Store, StoreReader
    from reconciler.reconcile.admission import AdmissionController, AdmissionResult, CommitState, Proposal
    from reconciler.reconcile.rules import RuleReader, Rules
    from reconciler.reconcile.sync import Reconciler
    from reconciler.reconcile.targets import MoreIntervals
    from reconciler.reconcile.walk import ProcessedCommit, Progress

SHOWN = 3
"""Problems that a refusal names."""


class Past(Struct, frozen=True):
    """What earlier commits are read from: git, or what is held without it (`rebuilt`).

    `find` gives the commit to go back to from what is applied under a rollback. `state_at` gives its state, and raises
    `NotInGit` or `NeedsHuman` where that cannot be had; `rules_at` the rules of what is applied.
    """

    find: Callable[[Applied, Rollback | None, str | None], str]
    state_at: Callable[[str, Progress], ProcessedCommit]
    rules_at: Callable[[str], Rules]
    trees: Trees
    rules: RuleReader
    admission: AdmissionController
    rebuilt: bool = False


class NotInGit(NeedsHuman):
    """Git on this machine no longer has a commit that was live here, or not all of it."""


def past_in_git(reconciler: Reconciler, more: MoreIntervals = lambda commits: ()) -> Past:
    """The repository of a reconciler, as it is on this machine."""
    source, store = reconciler.claimant.source, reconciler.store

    def find(applied: Applied, rollback: Rollback | None, revision: str | None) -> str:
        try:
            return Targets(Lookup.in_git(source), store, applied, rollback, more).find(revision)
        except UsageError as error:
            if revision is None or not _is_dropped(source, store, revision):
                raise
            raise NotInGit(str(error), hint=error.hint) from error

    rules = reconciler.processor.rules
    return Past(find, partial(_state_at, reconciler), rules.find_rules, source, rules, reconciler.admission)


def _is_dropped(source: Source, store: StoreReader, revision: str) -> bool:
    """Whether it is the sha of a commit that was live here, and that git no longer has."""
    if not SHA.fullmatch(revision):
        return False
    live = (one.commit for one in store.newest_intervals(MAX_INTERVALS))
    return any(sha.startswith(revision.lower()) and not source.has_commit(sha) for sha in live)


def roll_back(
    reconciler: Reconciler,
    request: RollbackRequest,
    more: MoreIntervals = lambda commits: (),
    progress: Progress = lambda done, total: None,
) -> SyncResult:
    """Go back from what git has. Raises like `go_back`, and `NotInGit`."""
    if reconciler.store.applied() is not None:
        reconciler.claimant.check(reconciler.store)
    reconciler.processor.faults.known.read(reconciler.store)
    return go_back(reconciler.store, past_in_git(reconciler, more), request, reconciler.clock, progress)


def go_back(
    store: Store, past: Past, request: RollbackRequest, clock: Clock, progress: Progress = lambda done, total: None
) -> SyncResult:
    """Make the rows those of an earlier applied commit, and skip the one that is live.

    Raises `UsageError` where there is none, or it never was live here; `RefusedError` when a guard or a policy, of that
    commit or of the live one, is against it, or it would switch on what is halted; other `ReconcilerError` when git or
    the store fail. Then no row changes.
    """
    applied, before = store.applied(), store.rollback()
    if applied is None:
        raise UsageError("nothing is live yet: there is nothing to go back from", hint="run `reconciler sync` first")
    target = past.find(applied, before, request.to)
    commit = past.state_at(target, progress)
    proposal = _propose(store, past, commit, applied)
    kinds_before = stored_kinds(store.kinds())
    admission = _review(store, past, proposal)
    if admission.refused:
        errors = [problem for problem in admission.problems if problem.is_error]
        shown = "; ".join(f"{one.path}:{one.line} [{one.code}] {one.message}" for one in errors[:SHOWN])
        more_errors = f", and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        raise RefusedError(
            f"the rollback to {target[:8]} is refused, no row was changed: {shown}{more_errors}",
            hint=halt_hint(kinds_before, store.counts()),
        )
    skipped = _find_skipped(past.trees, proposal, before)
    head = before.skipped if before else applied.stamp.commit
    rollback = Rollback(target, head, request.reason, request.by, clock.now(), skipped)
    kinds, update = proposal.request.new.kinds, _store_update(past, proposal, admission)
    migrated = bool(kinds.changed_from(kinds_before))
    began = time.perf_counter()
    now = store.roll_back(kinds, update, rollback)
    seconds, rows = time.perf_counter() - began, tuple(rows_under(store.halts(), kinds, update.rows))
    step = AppliedStep(kinds, applied, now, rows, True, migrated, seconds)
    changes = changes_under(store.halts(), kinds, proposal.changes)
    plan = Plan(applied.stamp.commit, target, changes, admission.problems)
    return SyncResult(target, now, store.last_attempt(), plan, None, step)


def _store_update(past: Past, proposal: Proposal, admission: AdmissionResult) -> StoreUpdate:
    new = proposal.request.new
    return proposal.store_update(admission, past.rules.offer_rules(new.rules, new.commit), rebuilt=past.rebuilt)


def _state_at(reconciler: Reconciler, target: str, progress: Progress) -> ProcessedCommit:
    """The target with the rows that its history made: their time stamps have to be those of any other host."""
    walk, mainline = reconciler.history_walk, Mainline()
    try:
        start, parents = walk.start_anew(target)
        for done, commit in enumerate(walk.process_commits(start, target, parents), 1):
            mainline = mainline.extend(commit)
            progress(done, len(parents))
    except NeedsHuman as error:
        raise NotInGit(f"git cannot read {target[:8]}: {error}", hint=error.hint) from error
    last = mainline.last
    if last is None or last.version.commit.sha != target or last.version.status is not Status.VALID:
        raise NeedsHuman(
            f"this version of the program cannot read {target[:8]}, which was live: no row was changed",
            hint="go back to another one with --to, or revert in git",
        )
    return last


def _propose(
    store: Store, past: Past, commit: ProcessedCommit, applied: Applied | None, bad: CommitState | None = None
) -> Proposal:
    """From what is live (None: nothing) to a commit; what came later, also up to a bad state, is kept INACTIVE."""
    kinds = stored_kinds(store.kinds())
    base: Base = store.base(kinds) if applied else EmptyBase()
    nothing = MessageApprovals()
    before = applied.stamp.commit if applied else None
    proposal = propose_replacement(base, before, kinds, past.rules_at, commit, nothing)
    old, new = proposal.request.old, proposal.request.new
    declared = {row.row_id for row in proposal.rows}
    later = {row.row_id: row for row in (bad.rows() if bad else ())} | {row.row_id: row for row in base.rows()}
    modes = [side.rules.spec.prune.mode for side in (old, bad) if side is not None]
    mode = reduce(Prune.milder, modes, new.rules.spec.prune.mode)
    others = frozenset().union(*(new.kinds.changed_from(side.kinds) for side in (old, bad) if side is not None))
    same = {kind.name for kind in new.kinds} - others
    left = [row for row_id, row in later.items() if row_id not in declared and row.resource.kind in same]
    return _keep_rows(proposal, left, commit.version.commit.stamp, mode)


def _review(store: Store, past: Past, proposal: Proposal) -> AdmissionResult:
    """What rules and halts have against the step."""
    admission = past.admission.review(proposal.request)
    switched_on = find_switched_on(store.halts(), proposal.request, proposal.rows)
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


def _find_skipped(trees: Trees, proposal: Proposal, before: Rollback | None) -> Skipped:
    """What the live state says and the target does not, with what was skipped already."""
    old, new = proposal.request.old, proposal.request.new
    assert old is not None
    skipped = _compare_states(trees, old, new)
    if before is None:
        return skipped
    paths = [file.path for file in before.changes.files]
    blobs = {file.path: file.blob for file in (trees.files(new.commit, paths) if paths else ()) if file.blob}
    return skipped + without_target(before.changes, candidate_of_rows(new.rows(), blobs))


def _compare_states(trees: Trees, bad: CommitState, target: CommitState) -> Skipped:
    at_target: Mapping[RowId, Row] = {row.row_id: row for row in target.rows()}
    rows = {row.row_id: row for row in bad.rows()}
    changes = [change for row in rows.values() if (change := change_between(at_target.get(row.row_id), row))]
    gone = (row for row_id, row in at_target.items() if row_id not in rows and row.removed is None)
    changes += [Change(Op.DELETE, row.resource, None) for row in gone]
    layouts = (bad.rules.layout, target.rules.layout)
    return skipped_values(sort_changes(changes), find_skipped_files(trees, target.commit, bad.commit, layouts))


def recover_rollback(reconciler: Reconciler) -> AppliedStep | None:
    """Go back again where the rows are not those of the target of the rollback in force; None where they are.

    So it does where they were made without git. Neither a deleted state folder nor a restored backup may bring the
    skipped commit back.
    """
    store, source, applied = reconciler.store, reconciler.claimant.source, reconciler.store.applied()
    told = store.rollback()
    if told is None or not source.has_commit(told.target):
        return None
    if applied and applied.stamp.commit == told.target and not applied.rebuilt:
        return None
    reconciler.claimant.bind(store, reconciler.branch, once=not reconciler.binds)
    past = past_in_git(reconciler)
    commit = past.state_at(told.target, lambda done, total: None)
    bad = None
    with suppress(NeedsHuman):  # what is known of it counts, where git has no more
        if source.has_commit(told.skipped):
            bad = commit_state(past.state_at(told.skipped, lambda done, total: None))
    proposal = _propose(store, past, commit, applied, bad)
    admission = _review(store, past, proposal)
    if admission.refused:
        raise RefusedError(
            f"this host is rolled back to {told.target[:8]}, as the history says, and rules are against that commit",
            hint="mend the rules, or `reconciler rollback --end --reason …`",
        )
    if bad is not None and told.changes == Skipped():  # they were too many to be told
        told = replace(told, changes=_compare_states(source, bad, proposal.request.new))
    kinds, update = proposal.request.new.kinds, _store_update(past, proposal, admission)
    now = store.roll_back(kinds, update, told)
    rows = tuple(rows_under(store.halts(), kinds, update.rows))
    return AppliedStep(kinds, applied, now, rows, replaced=True, migrated=True)


def halt_hint(kinds: Kinds, counts: Mapping[str, int]) -> str:
    """What a halt would do, which no rule can refuse."""
    rows = [f"{counts[kind.name]:,} {kind.name}" for kind in kinds if kind.halt and counts.get(kind.name)]
    if not rows:
        return "mend it in git; no kind with live rows can be halted"
    return (
        f"`reconciler halt --all --reason …` makes {list_words(rows)} INACTIVE at once, whatever the rules say; "
        "else revert in git and approve that"
    )
