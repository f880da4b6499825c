"""The operations of a host in this process, each done at once."""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reconciler.adapters.duckdb.connection import FILE_NAME, is_there
from reconciler.errors import InUse, ReconcilerError
from reconciler.kinds.build import stored_kinds
from reconciler.model.halt import DRILLED
from reconciler.model.rows import Drifts
from reconciler.reconcile.goback import NotInGit, go_back, roll_back
from reconciler.reconcile.sync import CommitApproval, current_suspension
from reconciler.report.rollback import RollbackEnded, WentBack, build_rolled_back, build_went_back
from reconciler.report.status import build_suspension
from reconciler.report.sync import Sync, build_drift, build_sync
from reconciler.report.verification import Restored, Verification, build_restored, build_verification
from reconciler.service.control import (
    Backup,
    Resumed,
    checked_reason,
    end_suspension,
    explain_no_way_back,
    heal_store,
    new_rollback,
    new_suspension,
    suspension_error,
)
from reconciler.service.drill import drill_detail, drill_halts
from reconciler.service.halts import HaltDesk
from reconciler.service.releasing import ReleaseJudge

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from reconciler import answers
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.model.host import HostCondition
    from reconciler.ports import Store
    from reconciler.reconcile.sync import SyncResult
    from reconciler.report.halts import Drilled, Halted, Released
    from reconciler.service.halts import HaltChoice
    from reconciler.service.local import LocalHost

T = TypeVar("T")
OBEY_SECONDS, OBEY_PAUSE = 0.5, 0.05
"""Seconds that another process's turn at the store is waited out by a halt, and between two tries."""


class LocalControl:
    """Implements `HostControl`."""

    def __init__(self, host: LocalHost) -> None:
        self._host = host

    def sync(
        self,
        by: str,
        approve: str | None = None,
        *,
        force: bool = False,
        rejudge: bool = False,
        branch: str | None = None,
    ) -> Future[Sync]:
        """Reconcile once."""
        approval = CommitApproval(approve, f"{by} with --approve") if approve else None
        with self._host.open_reconciler(branch) as (reconciler, warnings, publish):
            suspension = None if force else current_suspension(reconciler.store)
            if suspension is not None:
                raise suspension_error(suspension)
            told = list(warnings)
            result = reconciler.sync(
                self._host.progress, approval, rejudge=rejudge, on_applied=lambda step: told.extend(publish(step))
            )
            told += self._host.make_root(reconciler.store)
            if result.history is not None and result.history.error is None:
                told += self._host.upload(reconciler.store, reconciler.open_ledger)
            return _done(build_sync(result, reconciler.kinds(), warnings=told))

    def heal(self, by: str) -> Future[answers.Drift]:
        """Make the live rows what git says."""
        with self._host.open_own_rows() as rows:
            drift = rows.drift(stored_kinds(rows.kinds())) if rows else Drifts()
        if not drift.total:
            return _done(build_drift(drift))
        with self._host.open_store() as store:
            return _done(build_drift(heal_store(store)))

    def verify(self, by: str) -> Future[Verification]:
        """Compare the history and the live rows with git. Nothing is written."""
        with self._host.open_verifier() as verifier:
            return _done(build_verification(verifier.verify(self._host.progress)))

    def back_up(self, by: str) -> Future[Backup]:
        """Copy the store into the state folder's `backups`."""
        with self._host.open_place() as place:
            return _done(Backup(file=str(self._host.openers.back_up(place.state))))

    def restore(self, by: str, file: str) -> Future[Restored]:
        """Replace the store by a backup."""
        with self._host.open_place() as place:
            restored = self._host.openers.restore(Path(file), place.state, place.claimant)
            return _done(build_restored(restored, self._host.compare_rows(place)))

    def suspend(self, by: str, reason: str, until: str | None = None) -> Future[answers.Suspension]:
        """Stop reconciling, in place of a suspension that is there. Raises `UsageError` for an empty reason."""
        suspension = new_suspension(by, reason, until, self._host.clock)
        with self._host.open_store() as store:
            store.suspend(suspension)
        return _done(build_suspension(suspension))

    def resume(self, by: str) -> Future[Resumed]:
        """Start reconciling again."""
        with self._host.open_store() as store:
            return _done(Resumed(ended=end_suspension(store, by)))

    def roll_back(self, by: str, reason: str, to: str | None = None) -> Future[WentBack]:
        """Go to an earlier applied commit."""
        request, host = new_rollback(by, reason, to), self._host
        try:
            with host.open_returning() as (reconciler, more, publish):
                result = roll_back(reconciler, request, more, host.progress)
                return _done(_went_back(reconciler.store, result, publish(result.applied_step)))
        except NotInGit as error:
            with explain_no_way_back(error), host.open_memory(error) as (store, memory, publish):
                result = go_back(store, memory.past(), request, host.clock, host.progress)
                return _done(_went_back(store, result, publish(result.applied_step)))

    def end_rollback(self, by: str, reason: str) -> Future[RollbackEnded]:
        """Let the head through again, with the next reconcile."""
        reason = checked_reason(reason)
        with self._host.open_store() as store:
            ended = store.end_rollback(reason, by)
        return _done(RollbackEnded(ended=build_rolled_back(ended) if ended else None))

    def halt(self, by: str, reason: str, choice: HaltChoice) -> Future[Halted]:
        """Write down what is halted, and make the rows obey where no other process has the store."""
        return _done(self._desk().halt(by, reason, choice))

    def release(self, by: str, reason: str, choice: HaltChoice) -> Future[Released]:
        """The same the other way round."""
        return _done(self._desk().release(by, reason, choice))

    def drill(self, by: str) -> Future[Drilled]:
        """Halt and release some rows of a copy of the store."""
        state = self._host.find_state_folder()
        with self._host.openers.reader(state) or nullcontext() as reader:
            drilled = drill_halts(reader, self._host.bundled, state, self._host.clock)
        with suppress(ReconcilerError), self._host.openers.store(state) as store:
            store.record_event(DRILLED, drill_detail(drilled, by))
        return _done(drilled)

    def _desk(self) -> HaltDesk:
        """Git is asked for nothing but where the state folder is."""
        host, state = self._host, self._host.find_state_folder()
        openers = host.openers

        def open_rows() -> AbstractContextManager[DuckDBReader | None]:
            return openers.reader(state) or nullcontext()

        judge = ReleaseJudge(open_rows, openers.nearby, openers.policy_engine, host.bundled, openers.faults)
        return HaltDesk(
            file=openers.halts(state),
            open_rows=open_rows,
            obey=lambda: self._obey(state),
            judge=judge.check,
            bundled=host.bundled,
            clock=host.clock,
        )

    def _obey(self, state: Path) -> tuple[str, ...]:
        """Make the store obey; of a host that has none yet the first sync does."""
        limit = time.monotonic() + OBEY_SECONDS
        while is_there(state / FILE_NAME):
            try:
                return self._host.openers.obey(state)
            except InUse:
                if time.monotonic() >= limit:
                    raise
                time.sleep(OBEY_PAUSE)
        return ()


def _went_back(store: Store, result: SyncResult, told: Iterable[HostCondition]) -> WentBack:
    rollback = store.rollback()
    assert rollback is not None
    return build_went_back(rollback, result, stored_kinds(store.kinds()), told)


def _done(answer: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return future
