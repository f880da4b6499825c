"""The operations of a host in this process, each done at once."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reconciler import answers
from reconciler.model.rows import Drifts
from reconciler.reconcile.rules import stored_kinds
from reconciler.reconcile.sync import CommitApproval, current_suspension
from reconciler.report.status import build_suspension
from reconciler.report.sync import Sync, build_drift, build_sync
from reconciler.report.verification import Restored, Verification, build_restored, build_verification
from reconciler.service.host import end_suspension, heal_store, new_suspension, suspension_error

if TYPE_CHECKING:
    from reconciler.service.local import LocalHost

T = TypeVar("T")


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
            result = reconciler.sync(self._host.progress, approval, rejudge=rejudge)
            told = (*warnings, *publish(result.applied_step))
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

    def back_up(self, by: str) -> Future[answers.Backup]:
        """Copy the store into the state folder's `backups`."""
        with self._host.open_place() as place:
            return _done(answers.Backup(file=str(self._host.openers.back_up(place.state))))

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

    def resume(self, by: str) -> Future[answers.Resumed]:
        """Start reconciling again."""
        with self._host.open_store() as store:
            return _done(answers.Resumed(ended=end_suspension(store, by)))


def _done(answer: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return future
