"""The history of the branch that a daemon follows: what waits for it, and the thread that ships it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reconciler.backoff import Backoff
from reconciler.daemon.hostconfig import DEFAULT
from reconciler.metrics import Outcome
from reconciler.reconcile.outbox import EventOutbox, Outbox, discard_events
from reconciler.reconcile.upload import HistoryUploader, PendingUploads
from reconciler.wiring.shipping import SILENCE, route
from reconciler.wiring.stores import ledger_reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from reconciler.metrics import Metrics
    from reconciler.model.upload import UploadAttempt, UploadState
    from reconciler.ports import Clock, LedgerReader, Store
    from reconciler.settings import Settings
    from reconciler.wiring.origins import Target


LETTING_GO = 600.0
"""Seconds between two looks for events that nobody will ship and that are old enough to go."""


class Shipment:
    """One branch at a time: with another branch all begins anew, as its history is another one.

    `follow` and `exchange` are for the thread that has the store; the rest for any. `tell` hears of failures.
    """

    def __init__(
        self,
        settings: Settings,
        host: str,
        clock: Clock,
        tell: Callable[[Exception | None], None],
        metrics: Metrics,
    ) -> None:
        self._settings, self._host, self._clock, self._tell = settings, host, clock, tell
        self._metrics = metrics
        self._interval = DEFAULT.ship_interval
        self._branch: str | None = None
        self._shipper: HistoryUploader | None = None
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
        way = route(self._settings, at)
        if way is None:
            return
        self.open_ledger = ledger_reader(self._settings, at, SILENCE)
        self.outbox, self._feed = Outbox(), EventOutbox()
        cargo = PendingUploads(self.outbox, self._feed, self._host)
        self._shipper = HistoryUploader(
            cargo, way, Backoff(), self._clock, interval=self._interval, on_failure=self._tell
        )
        self._shipper.on_attempt = self._count
        self._shipper.__enter__()

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
        if self._shipper is not None:
            self._shipper.set_interval(interval)

    def state(self) -> UploadState | None:
        """How shipping stands; None where no history is kept."""
        shipper = self._shipper
        return None if shipper is None else shipper.state()

    def flush(self, deadline: float) -> bool:
        """Ship now, and wait so many seconds at most; whether all that was offered before is in the ledger."""
        shipper = self._shipper
        return shipper is None or shipper.flush(deadline)

    def stop(self) -> None:
        """End the thread; what was not shipped is found missing by the next one."""
        shipper, self._shipper, self._feed, self.outbox = self._shipper, None, None, None
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
