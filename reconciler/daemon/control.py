"""What a daemon is asked: how it is at this moment, and operations.

Its state never waits for the operations thread; each operation runs on that thread, in its turn.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reconciler.daemon.conditions import Phase
from reconciler.daemon.host import SyncRequest
from reconciler.daemon.liveview import LiveView
from reconciler.model.halt import DRILLED
from reconciler.model.host import ConditionSeverity
from reconciler.reconcile.branch import check_asked
from reconciler.reconcile.sync import CommitApproval
from reconciler.reconcile.targets import recorded_intervals
from reconciler.reconcile.verify import Verifier
from reconciler.reconcile.walk import CommitProcessor
from reconciler.report.rollback import RollbackEnded, WentBack, build_rolled_back, build_went_back
from reconciler.report.status import build_suspension
from reconciler.report.sync import Sync, build_drift, build_sync
from reconciler.report.verification import Restored, Verification, build_restored, build_verification
from reconciler.service.context import BRANCH, HELD, Heartbeat
from reconciler.service.control import (
    Backup,
    Resumed,
    checked_reason,
    end_suspension,
    heal_store,
    new_rollback,
    new_suspension,
)
from reconciler.service.drill import drill_detail
from reconciler.service.halts import HaltDesk
from reconciler.service.standing import read_halts
from reconciler.status import BranchHead, Running, describe
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler import answers
    from reconciler.canonical import Value
    from reconciler.daemon.host import Host
    from reconciler.daemon.loop import Loop
    from reconciler.model.host import HostCondition
    from reconciler.reconcile.sync import SyncResult
    from reconciler.report.halts import Drilled, Halted, Released
    from reconciler.service.halts import HaltChoice
    from reconciler.status import Status


MAX_SILENCE = 300.0
"""Seconds without a sign of life after which the operations thread is taken to be stuck."""
WORKING = frozenset(
    {
        Phase.FETCHING,
        Phase.RECONCILING,
        Phase.SCANNING,
        Phase.BACKING_UP,
        Phase.DRILLING,
        Phase.ROOTING,
        Phase.ANSWERING,
    }
)


class HostState:
    """For any thread. `address` is where the daemon listens; `blind` says why it does not notice commits at once."""

    def __init__(self, host: Host, loop: Loop, blind: Callable[[], str]) -> None:
        self._host, self._deps, self._loop, self._blind = host, host.deps, loop, blind
        self.address = ""

    def status(self) -> Status:
        """How the host is, as the operations thread saw it last."""
        observed = self._host.observed
        place = observed.place or BranchHead("", "", None, shallow=False)
        halts, trouble = read_halts(self._deps.halts, self._deps.clock)
        stored, obeyed = observed.stored, self._host.obeyed
        if obeyed.halts.number > stored.halts.number:
            stored = replace(
                stored, halts=obeyed.halts, halted_rows=obeyed.halted_rows, failed_halts=obeyed.failed_halts
            )
        running = self._running()
        running = replace(running, conditions=(*running.conditions, *trouble))
        return describe(place, stored, running, self._deps.clock.now(), halts)

    def heartbeats(self) -> Sequence[Heartbeat]:
        """A sign of life of the thread that must not stand still."""
        snapshot = self._deps.conditions.snapshot()
        return [Heartbeat("operations", str(snapshot.phase), time.monotonic() - snapshot.heartbeat, MAX_SILENCE)]

    def is_ready(self) -> bool:
        """Whether the first reconcile has ended."""
        return self._deps.conditions.snapshot().ready

    def hold(self) -> HostCondition | None:
        """Why nothing goes live until somebody does something, whatever is committed; None when commits go live."""
        condition = self._deps.conditions.snapshot().active.get(HELD)
        return condition if condition is not None and condition.severity is ConditionSeverity.STALLED else None

    def hint(self, source: str) -> None:
        """Something may have changed in git, says `source`: look soon."""
        self._deps.log.event("Hinted", source=source)
        self._loop.trigger()

    def _running(self) -> Running:
        snapshot = self._deps.conditions.snapshot()
        followers = [thread.follower for thread in self._host.followers]
        return Running(
            pid=os.getpid(),
            address=self.address,
            started=snapshot.started,
            phase=str(snapshot.phase),
            phase_since=snapshot.phase_since,
            beat=snapshot.heartbeat_at,
            working=snapshot.phase in WORKING,
            last_sync=snapshot.last_sync,
            conditions=tuple(snapshot.active.values()),
            history=self._deps.upload.state(),
            scan=self._host.observed.scan,
            blind=self._blind(),
            view=next((follower.content() for follower in followers if isinstance(follower, LiveView)), None),
            followers=tuple(thread.status() for thread in self._host.followers if not thread.follower.has_own_section),
        )


T = TypeVar("T")
U = TypeVar("U")
UPLOAD_WAIT = 30.0
"""Seconds that a verification waits for what is on its way to the history."""


class DaemonControl:
    """For any thread. Implements `HostControl`."""

    def __init__(self, host: Host, loop: Loop) -> None:
        self._host, self._deps, self._loop = host, host.deps, loop
        self._desk = HaltDesk(
            file=host.deps.halts,
            open_rows=host.deps.store.reading,
            obey=self._obey,
            judge=host.deps.judge.check,
            bundled=host.bundled,
            clock=host.deps.clock,
        )

    def sync(
        self,
        by: str,
        approve: str | None = None,
        *,
        force: bool = False,
        rejudge: bool = False,
        branch: str | None = None,
    ) -> Future[Sync]:
        """Reconcile once, to the branch that the daemon follows and no other."""
        observed = self._host.observed
        bound = observed.stored.owner.bound_branch if observed.stored.owner else None
        check_asked(branch, bound or (observed.place.branch if observed.place else None))
        approval = CommitApproval(approve, f"{by} with --approve") if approve else None
        return _map(self._loop.sync(SyncRequest(approval, force, rejudge)), self._build_sync)

    def heal(self, by: str) -> Future[answers.Drift]:
        """Make the live rows what git says, whoever else writes there."""
        self._deps.log.event("Healing", by=by)
        return self._loop.submit(lambda heartbeat: self._heal())

    def verify(self, by: str) -> Future[Verification]:
        """Compare the history and the live rows with git, at the head that was reconciled."""
        self._deps.log.event("Verifying", by=by)
        return self._loop.submit(self._verify)

    def back_up(self, by: str) -> Future[Backup]:
        """Copy the store."""
        self._deps.log.event("BackingUp", by=by)
        return _map(self._loop.back_up(), lambda file: Backup(file=str(file)))

    def restore(self, by: str, file: str) -> Future[Restored]:
        """Replace the store by a backup, and reconcile."""
        self._deps.log.event("Restoring", by=by, file=file)
        return self._loop.submit(lambda heartbeat: self._restore(Path(file), heartbeat))

    def suspend(self, by: str, reason: str, until: str | None = None) -> Future[answers.Suspension]:
        """Stop automatic reconciling."""
        suspension = new_suspension(by, reason, until, self._deps.clock)

        def suspend_store() -> answers.Suspension:
            self._deps.store.store().suspend(suspension)
            self._deps.log.event("Suspended", suspension.reason, by=by)
            return build_suspension(suspension)

        return self._in_turn(suspend_store)

    def resume(self, by: str) -> Future[Resumed]:
        """Start reconciling again, with what was committed meanwhile."""

        def resume_store() -> Resumed:
            return Resumed(ended=end_suspension(self._deps.store.store(), by))

        def reconcile_again(resumed: Resumed) -> Resumed:
            self._deps.log.event("Resumed", by=by)
            self._loop.reconcile_again()
            return resumed

        return _map(self._in_turn(resume_store), reconcile_again)

    def roll_back(self, by: str, reason: str, to: str | None = None) -> Future[WentBack]:
        """Go to an earlier applied commit, and look at the head once more, which is held now."""
        request = new_rollback(by, reason, to)
        more = partial(recorded_intervals, self._deps.upload.open_ledger, self._deps.upload.host)
        self._deps.log.event("RollingBack", reason, by=by, to=to)

        def go_back(heartbeat: Callable[[], None]) -> WentBack:
            result = self._host.roll_back(request, more, heartbeat)
            rollback = self._deps.store.store().rollback()
            assert rollback is not None
            return build_went_back(rollback, result, self._host.kinds())

        return _map(self._loop.submit_urgent(go_back), self._reconcile_again)

    def end_rollback(self, by: str, reason: str) -> Future[RollbackEnded]:
        """Let the head through again."""
        reason = checked_reason(reason)

        def end() -> RollbackEnded:
            ended = self._deps.store.store().end_rollback(reason, by)
            self._deps.log.event("RollbackEnded", reason, by=by)
            return RollbackEnded(ended=build_rolled_back(ended) if ended else None)

        return _map(self._in_turn(end), self._reconcile_again)

    def _reconcile_again(self, done: T) -> T:
        self._loop.reconcile_again()
        return done

    def halt(self, by: str, reason: str, choice: HaltChoice) -> Future[Halted]:
        """Halt on the thread that asks: the operations thread may be waiting for git."""
        return self._seen(self._desk.halt(by, reason, choice))

    def release(self, by: str, reason: str, choice: HaltChoice) -> Future[Released]:
        """The same the other way round."""
        return self._seen(self._desk.release(by, reason, choice))

    def drill(self, by: str) -> Future[Drilled]:
        """Halt and release some rows of a copy, on the thread that asks."""
        drilled = self._host.deps.drills.rehearse()
        self.note(DRILLED, drill_detail(drilled, by))
        return _done(drilled)

    def _obey(self) -> tuple[str, ...]:
        """Followers hear of it by themselves."""
        self._host.obey_halts()
        return ()

    def _seen(self, answer: T) -> Future[T]:
        """Let the operations thread look at what was changed beside it; nobody waits for that."""
        self._loop.submit(lambda heartbeat: self._host.refresh())
        return _done(answer)

    def note(self, event: str, detail: Mapping[str, Value]) -> None:
        """Record as a host event what this host did beside the rows; returns at once."""

        def note_event() -> None:
            self._deps.store.store().record_event(event, detail)
            self._host.refresh()

        self._loop.submit(lambda heartbeat: note_event())

    def _build_sync(self, result: SyncResult) -> Sync:
        upload = self._deps.upload.state()
        conditions = self._deps.conditions.snapshot().active
        warnings = [conditions[BRANCH]] if BRANCH in conditions else []
        return build_sync(result, self._host.kinds(), upload.versions if upload else None, warnings)

    def _heal(self) -> answers.Drift:
        with self._host.close_on_error():
            drift = heal_store(self._deps.store.store())
            self._deps.metrics.drift.count(drift.total, drift.total)
            self._host.look_for_drift()  # what was said of the rows before is no longer so
            return build_drift(drift)

    def _verify(self, heartbeat: Callable[[], None]) -> Verification:
        self._deps.upload.flush(UPLOAD_WAIT)
        return self._host.retry_read(lambda: self._verify_once(heartbeat))

    def _verify_once(self, heartbeat: Callable[[], None]) -> Verification:
        with self._host.close_on_error():
            return build_verification(self._make_verifier().verify(lambda done, total: heartbeat()))

    def _make_verifier(self) -> Verifier:
        target = self._deps.repository.open()
        return Verifier(
            source=target.source,
            processor=CommitProcessor(target.source, target.folder, self._host.bundled, self._deps.faults),
            repository=target.repository,
            branch=target.branch,
            store=self._deps.store.store(),
            open_ledger=self._deps.upload.open_ledger,
            compare_view=self._deps.compare_view,
        )

    def _restore(self, file: Path, heartbeat: Callable[[], None]) -> Restored:
        restored = self._deps.backups.restore(file, self._deps.repository.open().claimant)
        try:
            with self._host.close_on_error():
                verifier = replace(self._make_verifier(), open_ledger=None)
                return build_restored(restored, verifier.compare_rows(lambda done, total: heartbeat()))
        finally:  # looking for drift may heal it
            self._host.look_for_drift()
            self._loop.reconcile_again()

    def _in_turn(self, work: Callable[[], T]) -> Future[T]:
        """Do something short with the store, without waiting for a fetch, and let the host see what came of it."""

        def work_and_refresh(heartbeat: Callable[[], None]) -> T:
            done = work()
            self._host.refresh()
            return done

        return self._loop.submit_urgent(work_and_refresh)


def _done(answer: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return future


def _map(future: Future[T], make: Callable[[T], U]) -> Future[U]:
    """What a future gives, made into something else on the thread that it ended on."""
    mapped: Future[U] = Future()
    future.add_done_callback(lambda source: _copy(source, mapped, make))
    return mapped


def _copy(source: Future[T], target: Future[U], make: Callable[[T], U]) -> None:
    if source.cancelled():
        target.cancel()
        return
    try:
        target.set_result(make(source.result()))
    except Exception as error:  # noqa: BLE001  whoever waits has to hear of it
        target.set_exception(error)
