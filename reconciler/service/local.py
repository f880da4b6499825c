"""A host in this process, for one command while no daemon runs: everything is opened for a call and closed after it."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reconciler import answers
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.rows import Drifts
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.empty import EmptyLedger, EmptyStore
from reconciler.reconcile.plan import Planner
from reconciler.reconcile.rules import stored_kinds
from reconciler.reconcile.sync import CommitApproval, Reconciler, current_suspension
from reconciler.reconcile.verify import Verifier
from reconciler.reconcile.walk import CommitProcessor
from reconciler.report.status import build_suspension
from reconciler.report.sync import build_drift, build_sync, build_verification
from reconciler.service.context import (
    Context,
    History,
    RecordedBranch,
    Target,
    describe_target,
    known_state_folder,
    state_folder,
)
from reconciler.service.endpoints import Services
from reconciler.service.host import (
    build_restored,
    end_suspension,
    heal_store,
    history_off,
    new_suspension,
    raise_unresolved,
    suspension_error,
)
from reconciler.service.kinds import known_kinds
from reconciler.service.rehearsal import rehearse_step
from reconciler.status import BranchHead, StoreState, describe, read_store_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.kinds.kind import Kinds
    from reconciler.model.rows import QueryLimits, QueryResult
    from reconciler.plan import Plan
    from reconciler.ports import Clock, LedgerReader
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.service.context import Openers, Progress
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Settings
    from reconciler.status import Status

T = TypeVar("T")
COMMAND_SILENCE = 60
"""Seconds that a ClickHouse server may say nothing to a command, which is in no hurry."""


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

    def services(self) -> Services:
        """The services of this host."""
        return Services(self.context(), LocalControl(self))

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
        )

    @contextmanager
    def open_target(self) -> Iterator[Target]:
        """The repository with its branch and state folder. Raises `UsageError` when there is none."""
        with self.openers.source() as source:
            yield describe_target(source, self.settings)

    @contextmanager
    def open_rows(self) -> Iterator[DuckDBReader | None]:
        """The live rows; None before the first sync."""
        with self.open_target() as target, self.openers.reader(target.state) or nullcontext() as store:
            yield store

    @contextmanager
    def open_own_rows(self) -> Iterator[DuckDBReader | None]:
        """The same. Raises `NeedsHuman` where they are another repository's."""
        with self.open_target() as target, self.openers.reader(target.state) or nullcontext() as store:
            if store is not None:
                target.claimant.check(store)
            yield store

    @contextmanager
    def open_history(self, wait: float = 0.0) -> Iterator[History]:
        """The history of the repository that the settings name; while git cannot be read, of the store's owner."""
        with ExitStack() as stack:
            try:
                target = stack.enter_context(self.open_target())
            except ReconcilerError as error:
                branch = self._stored_branch(error)
                resolve: Callable[[str], str | None] = partial(raise_unresolved, error)
            else:
                resolve = target.source.resolve
                with self.openers.reader(target.state) or nullcontext() as store:
                    if store is not None:
                        target.claimant.check(store)
                    branch = target.recorded_branch(store.owner() if store else None)
            opener = self._ledger_opener(branch)
            if opener is None:
                raise history_off()
            ledger = stack.enter_context(opener()) if self.openers.recorded(branch.state) else None
            yield History(
                ledger=ledger or EmptyLedger(),
                sql=ledger,
                kinds=partial(self._kinds_in, branch.state),
                resolve=resolve,
                branch=branch.branch,
                open_rows=partial(self._open_reader, branch.state),
            )

    @contextmanager
    def open_planner(self) -> Iterator[tuple[Planner, str]]:
        """Plans in the repository; its branch, or HEAD."""
        with self.openers.source() as source:
            planner = Planner.of_folder(source, self.settings.path, self.bundled, self.openers.policy_engine)
            yield planner, self.settings.branch or "HEAD"

    @contextmanager
    def open_verifier(self) -> Iterator[Verifier]:
        """Raises `UsageError` when nothing was synced here, `NeedsHuman` when the store is another repository's."""
        with self.open_target() as target:
            opened = self.openers.reader(target.state)
            if opened is None:
                raise UsageError("nothing is live yet: there is nothing to verify", hint="run `reconciler sync` first")
            with opened as store:
                target.claimant.check(store)
                yield Verifier(
                    source=target.source,
                    processor=CommitProcessor(target.source, self.settings.path, self.bundled),
                    repository=target.repository,
                    branch=target.branch,
                    store=store,
                    open_ledger=self._ledger_reader(target.recorded_branch(store.owner())),
                    compare_view=self.openers.compare_view(target.state) if self.openers.compare_view else None,
                )

    @contextmanager
    def open_reconciler(self) -> Iterator[Reconciler]:
        """Everything that one reconcile needs, with a repository elsewhere fetched before."""
        self.openers.fetch()
        with self.open_target() as target, self.openers.store(target.state) as store:
            processor = CommitProcessor(target.source, self.settings.path, self.bundled)
            yield Reconciler(
                claimant=target.claimant,
                branch=target.branch,
                store=store,
                open_ledger=self._ledger_opener(target.recorded_branch(store.owner())),
                processor=processor,
                admission=AdmissionController(processor.rules, self.openers.policy_engine),
                bundled=self.bundled.kinds,
                clock=self.clock,
                rehearse=rehearse_step,
            )

    @contextmanager
    def open_store(self) -> Iterator[DuckDBStore]:
        """The live rows for writing, bound to this repository."""
        with self.open_target() as target, self.openers.store(target.state) as store:
            target.claimant.bind(store, target.branch)
            yield store

    def status(self) -> Status:
        """What is live, and whether it is what git says."""
        with self.open_target() as target, self.openers.reader(target.state) or nullcontext() as store:
            source = target.source
            place = BranchHead(target.repository, target.branch, source.resolve(target.branch), source.is_shallow())
            return describe(place, read_store_state(store) if store else StoreState(), None, self.clock.now())

    def plan_ahead(self, head: str, live: Callable[[Target], str | None] | None) -> tuple[Plan, Kinds]:
        """From the live rows to a commit; and the kinds that it is described in.

        `live` says which commit is live where a daemon has the store: so nobody waits for a turn at it, and the daemon
        with the next commit least of all. Raises `NeedsHuman` when the state folder belongs to another repository.
        """
        self.openers.fetch()
        with self.open_target() as target, self.open_planner() as (planner, _):
            if live is not None:
                base = live(target)
                return (
                    planner.plan_commits(base, head) if base else planner.plan_sync(EmptyStore(), head, self.progress)
                )
            with self.openers.reader(target.state) or nullcontext() as store:
                if store is not None:
                    target.claimant.check(store)
                return planner.plan_sync(store or EmptyStore(), head, self.progress)

    def query_rows(self, sql: str, limits: QueryLimits) -> QueryResult:
        """What a query on the live rows finds."""
        return self.openers.query(self.open_rows, self.bundled.kinds, sql, limits)

    def _ledger_opener(self, recorded: RecordedBranch) -> Callable[[], AbstractContextManager[ClickHouseLedger]] | None:
        open_ledger = self.openers.ledger
        if open_ledger is None:
            return None
        return partial(open_ledger, recorded.state, recorded.repository, recorded.branch, COMMAND_SILENCE)

    def _ledger_reader(self, recorded: RecordedBranch) -> Callable[[], AbstractContextManager[LedgerReader]] | None:
        """Opens the history for reading: the embedded one is not created for it."""
        opener = self._ledger_opener(recorded)
        if opener is None or self.openers.recorded(recorded.state):
            return opener
        return lambda: nullcontext(EmptyLedger())

    def _stored_branch(self, error: ReconcilerError) -> RecordedBranch:
        """That of a store whose repository cannot be opened. Raises the given error when there is none."""
        state = known_state_folder(self.settings)
        store = None if state is None else self.openers.reader(state)
        if state is None or store is None:
            raise error
        with store:
            owner = store.owner()
        if owner is None:
            raise error
        return RecordedBranch(state, owner.repository, owner.branch)

    def _open_reader(self, state: Path) -> AbstractContextManager[DuckDBReader | None]:
        return self.openers.reader(state) or nullcontext()

    def _kinds_in(self, state: Path) -> Kinds:
        with self.openers.reader(state) or nullcontext() as store:
            return known_kinds(store, self.bundled)


class LocalControl:
    """The operations of a local host, each done at once. Implements `HostControl`."""

    def __init__(self, host: LocalHost) -> None:
        self._host = host

    def sync(self, by: str, approve: str | None = None, *, force: bool = False) -> Future[answers.Sync]:
        """Reconcile once."""
        approval = CommitApproval(approve, f"{by} with --approve") if approve else None
        with self._host.open_reconciler() as reconciler:
            suspension = None if force else current_suspension(reconciler.store)
            if suspension is not None:
                raise suspension_error(suspension)
            return _done(build_sync(reconciler.sync(self._host.progress, approval), reconciler.kinds()))

    def heal(self, by: str) -> Future[answers.Drift]:
        """Make the live rows what git says."""
        with self._host.open_own_rows() as rows:
            drift = rows.drift(stored_kinds(rows.kinds())) if rows else Drifts()
        if not drift.total:
            return _done(build_drift(drift))
        with self._host.open_store() as store:
            return _done(build_drift(heal_store(store)))

    def verify(self, by: str) -> Future[answers.Verification]:
        """Compare the history and the live rows with git. Nothing is written."""
        with self._host.open_verifier() as verifier:
            return _done(build_verification(verifier.verify(self._host.progress)))

    def back_up(self, by: str) -> Future[answers.Backup]:
        """Copy the store into the state folder's `backups`."""
        with self._host.open_target() as target:
            return _done(answers.Backup(file=str(self._host.openers.back_up(target.state))))

    def restore(self, by: str, file: str) -> Future[answers.Restored]:
        """Replace the store by a backup."""
        with self._host.open_target() as target:
            return _done(build_restored(self._host.openers.restore(Path(file), target.state, target.claimant)))

    def suspend(self, by: str, reason: str, until: str | None = None) -> Future[answers.Suspension]:
        """Stop reconciling, in place of a suspension that is there. Raises `UsageError` for an empty reason."""
        suspension = new_suspension(by, reason, until, self._host.clock)
        with self._host.open_store() as store:
            store.suspend(suspension)
        return _done(build_suspension(suspension))

    def resume(self, by: str) -> Future[answers.Resumed]:
        """Start reconciling again."""
        with self._host.open_store() as store:
            return _done(answers.Resumed(ended=end_suspension(store, by)))


def _done(answer: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return future
