"""What the loop asks of this host, done: one repository, its store and its history. Implements `Works`."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from reconciler.daemon.following import gone
from reconciler.daemon.metrics import count_reconcile
from reconciler.errors import NeedsHuman, RefusedError, UsageError
from reconciler.metrics import Outcome
from reconciler.model.host import Level, Outlook
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.processor import CommitProcessor
from reconciler.reconcile.rules import stored_kinds
from reconciler.reconcile.sync import Reconciler, current_suspension
from reconciler.report.sync import applied_message, refused_message
from reconciler.service.operations import suspension_error
from reconciler.status import Place, Scan, Stored, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.sharing import Keeper
    from reconciler.adapters.git.repository import GitSource
    from reconciler.daemon.backups import Backups
    from reconciler.daemon.conditions import Board
    from reconciler.daemon.drift import Healer, Teller
    from reconciler.daemon.followers import FollowerThread
    from reconciler.daemon.following import Following
    from reconciler.daemon.hostconfig import Obedience
    from reconciler.daemon.loop import Wish
    from reconciler.daemon.shipment import Shipment
    from reconciler.kinds.kind import Kinds
    from reconciler.metrics import Metrics
    from reconciler.ports import Clock, Log, PolicyEngine, Store
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.reconcile.sync import SyncResult
    from reconciler.service.context import Target

T = TypeVar("T")
RESTING = 600.0
"""Seconds without a reconcile after which the policies' process lets its memory go."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the operations thread saw last, for whoever asks. `place` is None before the first look at git."""

    place: Place | None = None
    stored: Stored = field(default_factory=Stored)
    scan: Scan | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a host is made of."""

    following: Following
    keeper: Keeper
    shipment: Shipment
    engine: PolicyEngine
    scanner: Healer | Teller
    backups: Backups
    obedience: Obedience
    board: Board
    metrics: Metrics
    log: Log
    clock: Clock


@dataclass(frozen=True, slots=True)
class Tools:
    """What is remembered of an open repository from one reconcile to the next."""

    source: GitSource
    processor: CommitProcessor
    admission: AdmissionController


class Host:
    """Everything is for the operations thread, but `facts`, which any may read."""

    def __init__(self, parts: Parts, bundled: BundledSchemas) -> None:
        self.parts, self.bundled = parts, bundled
        self._tools: Tools | None = None
        self._worked = time.monotonic()
        self._recalled = False
        self.facts = Facts()
        self.followers: tuple[FollowerThread, ...] = ()
        """Hear of every commit that goes live."""
        self.telling: Callable[[SyncResult], None] = lambda result: None
        """Hears of every reconcile."""

    def fetch(self, beat: Callable[[], None]) -> None:
        """Bring the mirror up to date. What is live has to stay readable whatever happened elsewhere."""
        if not self._recalled:
            self._recall()
        self.parts.following.fetch(beat)

    def _recall(self) -> None:
        """What was live when the last process ended is known at once, and its history shipped, wherever git is."""
        at = self.parts.following.at()
        self.parts.shipment.follow(at)
        self.facts = replace(self.facts, place=Place(at.repository, at.branch, None, self.parts.following.shallow))
        self.look()
        if self.facts.stored.applied is not None:
            self.parts.following.keep(self.facts.stored.applied.stamp.commit)
        self._recalled = True

    def head(self) -> str | None:
        """The commit that the branch is at."""
        at, head = self.once_more(self._looked)
        self.parts.shipment.follow(at)
        place = Place(at.repository, at.branch, head, self.parts.following.shallow)
        self.facts = replace(self.facts, place=place)
        self.parts.log.event("Looked", level=Level.DEBUG, branch=at.branch, commit=head)
        applied = self.facts.stored.applied
        if applied is not None and applied.stamp.commit == head:
            self.parts.metrics.in_sync.reset()
        return head

    def _looked(self) -> tuple[Target, str | None]:
        with self.trusting():
            at, head = self.parts.following.look()
            if head is None and self.facts.stored.applied is not None:
                raise gone(at.branch)
            return at, head

    def reconcile(self, wish: Wish | None, beat: Callable[[], None]) -> SyncResult | None:
        """Bring the live rows to the head, or do nothing while that is suspended."""
        began = time.perf_counter()
        try:
            result = self.once_more(lambda: self._reconciled(wish, beat))
        except Exception as error:
            outcome = Outcome.SUSPENDED if isinstance(error, RefusedError) else Outcome.FAILED
            self.parts.metrics.reconciles[outcome].observe(time.perf_counter() - began)
            raise
        count_reconcile(self.parts.metrics, result, time.perf_counter() - began)
        if result is not None:
            self._pass_on(result)
        return result

    def _reconciled(self, wish: Wish | None, beat: Callable[[], None]) -> SyncResult | None:
        self._worked = time.monotonic()
        with self.trusting():
            at, store = self.parts.following.at(), self.parts.keeper.store()
            pause = None if wish and wish.force else current_suspension(store)
            if pause is None:
                result = self._reconciler(at, store).sync(lambda done, total: beat(), wish.approval if wish else None)
                self.look()
                return result
            self.look()
        if wish is None:
            return None
        raise suspension_error(pause)

    def kinds(self) -> Kinds:
        """The kinds that the live rows were made under."""
        return stored_kinds(self.parts.keeper.store().kinds())

    def scan(self) -> None:
        """Look for live rows that are not as git says, and put them right or tell."""
        with self.trusting():
            store = self.parts.keeper.store()
            if store.applied() is not None and current_suspension(store) is None:
                scan = self.parts.scanner.scan(store, self.kinds())
                self.facts = replace(self.facts, scan=scan)
                self.parts.metrics.drift.count(scan.found, scan.healed, scan.fighting)
                self.parts.log.event("Scanned", level=Level.DEBUG, found=scan.found, healed=scan.healed)
                self.look()

    def back_up(self) -> Path:
        """Copy the store, and delete copies that are too old."""
        return self.parts.backups.make()

    def until_backup(self) -> float:
        """Seconds until the next backup is due."""
        return self.parts.backups.until_next(self.parts.obedience.orders.backup_interval)

    def make_ready(self) -> None:
        """A commit is about to come: open the store, unless another process has its turn at it."""
        if self._recalled:
            self.parts.keeper.make_ready()

    def touched(self) -> bool:
        """Whether something else wrote to the store since this process let go of it."""
        return self.parts.keeper.touched()

    def rest(self) -> None:
        """Give the store's file free, and pack the mirror when it is time."""
        self.parts.keeper.rest()
        self.parts.following.tidy()
        if time.monotonic() - self._worked > RESTING:
            self._worked = math.inf
            self.parts.engine.close_idle()

    def look(self) -> None:
        """See what there is to know about the store, and obey it."""
        store, parts = self.parts.keeper.store(), self.parts
        before = self.facts.stored.applied
        self.facts = replace(self.facts, stored=replace(self.facts.stored, applied=store.applied()))
        self.facts = replace(self.facts, stored=stored(store))
        parts.shipment.exchange(store)
        applied = self.facts.stored.applied
        if applied is None or applied == before:
            return
        try:
            parts.obedience.heed(store, self.kinds())
        except NeedsHuman as error:
            parts.board.trouble("Orders", Outlook.STALLED, "NoSuchRow", str(error), error.hint)
        else:
            parts.board.well("Orders")

    def _reconciler(self, at: Target, store: Store) -> Reconciler:
        if self._tools is None or self._tools.source is not at.source:
            processor = CommitProcessor(at.source, at.folder, self.bundled)
            self._tools = Tools(
                at.source, processor, AdmissionController(processor.rules, lambda: nullcontext(self.parts.engine))
            )
        return Reconciler(
            source=at.source,
            repository=at.repository,
            branch=at.branch,
            store=store,
            open_ledger=None,
            processor=self._tools.processor,
            admission=self._tools.admission,
            bundled=self.bundled.kinds,
            clock=self.parts.clock,
            outbox=self.parts.shipment.outbox,
        )

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """After a failure nothing that was open is trusted: the next operation opens it anew."""
        try:
            yield
        except NeedsHuman:
            self._let_go()
            self.parts.following.mend()
            raise
        except Exception:
            self._let_go()
            raise

    def once_more(self, work: Callable[[], T]) -> T:
        """What could not be read is read once more, opened anew: git moves its objects about, and may collect some."""
        try:
            return work()
        except UsageError:
            raise
        except NeedsHuman:
            return work()

    def _let_go(self) -> None:
        """After a failure nothing that is open is trusted."""
        self._tools = None
        self.parts.following.drop()
        self.parts.keeper.rest()

    def _pass_on(self, result: SyncResult) -> None:
        log, plan = self.parts.log, result.plan
        self.telling(result)
        if result.applied_step is not None:
            for follower in self.followers:
                follower.hear(result.applied_step)
            log.event("Applied", applied_message(plan), commit=result.applied and result.applied.stamp.commit)
        if plan.refused:
            log.event("Refused", refused_message(plan), level=Level.WARN, commit=result.head)
