"""A host in this process, for one command while no daemon runs: everything is opened for a call and closed after it."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import ReconcilerError, RetryLater, UsageError
from reconciler.ledger.copy import copy_history
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.branch import bound_branch, check_asked, planned_head
from reconciler.reconcile.empty import EmptyStore
from reconciler.reconcile.goback import NotInGit, recover_rollback
from reconciler.reconcile.plan import Planner
from reconciler.reconcile.remembered import Memory
from reconciler.reconcile.roots import NOT_SIGNED
from reconciler.reconcile.sync import Reconciler
from reconciler.reconcile.targets import recorded_intervals
from reconciler.reconcile.upload import upload_at_once
from reconciler.reconcile.verify import Difference, Verifier
from reconciler.reconcile.walk import CommitProcessor
from reconciler.report.rollback import parse_rolled_back
from reconciler.service.context import (
    EVIDENCE,
    HISTORY,
    PUBLISHED,
    Target,
    branch_choice,
    branch_conditions,
    describe_place,
    recorded_branch,
)
from reconciler.service.host import history_off
from reconciler.service.localreading import LocalReader
from reconciler.service.recall import recall_past
from reconciler.service.rehearsal import rehearse_step
from reconciler.service.standing import read_halts
from reconciler.settings import NO_HISTORY
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler import answers
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.gitports import Source
    from reconciler.kinds.kind import Kinds
    from reconciler.ledger.connection import RecordedBranch
    from reconciler.ledger.copy import CopiedTable
    from reconciler.plan import Plan
    from reconciler.ports import Store, StoreReader
    from reconciler.reconcile.record import OpenLedger
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.reconcile.targets import MoreIntervals
    from reconciler.service.context import Openers, Place

    Publish = Callable[[AppliedStep | None], tuple[HostCondition, ...]]

BRIEF_SILENCE = 5
"""Seconds that a ClickHouse server may say nothing before what a command does."""


class DaemonCommit(NamedTuple):
    """The commit that a daemon has live, None for none, the branch that it follows, and the rollback it is under."""

    commit: str | None
    branch: str
    rolled_back: answers.RolledBack | None = None


class LocalHost(LocalReader):
    """The same, and what changes it."""

    openers: Openers

    def _make_planner(self, source: Source) -> Planner:
        return Planner.of_folder(
            source, self.settings.path, self.bundled, self.openers.policy_engine, self.openers.faults
        )

    @contextmanager
    def open_verifier(self) -> Iterator[Verifier]:
        """Raises `UsageError` when nothing was synced here, `NeedsHuman` when the store is another repository's."""
        with self.open_place() as place:
            opened = self.openers.reader(place.state)
            if opened is None:
                raise UsageError("nothing is live yet: there is nothing to verify", hint="run `reconciler sync` first")
            with opened as store:
                place.claimant.check(store)
                followed = self.follow(place, branch_choice(self.settings), store)
                if followed.head is None:
                    followed.followed_head()
                target = Target(place.source, place.state, place.folder, place.name, followed.name)
                yield Verifier(
                    source=target.source,
                    processor=CommitProcessor(target.source, self.settings.path, self.bundled, self.openers.faults),
                    repository=target.repository,
                    branch=target.branch,
                    store=store,
                    open_ledger=self.ledger_reader(*_recorded(target, store)),
                    compare_view=self.openers.compare_view(target.state) if self.openers.compare_view else None,
                )

    def compare_rows(self, place: Place) -> tuple[Difference, ...]:
        """Where the rows of a store are not what git says at its commit."""
        with self.openers.reader(place.state) or nullcontext() as store:
            if store is None:
                return ()
            processor = CommitProcessor(place.source, place.folder, self.bundled, self.openers.faults)
            verifier = Verifier(place.source, processor, place.repository, "", store, None)
            return verifier.compare_rows(self.progress)

    @contextmanager
    def open_reconciler(self, asked: str | None) -> Iterator[tuple[Reconciler, tuple[HostCondition, ...], Publish]]:
        """Everything that one reconcile needs, with a repository elsewhere fetched before.

        `asked` is the branch of this call. Beside it what should be looked at although the branch is followed, and what
        publishes the rows afterwards. Raises `BranchError` when the branch cannot be followed.
        """
        self.openers.fetch()
        with self.open_place() as place, self.openers.store(place.state) as store:
            choice = replace(branch_choice(self.settings), asked=asked)
            place.claimant.check(store)
            check_asked(asked, bound_branch(store))
            followed = self.follow(place, choice, store)
            followed.followed_head()
            target = Target(place.source, place.state, place.folder, place.name, followed.name)
            reconciler = self._make_reconciler(target, store, binds=followed.binds)
            reader = self.ledger_reader(*_recorded(target, store), BRIEF_SILENCE)
            unknown = recall_past(store, self.openers.halts(place.state), reader, self.name, self.clock)
            warnings = (*branch_conditions(followed, self.clock), *([unknown] if unknown else []))
            recovered = recover_rollback(reconciler)
            yield reconciler, warnings, lambda step: self.publish(place.state, store, step or recovered)

    @contextmanager
    def open_returning(self) -> Iterator[tuple[Reconciler, MoreIntervals, Publish]]:
        """What a rollback needs: the repository as it is on this machine, whatever became of its branch.

        Beside it what the ledger knows of intervals, and what publishes the rows afterwards. Raises `NotInGit` where
        there is no repository.
        """
        with self._open_nearby() as place, self.openers.store(place.state) as store:
            place.claimant.check(store)
            branch = bound_branch(store) or self.follow(place, branch_choice(self.settings), store).name
            target = Target(place.source, place.state, place.folder, place.name, branch)
            open_ledger = self.ledger_reader(*_recorded(target, store), BRIEF_SILENCE)
            reconciler = self._make_reconciler(target, store, binds=True)
            reconciler = replace(reconciler, open_ledger=self.ledger_opener(*_recorded(target, store), BRIEF_SILENCE))
            yield (
                reconciler,
                partial(recorded_intervals, open_ledger, self.name),
                partial(self.tell, place.state, store, reconciler.open_ledger),
            )

    @contextmanager
    def _open_nearby(self) -> Iterator[Place]:
        with ExitStack() as stack:
            try:
                source = stack.enter_context(self.openers.nearby())
            except ReconcilerError as error:
                raise NotInGit(str(error), hint=error.hint) from error
            yield describe_place(source, self.settings)

    @contextmanager
    def open_memory(self, error: ReconcilerError) -> Iterator[tuple[DuckDBStore, Memory, Publish]]:
        """What a rollback needs where git, because of an error, is of no use: the store, and what else is held.

        Raises the error where there is no store.
        """
        state, owner, identity = self.stored_owner(error)
        with self.openers.store(state) as store:
            recorded = recorded_branch(owner, owner.branch, identity, self.settings.repository_name)
            memory = Memory(
                store=store,
                open_ledger=self.ledger_reader(state, recorded),
                host=self.name,
                folder=owner.folder,
                bundled=self.bundled,
                faults=self.openers.faults,
                open_engine=self.openers.policy_engine,
            )
            yield store, memory, partial(self.tell, state, store, self.ledger_opener(state, recorded))

    def _make_reconciler(self, target: Target, store: DuckDBStore, *, binds: bool) -> Reconciler:
        folder, faults = self.settings.path, self.openers.faults
        processor = CommitProcessor(target.source, folder, self.bundled, faults, self.progress)
        return Reconciler(
            claimant=target.claimant,
            branch=target.branch,
            store=store,
            open_ledger=self.ledger_opener(*_recorded(target, store)),
            processor=processor,
            admission=AdmissionController(processor.rules, self.openers.policy_engine),
            bundled=self.bundled.kinds,
            clock=self.clock,
            rehearse=rehearse_step,
            binds=binds,
        )

    def publish(self, state: Path, store: DuckDBStore, step: AppliedStep | None) -> tuple[HostCondition, ...]:
        """Publish the live rows; what keeps them from it is no failure of the reconcile."""
        try:
            self.openers.publish(state, store, step)
        except ReconcilerError as error:
            reason, now = type(error).__name__, self.clock.now()
            return (HostCondition(PUBLISHED, ConditionSeverity.RETRYING, reason, str(error), error.hint, now),)
        return ()

    def tell(
        self, state: Path, store: DuckDBStore, open_ledger: OpenLedger | None, step: AppliedStep | None
    ) -> tuple[HostCondition, ...]:
        """Publish the live rows, and let the history have what this host did."""
        return (*self.publish(state, store, step), *self.upload(store, open_ledger))

    def make_root(self, store: Store) -> tuple[HostCondition, ...]:
        """Make the daily root, if a day is over; what keeps it from being made or signed is no failure of a sync."""
        try:
            made = self.openers.make_root(self.name, store)
        except ReconcilerError as error:
            return (self._warn_of_evidence(type(error).__name__, str(error), error.hint),)
        if made is None or made.signature or self.settings.evidence_key is None:
            return ()
        message = f"the root of {made.root.day} is not signed: {made.unsigned}"
        return (self._warn_of_evidence("NotSigned", message, NOT_SIGNED),)

    def _warn_of_evidence(self, reason: str, message: str, hint: str) -> HostCondition:
        return HostCondition(EVIDENCE, ConditionSeverity.WARNING, reason, message, hint, self.clock.now())

    def upload(self, store: Store, open_ledger: OpenLedger | None) -> tuple[HostCondition, ...]:
        """Let the history have what this host did, as no daemon does it; what keeps it from that is no failure."""
        if open_ledger is None:
            return ()
        try:
            upload_at_once(store, open_ledger, self.name)
        except ReconcilerError as error:
            reason, now = type(error).__name__, self.clock.now()
            message = f"what this host did is not in the history yet: {error}"
            return (HostCondition(HISTORY, ConditionSeverity.RETRYING, reason, message, error.hint, now),)
        return ()

    @contextmanager
    def open_store(self) -> Iterator[DuckDBStore]:
        """The live rows for writing, bound to this repository."""
        with self.open_place() as place, self.openers.store(place.state) as store:
            place.claimant.bind(store, None)
            yield store

    def plan_ahead(self, head: str | None, live: Callable[[Place], DaemonCommit] | None) -> tuple[Plan, Kinds]:
        """From the live rows to a commit; and the kinds that it is described in.

        Without a head, to that of the branch that is named, else to what is checked out. `live` says which commit is
        live where a daemon has the store: so nobody waits for a turn at it, and the daemon with the next commit least
        of all. Raises `NeedsHuman` when the state folder belongs to another repository.
        """
        self.openers.fetch()
        with self.open_place() as place:
            planner = self._make_planner(place.source)
            if live is not None:
                base, branch, rolled_back = live(place)
                head = head or planned_head(place.source, branch_choice(self.settings), branch)
                if base is None:
                    return planner.plan_sync(EmptyStore(), head, self.progress)
                halts, _ = read_halts(self.openers.halts(place.state), self.clock)
                plan, kinds = planner.plan_commits(base, head, halts)
                return planner.hold(plan, kinds, parse_rolled_back(rolled_back)) if rolled_back else plan, kinds
            with self.openers.reader(place.state) or nullcontext() as store:
                if store is not None:
                    place.claimant.check(store)
                head = head or planned_head(place.source, branch_choice(self.settings), bound_branch(store))
                return planner.plan_sync(store or EmptyStore(), head, self.progress)

    def copy_history(self, url: str, has_daemon: Callable[[Path], bool]) -> tuple[CopiedTable, ...]:
        """Copy the whole history to another engine, a value of `history.url`.

        Raises `UsageError` where there is none, or it is that one; `RetryLater` while a daemon runs.
        """
        state = self.find_state_folder()
        source = self.openers.engine(state)
        if NO_HISTORY in (source, url):
            raise history_off() if source == NO_HISTORY else UsageError("--to is where to copy it, and none is nowhere")
        if source == url:
            raise UsageError("the history is there already", hint="--to names another one: duckdb, clickhouse://…")
        if not self.openers.recorded(state):
            raise UsageError("the history is empty: there is nothing to copy", hint="`reconciler sync` records it")
        if has_daemon(state):
            raise RetryLater(
                "a daemon runs here: what it records meanwhile would stay behind",
                hint="stop it, copy, set history.url to where the history is then, and start it again",
            )
        with ExitStack() as opened:
            before, after = (
                opened.enter_context(closing(self.openers.connect_history(one, state))) for one in (source, url)
            )
            return copy_history(before, after, self.progress)


def _recorded(target: Target, store: StoreReader) -> tuple[Path, RecordedBranch]:
    return target.state, target.recorded_branch(store.owner(), store.identity())
