"""A host in this process as far as it is only looked at, for one command while no daemon runs.

Everything is opened for a call and closed after it. What changes a host, or judges, is not imported for it.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.adapters.daemonfile import find_daemon
from reconciler.errors import BranchError, ReconcilerError, RetryLater, UsageError
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.reconcile.branch import bound_branch, observe_branch, repository_gone
from reconciler.reconcile.empty import EmptyLedger
from reconciler.service.context import (
    HELD,
    Context,
    History,
    branch_choice,
    describe_branch,
    describe_place,
    describe_silence,
    describe_target,
    known_state_folder,
    recorded_branch,
    state_folder,
)
from reconciler.service.host import history_off, raise_unresolved
from reconciler.service.kinds import known_kinds
from reconciler.service.recall import past_unknown
from reconciler.service.standing import read_halts
from reconciler.status import BranchHead, StoreState, describe, read_store_state
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.kinds.kind import Kinds
    from reconciler.ledger.connection import RecordedBranch
    from reconciler.ledger.ledger import SqlLedger
    from reconciler.model.host import Owner
    from reconciler.model.rows import QueryLimits, QueryResult
    from reconciler.ports import Clock, LedgerReader, StoreReader
    from reconciler.reconcile.branch import BranchChoice, FollowedBranch
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.service.context import Place, Progress, Readers
    from reconciler.sessionlayout import SessionLayout
    from reconciler.settings import Settings
    from reconciler.status import Status

    Publish = Callable[[AppliedStep | None], tuple[HostCondition, ...]]

COMMAND_SILENCE = 60
"""Seconds that a ClickHouse server may say nothing to a command, which is in no hurry."""


def no_progress(done: int, total: int) -> None:
    """Report progress to nobody."""


class LocalReader:
    """The host that settings name. Nothing is created by reading it; `progress` hears how far an operation has come."""

    def __init__(
        self,
        settings: Settings,
        openers: Readers,
        bundled: Callable[[], BundledSchemas],
        clock: Clock,
        session_layout: Callable[[], SessionLayout],
        progress: Progress = no_progress,
    ) -> None:
        self.settings, self.openers, self.clock = settings, openers, clock
        self._open_bundled, self.session_layout, self.progress = bundled, session_layout, progress
        self.name = settings.host or socket.gethostname()

    @property
    def bundled(self) -> BundledSchemas:
        """The kinds that come with the program."""
        return self._open_bundled()

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
            open_bundled=self._open_bundled,
            keeps_history=self.openers.ledger is not None,
            open_rows=self.open_rows,
            open_own_rows=self.open_own_rows,
            open_history=self.open_history,
            open_planner=self.openers.planner,
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
                self.stored_owner(error)
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
                state, owner, identity = self.stored_owner(error)
                branch = recorded_branch(owner, owner.branch, identity, self.settings.repository_name)
                resolve: Callable[[str], str | None] = partial(raise_unresolved, error)
            else:
                place.claimant.check_owner(owner, applied)
                resolve = target.source.resolve
                state, branch = target.state, target.recorded_branch(owner, identity)
            opener = self.ledger_opener(state, branch)
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

    def status(self) -> Status:
        """What is live, and whether it is what git says; what there is to say of it while git cannot be read."""
        try:
            return self._status()
        except BranchError as error:
            state, owner, _ = self.stored_owner(error)
            condition = HostCondition(
                HELD, ConditionSeverity.STALLED, error.reason, error.message, error.hint, self.clock.now()
            )
            branch = BranchHead(owner.url, owner.branch, None, shallow=False, conditions=(condition,))
            with self.openers.reader(state) or nullcontext() as store:
                return self._describe(branch, state, store)

    def _status(self) -> Status:
        with self.open_place() as place, self.openers.reader(place.state) or nullcontext() as store:
            branch = describe_branch(place, self.follow(place, branch_choice(self.settings), store), self.clock)
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
            return self.follow(place, branch_choice(self.settings), store)

    def follow(self, place: Place, choice: BranchChoice, store: StoreReader | None) -> FollowedBranch:
        """The branch that a choice means on this host, as it is now."""
        bound = bound_branch(store)
        has_rows = store is not None and store.applied() is not None
        return observe_branch(place.source, choice, bound, has_rows=has_rows)

    def query_rows(self, sql: str, limits: QueryLimits) -> QueryResult:
        """What a query on the live rows finds."""
        return self.openers.query(self.open_rows, self.bundled.kinds, sql, limits)

    def ledger_opener(
        self, state: Path, recorded: RecordedBranch, silence: int = COMMAND_SILENCE
    ) -> Callable[[], AbstractContextManager[SqlLedger]] | None:
        """Opens the history of a branch; None on a host that keeps none."""
        open_ledger = self.openers.ledger
        if open_ledger is None:
            return None
        return partial(open_ledger, state, recorded, silence)

    def ledger_reader(
        self, state: Path, recorded: RecordedBranch, silence: int = COMMAND_SILENCE
    ) -> Callable[[], AbstractContextManager[LedgerReader]] | None:
        """Opens the history for reading: the embedded one is not created for it."""
        opener = self.ledger_opener(state, recorded, silence)
        if opener is None or self.openers.recorded(state):
            return opener
        return lambda: nullcontext(EmptyLedger())

    def stored_owner(self, error: ReconcilerError) -> tuple[Path, Owner, str]:
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
