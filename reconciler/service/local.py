"""A host in this process, for one command while no daemon runs: everything is opened for a call and closed after it."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.adapters.daemonfile import find_daemon
from reconciler.errors import BranchError, ReconcilerError, RetryLater, UsageError
from reconciler.ledger.copy import copy_history
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.branch import bound_branch, check_asked, observe_branch, planned_head, repository_gone
from reconciler.reconcile.empty import EmptyLedger, EmptyStore
from reconciler.reconcile.goback import NotInGit, recover_rollback
from reconciler.reconcile.plan import Planner
from reconciler.reconcile.remembered import Memory
from reconciler.reconcile.sync import Reconciler
from reconciler.reconcile.targets import recorded_intervals
from reconciler.reconcile.upload import upload_at_once
from reconciler.reconcile.verify import Difference, Verifier
from reconciler.reconcile.walk import CommitProcessor
from reconciler.report.rollback import parse_rolled_back
from reconciler.service.context import (
    HELD,
    HISTORY,
    PUBLISHED,
    Context,
    History,
    Target,
    branch_choice,
    branch_conditions,
    describe_branch,
    describe_place,
    describe_silence,
    describe_target,
    known_state_folder,
    recorded_branch,
    state_folder,
)
from reconciler.service.halts import read_halts
from reconciler.service.host import history_off, raise_unresolved
from reconciler.service.kinds import known_kinds
from reconciler.service.recall import past_unknown, recall_past
from reconciler.service.rehearsal import rehearse_step
from reconciler.settings import NO_HISTORY
from reconciler.status import BranchHead, StoreState, describe, read_store_state
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from reconciler import answers
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.kinds.kind import Kinds
    from reconciler.ledger.connection import RecordedBranch
    from reconciler.ledger.copy import CopiedTable
    from reconciler.ledger.ledger import SqlLedger
    from reconciler.model.host import Owner
    from reconciler.model.rows import QueryLimits, QueryResult
    from reconciler.plan import Plan
    from reconciler.ports import Clock, LedgerReader, Source, Store, StoreReader
    from reconciler.reconcile.branch import BranchChoice, FollowedBranch
    from reconciler.reconcile.record import OpenLedger
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.reconcile.targets import MoreIntervals
    from reconciler.service.context import Openers, Place, Progress
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Settings
    from reconciler.status import Status

    Publish = Callable[[AppliedStep | None], tuple[HostCondition, ...]]

COMMAND_SILENCE, BRIEF_SILENCE = 60, 5
"""Seconds that a ClickHouse server may say nothing to a command, which is in no hurry, and before what it does."""


class DaemonCommit(NamedTuple):
    """The commit that a daemon has live, None for none, the branch that it follows, and the rollback it is under."""

    commit: str | None
    branch: str
    rolled_back: answers.RolledBack | None = None


def no_progress(done: int, total: int) -> None:
    """Report progress to nobody."""


class LocalHost:
    """The host that settings name. Nothing is created by reading it; `progress` hears how far an operation has come."""

    def __init__(
        self,
        settings: Settings,
        openers: Openers,
        bundled: BundledSchemas,
        clock: Clock,
        session_layout: Callable[[], SessionLayout],
        progress: Progress = no_progress,
    ) -> None:
        self.settings, self.openers, self.bundled, self.clock = settings, openers, bundled, clock
        self.session_layout, self.progress = session_layout, progress
        self.name = settings.host or socket.gethostname()

    def find_state_folder(self) -> Path:
        """The state folder, with the repository opened only if that has to say where it is."""
        state = known_state_folder(self.settings)
        if state is not None:
            return state
        with self.openers.source() as source:
            return state_folder(source, self.settings)

    def context(self) -> Context:
        """What services answer from."""
        return Context(
            settings=self.settings,
            name=self.name,
            state=known_state_folder(self.settings) or Path(),
            clock=self.clock,
            bundled=self.bundled,
            keeps_history=self.openers.ledger is not None,
            open_rows=self.open_rows,
            open_own_rows=self.open_own_rows,
            open_history=self.open_history,
            open_planner=self.open_planner,
            open_sessions=self.openers.sessions,
            session_layout=self.session_layout,
            query_rows=self.query_rows,
            write_table=self.openers.write_table,
            status=self.status,
            standing_halts=lambda: self.openers.halts(self.find_state_folder()).read(),
        )

    @contextmanager
    def open_place(self) -> Iterator[Place]:
        """The repository with its state folder.

        Raises `UsageError` when there is none, `BranchError` where there was one.
        """
        with ExitStack() as stack:
            try:
                source = stack.enter_context(self.openers.source())
            except UsageError as error:
                if self.settings.origin.url is not None:  # it is the address that makes no sense
                    raise
                self._stored_owner(error)
                raise repository_gone(error) from error
            yield describe_place(source, self.settings)

    @contextmanager
    def open_rows(self) -> Iterator[DuckDBReader | None]:
        """The live rows; None before the first sync."""
        with self.open_place() as place, self.openers.reader(place.state) or nullcontext() as store:
            yield store

    @contextmanager
    def open_own_rows(self) -> Iterator[DuckDBReader | None]:
        """The same. Raises `NeedsHuman` where they are another repository's."""
        with self.open_place() as place, self.openers.reader(place.state) or nullcontext() as store:
            if store is not None:
                place.claimant.check(store)
            yield store

    @contextmanager
    def open_history(self, wait: float = 0.0) -> Iterator[History]:
        """The history of the repository that the settings name; while git cannot be read, of the store's owner."""
        with ExitStack() as stack:
            try:
                place = stack.enter_context(self.open_place())
                with self.openers.reader(place.state) or nullcontext() as store:
                    owner, applied = (store.owner(), store.applied()) if store else (None, None)
                    identity = store.identity() if store else ""
                target = describe_target(place, self.settings, owner.bound_branch if owner else None)
            except ReconcilerError as error:
                state, owner, identity = self._stored_owner(error)
                branch = recorded_branch(owner, owner.branch, identity, self.settings.repository_name)
                resolve: Callable[[str], str | None] = partial(raise_unresolved, error)
            else:
                place.claimant.check_owner(owner, applied)
                resolve = target.source.resolve
                state, branch = target.state, target.recorded_branch(owner, identity)
            opener = self._ledger_opener(state, branch)
            if opener is None:
                raise history_off()
            ledger = stack.enter_context(opener()) if self.openers.recorded(state) else None
            yield History(
                ledger=ledger or EmptyLedger(),
                sql=ledger,
                kinds=partial(self._kinds_in, state),
                resolve=resolve,
                branch=branch.branch,
                open_rows=partial(self._open_reader, state),
            )

    @contextmanager
    def open_planner(self) -> Iterator[tuple[Planner, str]]:
        """Plans in the repository; the head of the branch that is named, or HEAD."""
        with self.openers.source() as source:
            yield self._make_planner(source), planned_head(source, branch_choice(self.settings), None)

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
                followed = self._observe(place, branch_choice(self.settings), store)
                if followed.head is None:
                    followed.followed_head()
                target = Target(place.source, place.state, place.folder, place.name, followed.name)
                yield Verifier(
                    source=target.source,
                    processor=CommitProcessor(target.source, self.settings.path, self.bundled, self.openers.faults),
                    repository=target.repository,
                    branch=target.branch,
                    store=store,
                    open_ledger=self._ledger_reader(*_recorded(target, store)),
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
            followed = self._observe(place, choice, store)
            followed.followed_head()
            target = Target(place.source, place.state, place.folder, place.name, followed.name)
            reconciler = self._make_reconciler(target, store, binds=followed.binds)
            reader = self._ledger_reader(*_recorded(target, store), BRIEF_SILENCE)
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
            branch = bound_branch(store) or self._observe(place, branch_choice(self.settings), store).name
            target = Target(place.source, place.state, place.folder, place.name, branch)
            open_ledger = self._ledger_reader(*_recorded(target, store), BRIEF_SILENCE)
            reconciler = self._make_reconciler(target, store, binds=True)
            reconciler = replace(reconciler, open_ledger=self._ledger_opener(*_recorded(target, store), BRIEF_SILENCE))
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
        state, owner, identity = self._stored_owner(error)
        with self.openers.store(state) as store:
            recorded = recorded_branch(owner, owner.branch, identity, self.settings.repository_name)
            memory = Memory(
                store=store,
                open_ledger=self._ledger_reader(state, recorded),
                host=self.name,
                folder=owner.folder,
                bundled=self.bundled,
                faults=self.openers.faults,
                open_engine=self.openers.policy_engine,
            )
            yield store, memory, partial(self.tell, state, store, self._ledger_opener(state, recorded))

    def _make_reconciler(self, target: Target, store: DuckDBStore, *, binds: bool) -> Reconciler:
        processor = CommitProcessor(target.source, self.settings.path, self.bundled, self.openers.faults)
        return Reconciler(
            claimant=target.claimant,
            branch=target.branch,
            store=store,
            open_ledger=self._ledger_opener(*_recorded(target, store)),
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

    def status(self) -> Status:
        """What is live, and whether it is what git says; what there is to say of it while git cannot be read."""
        try:
            return self._status()
        except BranchError as error:
            state, owner, _ = self._stored_owner(error)
            condition = HostCondition(
                HELD, ConditionSeverity.STALLED, error.reason, error.message, error.hint, self.clock.now()
            )
            branch = BranchHead(owner.url, owner.branch, None, shallow=False, conditions=(condition,))
            with self.openers.reader(state) or nullcontext() as store:
                return self._describe(branch, state, store)

    def _status(self) -> Status:
        with self.open_place() as place, self.openers.reader(place.state) or nullcontext() as store:
            branch = describe_branch(place, self._observe(place, branch_choice(self.settings), store), self.clock)
            return self._describe(branch, place.state, store)

    def _describe(self, branch: BranchHead, state: Path, store: DuckDBReader | None) -> Status:
        halts, trouble = read_halts(self.openers.halts(state), self.clock)
        if store is not None and store.applied() is not None and store.lacks_past() and self.openers.ledger:
            trouble = (*trouble, past_unknown("the history has not been asked yet", self.clock))
        daemon = find_daemon(state)
        silent = (describe_silence(daemon, self.clock),) if daemon else ()
        branch = replace(branch, conditions=(*branch.conditions, *silent, *trouble))
        return describe(branch, read_store_state(store) if store else StoreState(), None, self.clock.now(), halts)

    def observe(self, place: Place) -> FollowedBranch:
        """The branch as it is now; bound to none while another process has the store."""
        try:
            opened = self.openers.reader(place.state)
        except RetryLater:
            opened = None
        with opened or nullcontext() as store:
            return self._observe(place, branch_choice(self.settings), store)

    def _observe(self, place: Place, choice: BranchChoice, store: StoreReader | None) -> FollowedBranch:
        bound = bound_branch(store)
        has_rows = store is not None and store.applied() is not None
        return observe_branch(place.source, choice, bound, has_rows=has_rows)

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

    def query_rows(self, sql: str, limits: QueryLimits) -> QueryResult:
        """What a query on the live rows finds."""
        return self.openers.query(self.open_rows, self.bundled.kinds, sql, limits)

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

    def _ledger_opener(
        self, state: Path, recorded: RecordedBranch, silence: int = COMMAND_SILENCE
    ) -> Callable[[], AbstractContextManager[SqlLedger]] | None:
        open_ledger = self.openers.ledger
        if open_ledger is None:
            return None
        return partial(open_ledger, state, recorded, silence)

    def _ledger_reader(
        self, state: Path, recorded: RecordedBranch, silence: int = COMMAND_SILENCE
    ) -> Callable[[], AbstractContextManager[LedgerReader]] | None:
        """Opens the history for reading: the embedded one is not created for it."""
        opener = self._ledger_opener(state, recorded, silence)
        if opener is None or self.openers.recorded(state):
            return opener
        return lambda: nullcontext(EmptyLedger())

    def _stored_owner(self, error: ReconcilerError) -> tuple[Path, Owner, str]:
        """State folder, owner and id of a store whose repository cannot be opened; raises the error without one."""
        state = known_state_folder(self.settings)
        store = None if state is None else self.openers.reader(state)
        if state is None or store is None:
            raise error
        with store:
            owner, identity = store.owner(), store.identity()
        if owner is None:
            raise error
        return state, owner, identity

    def _open_reader(self, state: Path) -> AbstractContextManager[DuckDBReader | None]:
        return self.openers.reader(state) or nullcontext()

    def _kinds_in(self, state: Path) -> Kinds:
        with self.openers.reader(state) or nullcontext() as store:
            return known_kinds(store, self.bundled)


def _recorded(target: Target, store: StoreReader) -> tuple[Path, RecordedBranch]:
    return target.state, target.recorded_branch(store.owner(), store.identity())
