"""One reconcile: the branch's head becomes the live rows, and every commit a version.

A reconcile walks the history from the applied commit to the head and applies what the last valid commit declares. A
plan makes the same walk and writes nothing.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.errors import ReconcilerError, UsageError
from reconciler.guards import BulkChanges
from reconciler.kinds.build import stored_kinds
from reconciler.model.commit import Applied, Attempt, Status
from reconciler.plan import Plan
from reconciler.reconcile.admission import MessageApprovals, propose_replacement, propose_update
from reconciler.reconcile.branch import gone
from reconciler.reconcile.faults import is_commit_fault, raise_host_fault
from reconciler.reconcile.holds import find_held
from reconciler.reconcile.outbox import Outbox, OutboxRecorder
from reconciler.reconcile.record import Recorder, RecordResult, backfill
from reconciler.reconcile.walk import ProcessedCommit, WalkStart, mainline_contains, walk_history
from reconciler.slices import SLICE, contents, let_go
from reconciler.snapshot.snapshot import EmptyBase, LoadedBase
from reconciler.tables.rows import changes_under, rows_under
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.gitports import Source
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Change, Row
    from reconciler.model.commit import Version
    from reconciler.model.halt import HaltStep
    from reconciler.model.host import Suspension
    from reconciler.model.problem import Problem
    from reconciler.model.spec import RepositorySpec
    from reconciler.ports import Base, Clock, Store, StoreReader
    from reconciler.reconcile.admission import AdmissionController, AdmissionResult, Proposal
    from reconciler.reconcile.ownership import Claimant
    from reconciler.reconcile.record import OpenLedger
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.reconcile.walk import CommitProcessor, Parents, Progress

    Rehearse = Callable[[Source, str, BundledSchemas, str | None, str], None]
    """Takes the step from a commit (None: from nothing) to another, from nothing but git."""

ROWS_PER_LOOKUP = 500
"""Rows that are loaded in the time it takes to look up one changed file: its resources, names, ids and references."""


def current_suspension(store: Store) -> Suspension | None:
    """The suspension in force. Ends an expired one, which is a host event."""
    store.expire()
    return store.suspension()


class CommitApproval(Struct, frozen=True):
    """Approval to apply one commit against guards and policies: a revision, and who approves."""

    revision: str
    by: str


class AppliedStep(Struct, frozen=True):
    """What the store took: the rows that differ from the state before (`base`; None: nothing), under some kinds.

    `replaced` says that whatever is not among the rows is gone, `migrated` that what is not among them may look
    different, as its kind changed; `seconds` is how long the store took.
    """

    kinds: Kinds
    base: Applied | None
    applied: Applied
    rows: tuple[Row, ...]
    replaced: bool = False
    migrated: bool = False
    seconds: float = 0.0

    @classmethod
    def of_halts(cls, kinds: Kinds, step: HaltStep) -> AppliedStep | None:
        """What halts changed; None where nothing is live."""
        if step.applied is None:
            return None
        return cls(kinds, step.base, step.applied, step.rows or (), migrated=step.rows is None)


class SyncResult(Struct, frozen=True):
    """What a reconcile did. `head` is None for a branch without commits; `plan` is what changed in the live rows."""

    head: str | None
    applied: Applied | None
    attempt: Attempt | None
    plan: Plan
    history: RecordResult | None
    applied_step: AppliedStep | None = None

    def contents(self) -> list[object]:
        """What it holds much of, to `let_go` once it is dropped."""
        return [*self.plan.changes, *(self.applied_step.rows if self.applied_step else ())]


class Reconciler(Struct, frozen=True):
    """Reconciles one branch of one repository into one store and one ledger (None: no history is kept).

    `claimant` is the repository, which the store has to belong to. With an `outbox`, versions are put there instead of
    written to the ledger. `bundled` are the kinds that the program brings. `binds`: the store is bound to the
    branch. `rehearse` takes a step again, in a fresh process, when taking it failed.
    """

    claimant: Claimant
    branch: str
    store: Store
    open_ledger: OpenLedger | None
    processor: CommitProcessor
    admission: AdmissionController
    bundled: Kinds
    clock: Clock
    rehearse: Rehearse
    outbox: Outbox | None = None
    binds: bool = True

    def sync(
        self,
        progress: Progress = lambda done, total: None,
        approval: CommitApproval | None = None,
        *,
        rejudge: bool = False,
        on_applied: Callable[[AppliedStep | None], object] = lambda step: None,
    ) -> SyncResult:
        """Bring store and ledger to the branch's head; with `rejudge`, judge all commits of its history again.

        `on_applied` is told of the step, if there is one, once the store has it: the ledger may still be busy.

        An invalid head changes only what valid commits before it declare; a commit that a guard or policy refuses
        changes nothing, unless it is approved. When the ledger fails, the rows go live all the same and the result
        has the error. Raises `ReconcilerError` when git or the store fail, and `UsageError` when the approval is for
        another commit than the one to apply.
        """
        if rejudge:
            self.processor.forget_faults()
            self.processor.faults.known.write(self.store)
        head = self.claimant.source.branch_head(self.branch)
        self.claimant.bind(self.store, None if head is None else self.branch, once=not self.binds)
        if head is None:
            if self.store.applied() is not None:
                raise gone(self.branch)
            on_applied(None)
            return SyncResult(None, None, self.store.last_attempt(), Plan(None, "", ()), None)
        walk = self.history_walk
        walk.check_folder(head, self.branch)
        start, parents = walk.start_anew(head) if rejudge else walk.find_start(head)
        rewritten = self._is_rewritten(start, parents)
        with self._knowing_faults(), self._recorder(start, head, parents, rewritten, rejudge=rejudge) as recorder:
            mainline = self._walk(start, head, parents, recorder, progress)
            plan, step = self._apply(start, head, mainline, approval)
            on_applied(step)
        history = recorder.result if recorder else None
        if history is not None and history.error is None and (history.behind or rewritten):
            history = self._backfill(head, history.versions, progress)
        left = contents(start, mainline) if len(plan.changes) > SLICE else []
        del start, mainline, recorder
        let_go(left)
        return SyncResult(head, self.store.applied(), self.store.last_attempt(), plan, history, step)

    def offer_waiting(self, progress: Progress) -> None:
        """Put the versions up to the branch's head into the outbox, and leave the rows as they are."""
        head = self.claimant.source.branch_head(self.branch)
        if head is None or self.outbox is None or self.outbox.is_at(head):
            return
        start, parents = self.history_walk.find_start(head)
        rewritten = self._is_rewritten(start, parents)
        with self._knowing_faults(), self._recorder(start, head, parents, rewritten) as recorder:
            self._walk(start, head, parents, recorder, progress)

    def kinds(self) -> Kinds:
        """The kinds of the live rows."""
        return self.history_walk.kinds()

    @property
    def history_walk(self) -> HistoryWalk:
        """The walk from the live rows."""
        return HistoryWalk(self.claimant.source, self.processor, self.store, self.bundled)

    @contextmanager
    def _knowing_faults(self) -> Iterator[None]:
        """What cannot be judged is known from the last time, and the next time."""
        known = self.processor.faults.known
        kept = known.read(self.store)
        try:
            yield
        finally:
            known.write(self.store, kept)

    def _recorder(
        self, start: WalkStart, head: str, parents: Parents, rewritten: bool, *, rejudge: bool = False
    ) -> Recorder | OutboxRecorder | nullcontext[None]:
        if self.outbox is not None:
            known = {*parents, start.commit} if start.commit else parents.keys()
            return OutboxRecorder(self.outbox, head, known, rewritten=rewritten or start.commit is None, again=rejudge)
        if self.open_ledger is None:
            return nullcontext()
        return Recorder(self.open_ledger, start.commit, parents.keys(), again=rejudge)

    def _is_rewritten(self, start: WalkStart, parents: Parents) -> bool:
        """Whether the last attempted commit is gone although the applied commit before it is there."""
        attempt = self.store.last_attempt()
        return start.commit is not None and attempt is not None and attempt.stamp.commit not in {*parents, start.commit}

    def _backfill(self, head: str, recorded: int, progress: Progress) -> RecordResult:
        """Record what the ledger lacks of the whole history, after the walk recorded so many versions."""
        assert self.open_ledger is not None
        try:
            with self.open_ledger() as ledger:
                added = backfill(self.claimant.source, self.processor, head, ledger, progress=progress)
                return RecordResult(recorded + added)
        except ReconcilerError as error:
            return RecordResult(recorded, error=error)

    def _walk(
        self,
        start: WalkStart,
        head: str,
        parents: Parents,
        recorder: Recorder | OutboxRecorder | None,
        progress: Progress,
    ) -> Mainline:
        mainline = self.history_walk.begin_mainline(start)
        for done, commit in enumerate(self.history_walk.process_commits(start, head, parents), 1):
            if recorder:
                recorder.offer(commit)
            mainline = mainline.extend(commit)
            progress(done, len(parents))
        return mainline

    def _apply(
        self, start: WalkStart, head: str, mainline: Mainline, approval: CommitApproval | None
    ) -> tuple[Plan, AppliedStep | None]:
        applied = self.store.applied()
        base = applied.stamp.commit if applied else None
        self._check_approval(mainline.valid.version.commit.sha if mainline.valid else base, approval)
        problems = mainline.last.version.problems if mainline.last else ()
        proposal = self.history_walk.propose(start, mainline)
        if proposal is None:
            return self._record_refusal(Plan(base, head, (), problems), mainline), None
        held = find_held(self.store, self.claimant.source, self.processor, proposal)
        if held:
            return self._record_refusal(Plan(base, head, (), tuple(sorted({*problems, *held}))), mainline, held), None
        subject = self.processor.name_step(None if proposal.replaces else base, proposal.commit)
        fault = self.processor.known_fault(subject)
        if fault is None:
            try:
                admission = self.admission.review(proposal.request)
                if approval is not None:
                    admission = admission.approve(approval.by)
                plan = Plan(base, head, self._told(proposal), tuple(sorted({*problems, *admission.problems})))
                if admission.refused:
                    refused = Plan(base, head, (), plan.problems)
                    return self._record_refusal(refused, mainline, admission.problems), None
                step = self._take(proposal, admission, applied)
            except BaseException as error:  # noqa: BLE001  raised again unless the commit is at fault
                fault = self._find_fault(subject, base, proposal, error)
            else:
                return self._record_refusal(plan, mainline), step
        refused = Plan(base, head, (), tuple(sorted({*problems, fault})))
        return self._record_refusal(refused, mainline, (fault,)), None

    def _take(self, proposal: Proposal, admission: AdmissionResult, applied: Applied | None) -> AppliedStep:
        write = self.store.replace if proposal.replaces else self.store.apply
        new = proposal.request.new
        kinds = new.kinds
        update = proposal.store_update(admission, self.processor.rules.offer_rules(new.rules, new.commit))
        began = time.perf_counter()
        now = write(kinds, update)
        self.processor.kept_base.follow(proposal.commit.state.base, now, kinds, proposal.rows)
        seconds, old = time.perf_counter() - began, proposal.request.old
        migrated = old is not None and bool(kinds.changed_from(old.kinds))
        rows = tuple(rows_under(self.store.halts(), kinds, update.rows))
        return AppliedStep(kinds, applied, now, rows, proposal.replaces, migrated, seconds)

    def _told(self, proposal: Proposal) -> tuple[Change, ...]:
        return changes_under(self.store.halts(), proposal.request.new.kinds, proposal.changes)

    def _find_fault(self, subject: str, base: str | None, proposal: Proposal, error: BaseException) -> Problem:
        """Why a step that failed here fails in a fresh process as well. Raises what is not the commit's fault."""
        commit, processor = proposal.commit.version.commit.sha, self.processor
        if not is_commit_fault(error):
            raise_host_fault(commit, error)
        old = None if proposal.replaces else base
        again = processor.faults.try_again
        answer = again(self.rehearse, self.claimant.source, processor.rules.folder, processor.bundled, old, commit)
        if not answer.fault:
            raise error
        return processor.note_fault(subject, commit, answer, error)

    def _record_refusal(self, plan: Plan, mainline: Mainline, judged: Sequence[Problem] = ()) -> Plan:
        """Record in the store that the head was refused, if the plan says so; returns the plan.

        `judged` is why the last valid commit was refused, when it was.
        """
        if plan.refused and mainline.last is not None:
            stamp, now = mainline.last.version.commit.stamp, self.clock.now()
            candidate = None
            if judged and mainline.valid is not None and mainline.valid is not mainline.last:
                candidate = Attempt(mainline.valid.version.commit.stamp, now, refused=True, problems=tuple(judged))
            self.store.refuse(Attempt(stamp, now, refused=True, problems=plan.problems), candidate)
        return plan

    def _check_approval(self, candidate: str | None, approval: CommitApproval | None) -> None:
        if approval is None or self.claimant.source.resolve(approval.revision) == candidate:
            return
        raise UsageError(
            f"{approval.revision} is not the commit to go live, so nothing was done",
            hint=f"look at what {(candidate or 'the head')[:8]} would do with `reconciler plan`, and approve that",
        )


class Mainline(Struct, frozen=True):
    """How far a walk is along the mainline: the last commit, and the last valid one.

    `approved` is what the messages of commits approve, `bulks` what so many resources are added by that a guard may
    object; None where nothing is live that it would come to.
    """

    last: ProcessedCommit | None = None
    valid: ProcessedCommit | None = None
    approved: MessageApprovals = field(default_factory=MessageApprovals)
    bulks: BulkChanges | None = None

    def extend(self, commit: ProcessedCommit) -> Mainline:
        """The mainline after one more commit; one of a side branch does not extend it."""
        version = commit.version
        if not version.mainline:
            return self
        approved = self.approved.add(version.commit, commit.state.snapshot.tree.kinds)
        valid = commit if version.status is Status.VALID else self.valid
        return Mainline(commit, valid, approved, self._add_bulks(version, commit.state.rules.spec))

    def _add_bulks(self, version: Version, spec: RepositorySpec) -> BulkChanges | None:
        changes = (row.change for row in version.rows)
        return None if self.bulks is None else self.bulks.add(version.commit.sha, changes, spec)


class HistoryWalk(Struct, frozen=True):
    """The walk from the rows in a store to a commit. `bundled` are the kinds that the program brings."""

    source: Source
    processor: CommitProcessor
    store: StoreReader
    bundled: Kinds

    def check_folder(self, head: str, revision: str) -> None:
        """Raise `UsageError` when the head, known by a revision, lacks the folder where the configuration begins."""
        folder = self.processor.rules.folder
        if folder and self.source.folder_tree(head, folder) is None:
            raise UsageError(
                f"{revision} has no folder {folder}: nothing was changed",
                hint="name the folder where the configuration begins with --path, or bring it back",
            )

    def kinds(self) -> Kinds:
        """The kinds of the live rows."""
        return stored_kinds(self.store.kinds())

    def find_start(self, head: str) -> tuple[WalkStart, Parents]:
        """Where to start, and the commits from there to a head: at the applied commit, if it is in the head's history.

        Otherwise, and when the rows were made under other kinds or without git, at the empty state.
        """
        applied = self.store.applied()
        if applied is None or applied.rebuilt or not self._has_bundled_kinds():
            return self.start_anew(head)
        known = applied.stamp.commit
        try:
            parents = self.source.parents(head, known=known)
        except UsageError:  # the history was rewritten, and git has collected the commit
            return self.start_anew(head)
        if not mainline_contains(parents, head, known):
            return self.start_anew(head)
        try:
            state = self.processor.load_state(known, self._base(applied, head), applied.digest, applied.height)
        except BaseException as error:  # noqa: BLE001  raised again unless a commit is at fault
            if not is_commit_fault(error):
                raise_host_fault(known, error)
            return self.start_anew(head)  # this version of the program cannot read what another one applied
        return WalkStart(known, state), parents

    def begin_mainline(self, start: WalkStart) -> Mainline:
        """The mainline before the first commit of a walk from the live rows."""
        applied = self.store.applied()
        if applied is None:
            return Mainline()
        if start.commit is not None:
            return Mainline(bulks=BulkChanges(start.state.rules.spec))
        commit = applied.stamp.commit
        return Mainline(bulks=BulkChanges(self.processor.rules.find_rules(commit).spec, since=commit))

    def process_commits(self, start: WalkStart, head: str, parents: Parents) -> Iterator[ProcessedCommit]:
        """Process every commit from the start to a head, parents first."""
        return walk_history(self.source, self.processor, start, head, parents)

    def propose(self, start: WalkStart, mainline: Mainline) -> Proposal | None:
        """What the last valid commit of a walk would change in the live rows; None when there is no valid commit."""
        if mainline.valid is None:
            return None
        proposal = self._propose(start, mainline.valid, mainline.approved)
        bulks = mainline.bulks.found if mainline.bulks else ()
        return replace(proposal, request=replace(proposal.request, bulks=bulks))

    def _propose(self, start: WalkStart, commit: ProcessedCommit, approved: MessageApprovals) -> Proposal:
        if start.commit is not None:
            return propose_update(start, commit, approved)
        applied = self.store.applied()
        kinds = self.kinds()
        base = self.store.base(kinds) if applied else EmptyBase()
        before = applied.stamp.commit if applied else None
        return propose_replacement(base, before, kinds, self.processor.rules.find_rules, commit, approved)

    def start_anew(self, head: str) -> tuple[WalkStart, Parents]:
        """The empty state, and all commits of a head."""
        return WalkStart(None, self.processor.empty_state()), self.source.parents(head)

    def _base(self, applied: Applied, head: str) -> Base:
        """The state at the applied commit: looked up row by row, or loaded at once when many files changed."""
        kept, kinds = self.processor.kept_base, self.kinds()
        found = kept.find(applied, kinds)
        if found is not None:
            return found
        base = self.store.base(kinds)
        try:
            lookup_cost = len(self.source.changes(applied.stamp.commit, head)) * ROWS_PER_LOOKUP
        except BaseException as error:  # noqa: BLE001  raised again unless a commit is at fault, which shows later
            if not is_commit_fault(error):
                raise_host_fault(head, error)
            return base
        if lookup_cost < sum(self.store.counts().values()):
            return base
        return kept.keep(applied, LoadedBase(base.rows(), kinds))

    def _has_bundled_kinds(self) -> bool:
        """Whether the rows were made under the bundled kinds; those of another release are made anew."""
        stored = self.store.kinds()
        return all(stored.get(kind.name) == kind.schema for kind in self.bundled)
