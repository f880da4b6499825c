"""The upload of the history of the branch that a daemon follows: what waits for it, and the thread that sends it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.backoff import Backoff
from reconciler.daemon.hostconfig import DEFAULT
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.metrics import Outcome
from reconciler.reconcile.empty import EmptyLedger
from reconciler.reconcile.record import backfill
from reconciler.reconcile.upload import HistoryUploader, PendingUploads, UploadTarget, discard_events
from reconciler.reconcile.walk import CommitProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.git.repository import GitSource
    from reconciler.ledger.connection import RecordedBranch
    from reconciler.metrics import Metrics
    from reconciler.model.host import UploadAttempt, UploadState
    from reconciler.ports import Clock, Ledger, LedgerReader, Store
    from reconciler.reconcile.faults import FaultFinder
    from reconciler.reconcile.outbox import Outbox, PendingVersion
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.service.context import Openers
    from reconciler.settings import Settings

SERVER_TIMEOUT = 20
"""Seconds that a ClickHouse server may say nothing to a daemon: it tries again, and its status tells of what hangs."""
BRIEF_SILENCE = 5
"""The same to the operations thread, on which commits wait."""
LEAVING_WAIT = 5.0
"""Seconds that a switch to another branch, or the end of the daemon, waits for the upload of what happened last."""
FIRST_WALK = 30.0
"""Seconds that the first walk of a branch has to begin until its history is compared without it."""
EVICTION_INTERVAL = 600.0
"""Seconds between two looks for host events that nobody will upload and that are old enough to go."""


class Backfill(Struct, frozen=True):
    """Records the versions that the history lacks, from git.

    With a repository and a memory of its own: it runs beside the operations thread, and seldom.
    """

    settings: Settings
    open_source: Callable[[], AbstractContextManager[GitSource]]
    bundled: BundledSchemas
    faults: FaultFinder

    def record_missing(
        self,
        branch: str,
        open_ledger: Callable[[], Ledger],
        waiting: Mapping[str, PendingVersion],
        heartbeat: Callable[[], None],
        note_head: Callable[[str], None] = lambda head: None,
    ) -> int | None:
        """How many versions were recorded of a branch; None where there is no such branch, or any more.

        `note_head` is told of the head before.
        """
        ledger = open_ledger()
        try:
            with self.open_source() as source:
                head = source.branch_head(branch)
                if head is None and source.head_branch() != branch:
                    raise RetryLater(f"the branch {branch} is gone", hint="`reconciler status` tells what to do")
                if head is None:
                    return None
                processor = CommitProcessor(source, self.settings.path, self.bundled, self.faults)
                report = lambda done, total: heartbeat()  # noqa: E731
                return backfill(source, processor, head, ledger, waiting=waiting, progress=report)
        except NeedsHuman as error:  # of git's: the operations thread calls whoever is needed, or repairs it
            raise RetryLater(str(error), hint=error.hint) from error


class HistoryUpload:
    """One branch at a time: with another branch all begins anew, as its history is another one.

    `follow` and `exchange_events` are for the thread that has the store; the rest for any. `on_error` is called with
    each error, and with None when the upload works again.
    """

    def __init__(
        self,
        openers: Openers,
        backfill: Backfill,
        host: str,
        clock: Clock,
        on_error: Callable[[Exception | None], None],
        metrics: Metrics,
    ) -> None:
        self._openers, self._backfill = openers, backfill
        self.host, self._clock, self._on_error = host, clock, on_error
        self._metrics = metrics
        self._interval = DEFAULT.ship_interval
        self.branch = ""
        """The one whose history is uploaded; empty before the first."""
        self._uploader: HistoryUploader | None = None
        self._pending: PendingUploads | None = None
        self._evicted = 0.0
        self._noted = 0
        self.outbox: Outbox | None = None
        """Where versions are put; None where no history is kept."""
        self.open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None = None
        """Opens the ledger for reading; None where no history is kept."""
        self.open_briefly: Callable[[], AbstractContextManager[LedgerReader]] | None = None
        """The same, for the operations thread."""

    def follow(self, state: Path, followed: RecordedBranch) -> None:
        """Upload the history of this branch from now on."""
        if followed.branch == self.branch:
            return
        self._leave()
        self.stop()
        self.branch = followed.branch
        if self._openers.ledger is None:
            return
        open_ledger = partial(self._openers.ledger, state, followed, SERVER_TIMEOUT)
        self.open_ledger = partial(self._open_recorded, state, open_ledger)
        briefly = partial(self._openers.ledger, state, followed, BRIEF_SILENCE)
        self.open_briefly = partial(self._open_recorded, state, briefly)
        self._pending = PendingUploads.of_host(self.host)
        self.outbox = self._pending.outbox
        self.outbox.expect_walk(FIRST_WALK)
        record = partial(self._backfill.record_missing, followed.branch, note_head=self.outbox.note_head)
        route = UploadTarget(open_ledger, record)
        self._uploader = HistoryUploader(
            self._pending, route, Backoff(), self._clock, interval=self._interval, on_failure=self._on_error
        )
        self._uploader.on_attempt = self._count
        self._uploader.__enter__()

    def _leave(self) -> None:
        """Upload what was live of the branch that is left: when it is gone, nobody finds it missing."""
        uploader = self._uploader
        if uploader is not None and not uploader.state().failures:
            uploader.flush(LEAVING_WAIT)

    def exchange_events(self, store: Store) -> None:
        """Take the host events and live intervals that are new in the store, and tell it which the ledger has."""
        if self._pending is not None:
            self._pending.exchange(store)
            self._exchange_recorded(store)
        elif self.branch and time.monotonic() > self._evicted:
            self._evicted = time.monotonic() + EVICTION_INTERVAL
            discard_events(store)

    def _exchange_recorded(self, store: Store) -> None:
        """So that the next process knows from the start how much the history has."""
        branch, state = self.branch, self.state()
        if not branch or state is None or self._uploader is None:
            return
        if state.recorded is None:
            self._noted = store.recorded_versions(branch)
            self._uploader.remember(self._noted)
        elif state.recorded != self._noted:
            self._noted = state.recorded
            store.note_recorded_versions(branch, self._noted)

    def set_interval(self, seconds: float) -> None:
        """Upload at another interval from now on."""
        self._interval = seconds
        if self._uploader is not None:
            self._uploader.set_interval(seconds)

    def state(self) -> UploadState | None:
        """How the upload stands; None where no history is kept."""
        uploader = self._uploader
        return None if uploader is None else uploader.state()

    def flush(self, timeout: float) -> bool:
        """Upload now, and wait so many seconds at most; whether all that was offered before is in the ledger."""
        uploader = self._uploader
        return uploader is None or uploader.flush(timeout)

    def close(self) -> None:
        """Upload what happened on this host last, and end the thread: without its state folder it would be lost."""
        state = self.state()
        if state is not None and state.events:
            self._leave()
        self.stop()

    def stop(self) -> None:
        """End the thread; what was not uploaded is found missing by the next one."""
        uploader, self._uploader, self._pending, self.outbox = self._uploader, None, None, None
        self.open_ledger = self.open_briefly = None
        if uploader is not None:
            uploader.stop()

    def _count(self, attempt: UploadAttempt) -> None:
        """On the upload's thread. Attempts with nothing to upload take no time, and are not counted."""
        metrics = self._metrics
        if attempt.versions or attempt.failed:
            metrics.uploads[Outcome.FAILED if attempt.failed else Outcome.DONE].observe(attempt.seconds)
        metrics.versions_uploaded.inc(attempt.versions)
        if attempt.complete:
            metrics.history_complete.reset()

    def _open_recorded(
        self, state: Path, open_ledger: Callable[[], AbstractContextManager[LedgerReader]]
    ) -> AbstractContextManager[LedgerReader]:
        """The embedded history is not created by reading it."""
        return open_ledger() if self._openers.recorded(state) else nullcontext(EmptyLedger())
