"""One reconcile: the branch's head becomes the live rows, and every commit a version.

A reconcile walks the history from the applied commit to the head and applies what the last valid commit declares; a
plan walks the same way and only looks.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.commit import Applied, Attempt, Status
from reconciler.plan import Plan
from reconciler.reconcile.admission import PRUNE, advancing, replacing
from reconciler.reconcile.outbox import Offering, Outbox
from reconciler.reconcile.record import Recorded, Recorder, catch_up
from reconciler.reconcile.rules import stored_kinds
from reconciler.reconcile.walk import Origin, Step, joins, replay
from reconciler.snapshot.base import EmptyBase, LoadedBase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.commit import Application
    from reconciler.model.host import Suspension
    from reconciler.ports import Base, Clock, Source, Store, StoreReader
    from reconciler.reconcile.admission import Judge, Proposal
    from reconciler.reconcile.processor import Stepper
    from reconciler.reconcile.record import OpenLedger

    Parents = Mapping[str, tuple[str, ...]]

    Progress = Callable[[int, int], None]


def suspended(store: Store) -> Suspension | None:
    """The suspension that holds now; one that has expired is ended, and that is a host event."""
    store.expire()
    return store.suspension()


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody's approval of what guards and policies have against one commit: a revision, and who gave it."""

    revision: str
    by: str


@dataclass(frozen=True, slots=True)
class WentLive:
    """A step that the store took from a commit (None: from nothing) under some kinds.

    `replaced` says that whatever the application does not hold is gone, too; `seconds` is how long the store took.
    """

    kinds: Kinds
    base: Applied | None
    application: Application
    replaced: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a reconcile did. `head` is None for a branch without commits; `plan` is what changed in the live rows."""

    head: str | None
    applied: Applied | None
    attempt: Attempt | None
    plan: Plan
    history: Recorded | None
    went_live: WentLive | None = None


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The reconcile of one branch of one repository into one store and one ledger (None keeps no history).

    `repository` is what store and ledger know the configuration by. With an `outbox` versions are put there, and
    nobody waits for the ledger.
    """

    source: Source
    repository: str
    branch: str
    store: Store
    open_ledger: OpenLedger | None
    stepper: Stepper
    judge: Judge
    shipped: Kinds
    clock: Clock
    outbox: Outbox | None = None

    def sync(self, progress: Progress = lambda done, total: None, consent: Consent | None = None) -> SyncResult:
        """Bring store and ledger to the branch's head.

        An invalid head changes no row but what valid commits before it brought; one that a guard or policy refuses
        changes none, unless somebody consents. A ledger that fails is told in the result and does not keep rows from
        going live. Raises `ReconcilerError` when git or the store fail, and `UsageError` when the consent is for a
        commit that is not the one to go live.
        """
        self.store.claim(self.repository, self.branch)
        head = self.source.resolve(self.branch)
        if head is None:
            return SyncResult(None, self.store.applied(), self.store.attempted(), Plan(None, "", ()), None)
        approach = self._approach
        approach.check_folder(head, self.branch)
        origin, parents = approach.origin(head)
        dropped = self._dropped(origin, parents)
        with self._recorder(origin, parents, dropped) as recorder:
            walk = self._walk(origin, head, parents, recorder, progress)
            plan, went = self._go_live(origin, head, walk, consent)
        history = recorder.result if recorder else None
        if history is not None and history.error is None and (history.behind or dropped):
            history = self._record_all(head, history.versions, progress)
        return SyncResult(head, self.store.applied(), self.store.attempted(), plan, history, went)

    def kinds(self) -> Kinds:
        """The kinds that the live rows were made under."""
        return self._approach.kinds()

    @property
    def _approach(self) -> Approach:
        return Approach(self.source, self.stepper, self.store, self.shipped)

    def _recorder(self, origin: Origin, parents: Parents, dropped: bool) -> Recorder | Offering | nullcontext[None]:
        if self.outbox is not None:
            return Offering(self.outbox, rewritten=dropped or origin.commit is None)
        return Recorder(self.open_ledger, origin.commit, parents.keys()) if self.open_ledger else nullcontext()

    def _dropped(self, origin: Origin, parents: Parents) -> bool:
        """Whether what was looked at last is gone although the applied commit before it is not: a refused head, say."""
        attempt = self.store.attempted()
        return (
            origin.commit is not None and attempt is not None and attempt.stamp.commit not in {*parents, origin.commit}
        )

    def _record_all(self, head: str, before: int, progress: Progress) -> Recorded:
        """Compare the ledger with the whole history, and record what it lacks; `before` counts what was by then."""
        assert self.open_ledger is not None
        try:
            with self.open_ledger() as ledger:
                return Recorded(before + catch_up(self.source, self.stepper, head, ledger, progress=progress))
        except ReconcilerError as error:
            return Recorded(before, error=error)

    def _walk(
        self, origin: Origin, head: str, parents: Parents, recorder: Recorder | Offering | None, progress: Progress
    ) -> Walk:
        walk = Walk()
        for done, step in enumerate(self._approach.steps(origin, head, parents), 1):
            if recorder:
                recorder.offer(step)
            walk = walk.on(step)
            progress(done, len(parents))
        return walk

    def _go_live(self, origin: Origin, head: str, walk: Walk, consent: Consent | None) -> tuple[Plan, WentLive | None]:
        applied = self.store.applied()
        base = applied.stamp.commit if applied else None
        self._check_consent(walk.valid.version.commit.sha if walk.valid else base, consent)
        problems = walk.last.version.problems if walk.last else ()
        proposal = self._approach.proposal(origin, walk)
        if proposal is None:
            return self._told(Plan(base, head, (), problems), walk), None
        judgement = self.judge.judge(proposal.transition)
        if consent is not None:
            judgement = judgement.approved(consent.by)
        plan = Plan(base, head, proposal.changes, tuple(sorted({*problems, *judgement.problems})))
        if judgement.refused:
            return self._told(Plan(base, head, (), plan.problems), walk), None
        put = self.store.replace if proposal.replaces else self.store.apply
        kinds, application = proposal.transition.new.kinds, proposal.application(judgement)
        began = time.perf_counter()
        put(kinds, application)
        taken = time.perf_counter() - began
        return self._told(plan, walk), WentLive(kinds, applied, application, proposal.replaces, taken)

    def _told(self, plan: Plan, walk: Walk) -> Plan:
        """The plan; when something keeps the head from going live, the store is told."""
        if plan.refused and walk.last is not None:
            stamp = walk.last.version.commit.stamp
            self.store.refuse(Attempt(stamp, self.clock.now(), refused=True, problems=plan.problems))
        return plan

    def _check_consent(self, candidate: str | None, consent: Consent | None) -> None:
        if consent is None or self.source.resolve(consent.revision) == candidate:
            return
        raise UsageError(
            f"{consent.revision} is not the commit to go live, so nothing was done",
            hint=f"look at what {(candidate or 'the head')[:8]} would do with `reconciler plan`, and approve that",
        )


LOOK_UP_PER_ROW = 500
"""Rows that are loaded in the time in which one changed file is looked up: its resources, names, ids and references."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk came to on the mainline: the last commit, and the last valid one.

    `approved` are the commits whose message approves of what they remove.
    """

    last: Step | None = None
    valid: Step | None = None
    approved: frozenset[str] = frozenset()

    def on(self, step: Step) -> Walk:
        """After one more step; those off the mainline lead nowhere."""
        if not step.version.mainline:
            return self
        commit = step.version.commit
        approved = self.approved | {commit.sha} if commit.approves(PRUNE) else self.approved
        return Walk(step, step if step.version.status is Status.VALID else self.valid, approved)


@dataclass(frozen=True, slots=True)
class Approach:
    """From the rows in a store to a commit. `shipped` are the kinds that come with this program."""

    source: Source
    stepper: Stepper
    store: StoreReader
    shipped: Kinds

    def check_folder(self, head: str, revision: str) -> None:
        """Raise `UsageError` when the head, known by a revision, lacks the folder where the configuration begins."""
        folder = self.stepper.rules.folder
        if folder and not self.source.has_folder(head, folder):
            raise UsageError(
                f"{revision} has no folder {folder}: nothing was changed",
                hint="name the folder where the configuration begins with --path, or bring it back",
            )

    def kinds(self) -> Kinds:
        """The kinds that the live rows were made under."""
        return stored_kinds(self.store.kinds())

    def beginning(self, head: str) -> tuple[Origin, Parents]:
        """From nothing."""
        return Origin(None, self.stepper.nothing()), self.source.parents(head)

    def origin(self, head: str) -> tuple[Origin, Parents]:
        """From the applied commit, if the rows it left are those that the head's history starts with."""
        applied = self.store.applied()
        if applied is None or not self._understands_store():
            return self.beginning(head)
        known = applied.stamp.commit
        try:
            parents = self.source.parents(head, known=known)
        except UsageError:  # the commit is gone: the history was rewritten, and git collected the old one
            return self.beginning(head)
        if not joins(parents, head, known):
            return self.beginning(head)
        position = self.stepper.at(known, self._base(known, head), applied.digest, applied.height)
        return Origin(known, position), parents

    def steps(self, origin: Origin, head: str, parents: Parents) -> Iterator[Step]:
        """Every commit on the way, parents first."""
        return replay(self.source, self.stepper, origin, head, parents)

    def proposal(self, origin: Origin, walk: Walk) -> Proposal | None:
        """What the last valid commit of a walk would do to the live rows; None when there is none."""
        if walk.valid is None:
            return None
        if origin.commit is not None:
            return advancing(origin, walk.valid, walk.approved)
        applied = self.store.applied()
        kinds = self.kinds()
        base = self.store.base(kinds) if applied else EmptyBase()
        before = applied.stamp.commit if applied else None
        return replacing(base, before, kinds, self.stepper.rules, walk.valid, walk.approved)

    def _base(self, known: str, head: str) -> Base:
        """The state at the applied commit: looked up, or loaded at once when much of it is going to be asked for."""
        base = self.store.base(self.kinds())
        asked = len(self.source.changes(known, head)) * LOOK_UP_PER_ROW
        return base if asked < sum(self.store.counts().values()) else LoadedBase(base.rows(), self.kinds())

    def _understands_store(self) -> bool:
        """Whether the rows were made under the kinds this program ships; another release's are made anew."""
        made_under = self.store.kinds()
        return all(made_under.get(kind.name) == kind.schema for kind in self.shipped)
