"""The host that the loop works on: one repository, its store and its history."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from reconciler.daemon.metrics import count_reconcile
from reconciler.errors import BranchError, InUse, NeedsHuman, ReconcilerError, RefusedError, RetryLater, UsageError
from reconciler.kinds.build import stored_kinds
from reconciler.metrics import Outcome
from reconciler.model.halt import HaltAct
from reconciler.model.host import ConditionSeverity
from reconciler.model.log import Level
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.goback import NotInGit, go_back, recover_rollback, roll_back
from reconciler.reconcile.remembered import Memory
from reconciler.reconcile.sync import AppliedStep, Reconciler, current_suspension
from reconciler.reconcile.walk import CommitProcessor
from reconciler.report.sync import applied_message, refused_message
from reconciler.service.context import BRANCH
from reconciler.service.control import explain_no_way_back, suspension_error
from reconciler.service.recall import recall_past
from reconciler.service.rehearsal import rehearse_step
from reconciler.status import HALTS, BranchHead, Scan, StoreState, read_store_state
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.sharing import SharedStore
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.adapters.git.repository import GitSource
    from reconciler.adapters.haltfile import HaltFile
    from reconciler.daemon.backups import Backups
    from reconciler.daemon.conditions import Conditions
    from reconciler.daemon.drift import DriftHealer, DriftReporter
    from reconciler.daemon.drills import Drills
    from reconciler.daemon.followers import FollowerThread
    from reconciler.daemon.history import HistoryUpload
    from reconciler.daemon.hostconfig import HostConfigReader
    from reconciler.daemon.repository import FollowedRepository
    from reconciler.daemon.roots import DailyRoots
    from reconciler.kinds.kind import Kinds
    from reconciler.metrics import Metrics
    from reconciler.model.commit import Applied
    from reconciler.model.halt import HaltStep
    from reconciler.model.live import CompareView
    from reconciler.model.rollback import RollbackRequest
    from reconciler.ports import Clock, Log, PolicyEngine, Store
    from reconciler.reconcile.branch import BranchWarning, FollowedBranch
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.reconcile.sync import CommitApproval, SyncResult
    from reconciler.reconcile.targets import MoreIntervals
    from reconciler.reconcile.walk import Progress
    from reconciler.service.context import Target
    from reconciler.service.releasing import ReleaseJudge

T = TypeVar("T")
POLICY_ENGINE_IDLE = 600.0
"""Seconds without a reconcile after which the policies' process frees its memory."""
CONFIG_CONDITION = "Orders"
RECALL_INTERVAL = 300.0
"""Seconds until a history that did not answer is asked again what stood on this host before."""


class SyncRequest(Struct, frozen=True):
    """A reconcile that somebody waits for: with approval of what is refused, or although reconciling is suspended."""

    approval: CommitApproval | None = None
    force: bool = False
    rejudge: bool = False


class Observation(Struct, frozen=True):
    """What the operations thread saw last. `place` is None before the first look at git."""

    place: BranchHead | None = None
    stored: StoreState = field(default_factory=StoreState)
    scan: Scan | None = None


class Dependencies(Struct, frozen=True):
    """What a host works with. `compare_view` is None where there is no live view."""

    repository: FollowedRepository
    store: SharedStore
    upload: HistoryUpload
    policy_engine: PolicyEngine
    drift: DriftHealer | DriftReporter
    backups: Backups
    drills: Drills
    roots: DailyRoots
    host_config: HostConfigReader
    compare_view: CompareView | None
    conditions: Conditions
    metrics: Metrics
    log: Log
    clock: Clock
    faults: FaultFinder
    judge: ReleaseJudge
    halts: HaltFile
    state_folder: Path
    name: str


class OpenRepository(Struct, frozen=True):
    """What is kept of an open repository from one reconcile to the next."""

    source: GitSource
    processor: CommitProcessor
    admission: AdmissionController


class Host:
    """For the operations thread, but for `observed`, which any may read.

    Each operation raises `RetryLater` when trying again may help, `NeedsHuman` when it will not. Long ones call
    `heartbeat` now and then, which may raise to end them.
    """

    def __init__(self, deps: Dependencies, bundled: BundledSchemas) -> None:
        self.deps, self.bundled = deps, bundled
        self._open_repository: OpenRepository | None = None
        self._reconciled_at = time.monotonic()
        self._recovered = False
        self._store_id = ""
        self._recall_at = 0.0
        self._configured: Applied | None = None
        self.observed = Observation()
        self.obeyed = StoreState()
        self.followers: tuple[FollowerThread, ...] = ()
        self.on_sync: Callable[[SyncResult], None] = lambda result: None
        self.on_halts: Callable[[HaltStep], None] = lambda step: None
        self.on_refresh: Callable[[DuckDBStore], None] = lambda store: None
        deps.store.on_obeyed = self.tell_halted

    def fetch(self, heartbeat: Callable[[], None]) -> None:
        """Bring the mirror up to date."""
        if not self._recovered:
            self._recover()
        self.deps.repository.fetch(heartbeat)

    def _recover(self) -> None:
        """Find what was live when the last process ended, and upload its history: readable even where git is not."""
        with suppress(OSError):  # a disk that is full by now is told elsewhere
            self.deps.halts.reserve()
        store = self.deps.store.store()
        owner, self._store_id = store.owner(), store.identity()
        self.deps.repository.bind(owner)
        target = self.deps.repository.open()
        bound = owner.bound_branch if owner else None
        followed = replace(target, branch=bound or target.branch)
        self.deps.upload.follow(target.state, followed.recorded_branch(owner, self._store_id))
        place = BranchHead(target.repository, target.branch, None, self.deps.repository.shallow)
        self.observed = replace(self.observed, place=place)
        self.refresh()
        self._recall_past(store)
        if self.observed.stored.applied is not None:
            self.deps.repository.keep(self.observed.stored.applied.stamp.commit)
        self._recovered = True

    def _recall_past(self, store: DuckDBStore) -> None:
        """Take halts and a rollback from the history, where the store lacks them. If it is away, not at each look."""
        if time.monotonic() < self._recall_at:
            return
        unknown = recall_past(store, self.deps.halts, self.deps.upload.open_briefly, self.deps.name, self.deps.clock)
        if unknown is not None:
            self._recall_at = time.monotonic() + RECALL_INTERVAL
            self.deps.conditions.set(unknown.about, unknown.severity, unknown.reason, unknown.message, unknown.hint)
        elif self._recall_at:
            self._recall_at = 0.0
            self.deps.conditions.clear(HALTS)

    def head(self) -> str | None:
        """The commit that the branch is at; None for a branch without commits.

        Raises `BranchError` when the branch cannot be followed.
        """
        try:
            target, followed = self.retry_read(self._observe_branch)
        except BranchError:
            if self.observed.place is not None:
                self.observed = replace(self.observed, place=replace(self.observed.place, head=None))
            raise
        if followed.hold is None:
            self.deps.upload.follow(target.state, target.recorded_branch(self.observed.stored.owner, self._store_id))
        head = followed.head
        place = BranchHead(target.repository, target.branch, head, self.deps.repository.shallow)
        self.observed = replace(self.observed, place=place)
        self._show_warning(followed.warning)
        self.deps.log.event("Looked", level=Level.DEBUG, branch=target.branch, commit=head)
        applied = self.observed.stored.applied
        if applied is not None and applied.stamp.commit == head:
            self.deps.metrics.in_sync.reset()
        return followed.followed_head()

    def _observe_branch(self) -> tuple[Target, FollowedBranch]:
        with self.close_on_error():
            stored = self.observed.stored
            self.deps.repository.bind(stored.owner)
            return self.deps.repository.observe_branch(has_rows=stored.applied is not None)

    def _show_warning(self, warning: BranchWarning | None) -> None:
        if warning is None:
            self.deps.conditions.clear(BRANCH)
        else:
            self.deps.conditions.set(BRANCH, ConditionSeverity.WARNING, *warning)

    def reconcile(self, request: SyncRequest | None, heartbeat: Callable[[], None]) -> SyncResult | None:
        """Bring the live rows to the head, or do nothing (None) while that is suspended.

        With a request, a suspension raises `RefusedError`.
        """
        began = time.perf_counter()
        try:
            result = self.retry_read(lambda: self._reconcile(request, heartbeat))
        except Exception as error:
            outcome = Outcome.SUSPENDED if isinstance(error, RefusedError) else Outcome.FAILED
            self.deps.metrics.reconciles[outcome].observe(time.perf_counter() - began)
            raise
        count_reconcile(self.deps.metrics, result, time.perf_counter() - began)
        if result is not None:
            self._publish(result)
            self._follow_up(result)
        return result

    def _follow_up(self, result: SyncResult) -> None:
        """Do what nobody waits for who waits for rows to be live."""
        with self.close_on_error():
            self._exchange()
            if result.applied_step is not None and self._drift_is_left():
                self.look_for_drift()  # the commit may have written what differed

    def _reconcile(self, request: SyncRequest | None, heartbeat: Callable[[], None]) -> SyncResult | None:
        self._reconciled_at = time.monotonic()
        with self.close_on_error():
            target, store = self.deps.repository.open(), self.deps.store.store()
            suspension = None if request and request.force else current_suspension(store)
            reconciler, report = self._make_reconciler(target, store), lambda done, total: heartbeat()
            if suspension is None:
                approval, rejudge = request.approval if request else None, bool(request and request.rejudge)
                self._recall_past(store)
                recovered = recover_rollback(reconciler)
                result = reconciler.sync(report, approval, rejudge=rejudge)
                if result.applied_step is None and recovered is not None:
                    result = replace(result, applied_step=recovered)
                self._observe_store()
                return result
            reconciler.offer_waiting(report)
            self.refresh()
        if request is None:
            return None
        raise suspension_error(suspension)

    def roll_back(self, request: RollbackRequest, more: MoreIntervals, heartbeat: Callable[[], None]) -> SyncResult:
        """Go to an earlier applied commit, from what is on this machine: git, or what is held without it."""
        progress: Progress = lambda done, total: heartbeat()  # noqa: E731
        try:
            result = self.retry_read(lambda: self._roll_back_in_git(request, more, progress))
        except NotInGit as error:
            with explain_no_way_back(error):
                result = go_back(self.deps.store.store(), self._remember().past(), request, self.deps.clock, progress)
        self.refresh()
        self._publish(result)
        with suppress(RetryLater):  # while another process fetches: it is live all the same
            self.deps.repository.keep(result.head or "")
        return result

    def _roll_back_in_git(self, request: RollbackRequest, more: MoreIntervals, progress: Progress) -> SyncResult:
        try:
            target = self._open_nearby()
            return roll_back(self._make_reconciler(target, self.deps.store.store()), request, more, progress)
        except (UsageError, RefusedError):
            raise
        except Exception:
            self._close()
            raise

    def _open_nearby(self) -> Target:
        """The repository, with nothing fetched. Raises `NotInGit` where that cannot be."""
        try:
            self.deps.repository.check_nearby()
            if not self._recovered:
                self._recover()
            return self.deps.repository.open()
        except InUse:
            raise
        except ReconcilerError as error:
            raise NotInGit(str(error), hint=error.hint) from error

    def _remember(self) -> Memory:
        """What is held of earlier commits without git."""
        deps, store = self.deps, self.deps.store.store()
        owner = store.owner()
        if owner is not None:
            deps.upload.follow(deps.state_folder, deps.repository.recorded_branch(owner, store.identity()))
        return Memory(
            store=store,
            open_ledger=deps.upload.open_briefly,
            host=deps.upload.host,
            folder=owner.folder if owner else "",
            bundled=self.bundled,
            faults=deps.faults,
            open_engine=lambda: nullcontext(deps.policy_engine),
        )

    def _publish(self, result: SyncResult) -> None:
        log, plan = self.deps.log, result.plan
        self.on_sync(result)
        if result.applied_step is not None:
            for follower in self.followers:
                follower.hear(result.applied_step)
            log.event("Applied", applied_message(plan), commit=result.applied and result.applied.stamp.commit)
        if plan.refused:
            log.event("Refused", refused_message(plan), level=Level.WARN, commit=result.head)

    def obey_halts(self) -> None:
        """Obey what somebody wrote to the halts of the state folder, if anybody did. For any thread."""
        self.deps.store.obey_halts()

    def tell_halted(self, kinds: Kinds, step: HaltStep) -> None:
        """Tell followers what halts changed, and know it at once: the operations thread may be waiting for git."""
        with self.deps.store.reading() as rows:
            failed = rows.failed_halts()
            self.obeyed = StoreState(halts=rows.halts(), halted_rows=rows.halted_rows(), failed_halts=failed)
        changed = AppliedStep.of_halts(kinds, step)
        if changed is not None:
            self.observed = replace(self.observed, stored=replace(self.observed.stored, applied=step.applied))
            for follower in self.followers:
                follower.hear(changed)
        for change in step.changes:
            told, count = f"{change.selector}: {change.reason}", sum(step.counts.values())
            if change.act is HaltAct.HALTED:
                self.deps.log.event("Halted", told, level=Level.WARN, by=change.by, rows=count)
            else:
                self.deps.log.event("Released", told, by=change.by, rows=count)
        for kind, why in step.failed.items():
            self.deps.log.event("HaltFailed", why, level=Level.ERROR, kind=kind)
        self.on_halts(step)

    def kinds(self) -> Kinds:
        """The kinds that the live rows were made under."""
        return stored_kinds(self.deps.store.store().kinds())

    def compare_copies(self) -> None:
        """Let each follower compare all that it holds with the live rows; nobody waits for it."""
        for follower in self.followers:
            follower.compare()

    def scan(self) -> None:
        """Look for live rows, and copies of them, that are not as git says, and heal or report them."""
        with self.close_on_error():
            store = self.deps.store.store()
            if store.applied() is not None and current_suspension(store) is None:
                self.look_for_drift()
            else:
                self.compare_copies()

    def _drift_is_left(self) -> bool:
        scan = self.observed.scan
        return scan is not None and scan.found > scan.healed

    def look_for_drift(self) -> None:
        """Look now, also while reconciling is suspended."""
        self.compare_copies()
        scan = self.deps.drift.scan(self.deps.store.store(), self.kinds())
        self.observed = replace(self.observed, scan=scan)
        self.deps.metrics.drift.count(scan.found, scan.healed, scan.fighting)
        self.deps.log.event("Scanned", level=Level.DEBUG, found=scan.found, healed=scan.healed)
        self.refresh()

    def drill(self) -> None:
        """Prove on a copy that halting works. Raises `NeedsHuman` when it does not."""
        try:
            self.deps.drills.make()
        finally:
            self.refresh()

    def until_drill(self) -> float:
        """Seconds until the next drill is due."""
        return self.deps.drills.until_next(self.observed.stored.drill)

    def make_root(self) -> float:
        """Make the daily root, if a day is over. Seconds until the next look."""
        return self.deps.roots.make()

    def back_up(self) -> Path:
        """Copy the store, and delete copies that are too old."""
        return self.deps.backups.make()

    def until_backup(self) -> float:
        """Seconds until the next backup is due."""
        return self.deps.backups.until_next(self.deps.host_config.config.backup_interval)

    def prepare(self) -> bool:
        """Open the store, unless another process has it (False): a commit is about to come, or waits for it."""
        with suppress(ReconcilerError):  # the operation that needs it meets the error again, and tells it
            return self.deps.store.make_ready()
        return True

    def changed_externally(self) -> bool:
        """Whether something else wrote to the store since this process closed it."""
        return self.deps.store.changed_externally()

    def settle(self) -> None:
        """The daemon stops: leave in the store what the next one wants to know."""
        if not self._recovered:
            return
        with suppress(ReconcilerError):
            self.deps.upload.exchange_events(self.deps.store.store())

    def close_idle(self) -> None:
        """Close the store, so that others may open it, and pack the mirror when it is time."""
        self.deps.store.close_idle()
        self.deps.repository.maintain()
        if time.monotonic() - self._reconciled_at > POLICY_ENGINE_IDLE:
            self._reconciled_at = math.inf
            self.deps.policy_engine.close_idle()

    def refresh(self) -> None:
        """Observe the store, and exchange with it what others upload and send."""
        self._observe_store()
        self._exchange()

    def _observe_store(self) -> None:
        store = self.deps.store.store()
        self.observed = replace(self.observed, stored=replace(self.observed.stored, applied=store.applied()))
        self.observed = replace(self.observed, stored=read_store_state(store))

    def _exchange(self) -> None:
        """Exchange host events with those who upload and send them, and apply the host config of what is live."""
        store, deps = self.deps.store.store(), self.deps
        deps.upload.exchange_events(store)
        self.on_refresh(store)
        applied = self.observed.stored.applied
        if applied is None or applied == self._configured:
            return
        self._configured = applied
        try:
            deps.host_config.refresh(store, self.kinds())
        except NeedsHuman as error:
            deps.conditions.set(CONFIG_CONDITION, ConditionSeverity.STALLED, "NoSuchRow", str(error), error.hint)
        else:
            deps.conditions.clear(CONFIG_CONDITION)

    def _make_reconciler(self, target: Target, store: Store) -> Reconciler:
        if self._open_repository is None or self._open_repository.source is not target.source:
            processor = CommitProcessor(target.source, target.folder, self.bundled, self.deps.faults)
            admission = AdmissionController(processor.rules, lambda: nullcontext(self.deps.policy_engine))
            self._open_repository = OpenRepository(target.source, processor, admission)
        return Reconciler(
            claimant=target.claimant,
            branch=target.branch,
            store=store,
            open_ledger=None,
            processor=self._open_repository.processor,
            admission=self._open_repository.admission,
            bundled=self.bundled.kinds,
            clock=self.deps.clock,
            rehearse=rehearse_step,
            outbox=self.deps.upload.outbox,
        )

    @contextmanager
    def close_on_error(self) -> Iterator[None]:
        """After an error nothing that is open is trusted: the next operation opens it anew."""
        try:
            yield
        except BranchError:  # all could be read
            self._close()
            raise
        except NeedsHuman:
            self._close()
            self.deps.repository.repair()
            raise
        except Exception:
            self._close()
            raise

    def retry_read(self, work: Callable[[], T]) -> T:
        """Do it again, opened anew, when it could not be read: git moves its objects about, and may collect some."""
        try:
            return work()
        except (UsageError, BranchError):
            raise
        except NeedsHuman:
            return work()

    def _close(self) -> None:
        self._open_repository = None
        self.deps.repository.close()
        self.deps.store.discard()
