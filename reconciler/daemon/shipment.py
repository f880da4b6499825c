"""The history of the branch that a daemon follows: what waits for it, and the thread that ships it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.backoff import Backoff
from reconciler.daemon.hostconfig import DEFAULT
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.metrics import Outcome
from reconciler.reconcile.empty import EmptyLedger
from reconciler.reconcile.outbox import EventOutbox, Outbox, discard_events
from reconciler.reconcile.processor import CommitProcessor
from reconciler.reconcile.record import backfill
from reconciler.reconcile.upload import HistoryUploader, PendingUploads, UploadTarget
from reconciler.service.repository import describe_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from reconciler.adapters.git.repository import GitSource
    from reconciler.metrics import Metrics
    from reconciler.model.upload import UploadAttempt, UploadState
    from reconciler.ports import Clock, Ledger, LedgerReader, Store
    from reconciler.reconcile.record import PendingVersion
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.service.context import Openers, Target
    from reconciler.settings import Settings


SILENCE = 20
"""Seconds that a ClickHouse server may say nothing to a daemon: it tries again, and its status tells of what hangs."""
LETTING_GO = 600.0
"""Seconds between two looks for events that nobody will ship and that are old enough to go."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """Records the versions that the history lacks, from git.

    With a repository and a memory of its own: it runs beside the operations thread, and seldom.
    """

    settings: Settings
    open_source: Callable[[], AbstractContextManager[GitSource]]
    bundled: BundledSchemas

    def record_missing(
        self,
        branch: str,
        open_ledger: Callable[[], Ledger],
        waiting: Mapping[str, PendingVersion],
        pulse: Callable[[], None],
    ) -> int | None:
        """How many versions the ledger of a branch has then; None where the branch has no commits."""
        ledger = open_ledger()
        try:
            with self.open_source() as source:
                target = describe_target(source, replace(self.settings, branch=branch))
                head = source.resolve(target.branch)
                if head is None:
                    return None
                stepper = CommitProcessor(source, self.settings.path, self.bundled)
                return backfill(source, stepper, head, ledger, waiting=waiting, progress=lambda done, total: pulse())
        except NeedsHuman as error:  # of git's: the operations thread calls whoever is needed, or mends it
            raise RetryLater(str(error), hint=error.hint) from error


class Shipment:
    """One branch at a time: with another branch all begins anew, as its history is another one.

    `follow` and `exchange` are for the thread that has the store; the rest for any. `tell` hears of failures.
    """

    def __init__(
        self,
        openers: Openers,
        backfill: Backfill,
        host: str,
        clock: Clock,
        tell: Callable[[Exception | None], None],
        metrics: Metrics,
    ) -> None:
        self._openers, self._backfill = openers, backfill
        self._host, self._clock, self._tell = host, clock, tell
        self._metrics = metrics
        self._interval = DEFAULT.ship_interval
        self._branch: str | None = None
        self._uploader: HistoryUploader | None = None
        self._feed: EventOutbox | None = None
        self._let_go = 0.0
        self.outbox: Outbox | None = None
        """Where versions are put; None where no history is kept."""
        self.open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None = None
        """What opens the ledger for reading; None where no history is kept."""

    def follow(self, at: Target) -> None:
        """Ship the history of this branch from now on."""
        if at.branch == self._branch:
            return
        self.stop()
        self._branch = at.branch
        if self._openers.ledger is None:
            return
        open_ledger = partial(self._openers.ledger, at.state, at.repository, at.branch, SILENCE)
        way = UploadTarget(open_ledger, partial(self._backfill.record_missing, at.branch))
        self.open_ledger = partial(self._read_when_recorded, at, open_ledger)
        self.outbox, self._feed = Outbox(), EventOutbox()
        cargo = PendingUploads(self.outbox, self._feed, self._host)
        self._uploader = HistoryUploader(
            cargo, way, Backoff(), self._clock, interval=self._interval, on_failure=self._tell
        )
        self._uploader.on_attempt = self._count
        self._uploader.__enter__()

    def exchange(self, store: Store) -> None:
        """Take the host events that are new in the store, and tell it which of them the ledger has."""
        if self._feed is not None:
            self._feed.exchange(store)
        elif self._branch is not None and time.monotonic() > self._let_go:
            self._let_go = time.monotonic() + LETTING_GO
            discard_events(store)

    def every(self, interval: float) -> None:
        """Ship at another interval from now on, in seconds."""
        self._interval = interval
        if self._uploader is not None:
            self._uploader.set_interval(interval)

    def state(self) -> UploadState | None:
        """How shipping stands; None where no history is kept."""
        shipper = self._uploader
        return None if shipper is None else shipper.state()

    def flush(self, deadline: float) -> bool:
        """Ship now, and wait so many seconds at most; whether all that was offered before is in the ledger."""
        shipper = self._uploader
        return shipper is None or shipper.flush(deadline)

    def stop(self) -> None:
        """End the thread; what was not shipped is found missing by the next one."""
        shipper, self._uploader, self._feed, self.outbox = self._uploader, None, None, None
        self.open_ledger = None
        if shipper is not None:
            shipper.stop()

    def _count(self, attempt: UploadAttempt) -> None:
        """On the shipping thread. Attempts with nothing to ship take no time, and are not counted."""
        metrics = self._metrics
        if attempt.versions or attempt.failed:
            metrics.uploads[Outcome.FAILED if attempt.failed else Outcome.DONE].observe(attempt.seconds)
        metrics.versions_uploaded.inc(attempt.versions)
        if attempt.complete:
            metrics.history_complete.reset()

    def _read_when_recorded(
        self, at: Target, open_ledger: Callable[[], AbstractContextManager[LedgerReader]]
    ) -> AbstractContextManager[LedgerReader]:
        """The embedded history is not created by reading it."""
        return open_ledger() if self._openers.recorded(at.state) else nullcontext(EmptyLedger())
