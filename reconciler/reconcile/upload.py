"""Uploading to the ledger in a thread of its own: whatever the ledger does, the live rows do not wait for it."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.host import UploadAttempt, UploadFailure, UploadState
from reconciler.reconcile.outbox import EVENTS, INTERVALS, MAX_EVENTS, Outbox, StoreOutbox
from reconciler.reconcile.record import BATCH_WEIGHT, VersionBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from reconciler.backoff import Backoff
    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.ports import Clock, Ledger, Store
    from reconciler.reconcile.outbox import Feed, PendingVersion
    from reconciler.reconcile.record import OpenLedger

    OpenOnce = Callable[[], Ledger]
    Backfill = Callable[[OpenOnce, Mapping[str, PendingVersion], Callable[[], None]], int | None]
    """Compares the ledger with the branch and records what it lacks (`record.backfill`).

    It is given the ledger, the pending versions, and what to call before each step. Returns how many versions were
    recorded, None for a branch without commits.
    """

T = TypeVar("T")
IDLE: Final = 120.0
"""Seconds after which an unused ledger is closed: the embedded one is locked while it is open."""
HUMAN_DELAY: Final = 300.0
"""Seconds until the next attempt after a failure that a human has to repair."""
STOP_TIMEOUT: Final = 5.0
"""Seconds that the thread has to end."""
NEVER: Final = math.inf
TURN: Final = 5.0
"""Seconds that each host leaves to the one before it: as long as uploads are apart, unless a host config says else."""
MAX_RANK: Final = 6
"""Turns that a host waits at most: the hosts before it may all be gone."""
HOSTS_INTERVAL: Final = 60.0
"""Seconds between two looks for the other hosts."""
HOST_EVENTS: Final = 500
"""The newest host events that tell which other hosts there are."""


class PendingUploads(Struct, frozen=True):
    """What is uploaded: versions, and the events of a host and what was live there."""

    outbox: Outbox
    events: StoreOutbox[HostEvent]
    intervals: StoreOutbox[LiveInterval]
    host: str

    @classmethod
    def of_host(cls, host: str) -> PendingUploads:
        """Nothing is pending yet."""
        return cls(Outbox(), StoreOutbox(EVENTS), StoreOutbox(INTERVALS), host)

    def exchange(self, store: Store) -> None:
        """Take what is new in the store, and tell it what the ledger has of it."""
        self.events.exchange(store)
        self.intervals.exchange(store)


def discard_events(store: Store) -> None:
    """Mark all events uploaded, on a host without a ledger: the store then keeps those of a week."""
    while events := store.events_after(store.last_uploaded_event(), MAX_EVENTS):
        store.mark_uploaded(events[-1].seq)


def upload_at_once(store: Store, open_ledger: OpenLedger, host: str) -> None:
    """Upload the host events and live intervals that are new in the store, in a process that is no daemon.

    Raises `ReconcilerError` when the ledger fails; what it does not have by then is uploaded the next time.
    """
    if not (EVENTS.after(store, EVENTS.position(store), 1) or INTERVALS.after(store, INTERVALS.position(store), 1)):
        return
    with open_ledger() as ledger:
        _upload_feed(EVENTS, store, partial(ledger.record_events, host))
        _upload_feed(INTERVALS, store, partial(ledger.record_intervals, host))


def _upload_feed(feed: Feed[T], store: Store, record: Callable[[Sequence[T]], None]) -> None:
    while items := feed.after(store, feed.position(store), MAX_EVENTS):
        record(items)
        feed.mark(store, feed.number(items[-1]))


class UploadTarget(Struct, frozen=True):
    """Where it is uploaded to. The ledger is closed after `idle` seconds without use.

    `turn` are the seconds that each host which shares the ledger leaves to the one before it.
    """

    open_ledger: OpenLedger
    backfill: Backfill
    idle: float = IDLE
    turn: float = TURN


def rank_host(host: str, hosts: Collection[str], commit: str) -> int:
    """How many of some hosts are to record a commit before this one: the order is another one for each commit.

    Rendezvous hashing: each host computes the same order, and nobody has to agree on it.
    """
    weights = {one: hashlib.sha256(f"{commit}\0{one}".encode()).digest() for one in {host, *hosts}}
    return sum(weight < weights[host] for weight in weights.values())


class RecordingOrder:
    """Which of the hosts that share a ledger records a version: one of them, and the next where that one does not.

    A host that let its turn go by is left out until it has told something new. For one thread.
    """

    def __init__(self, host: str, turn: float) -> None:
        self._host, self._turn = host, turn
        self._newest: dict[str, HostEvent] = {}
        self._absent: frozenset[str] = frozenset()
        self._looked = -NEVER
        self._commit, self._since = "", 0.0

    def is_our_turn(self, ledger: Ledger, commit: str) -> bool:
        """Whether to record the oldest commit that the ledger lacks now. False: ask again at the next upload."""
        now = time.monotonic()
        if commit != self._commit:
            self._commit, self._since = commit, now
        if now - self._looked > HOSTS_INTERVAL:
            self._look(ledger)
            self._looked = now
        hosts = self._newest.keys() - self._absent
        rank = rank_host(self._host, hosts, commit)
        if now - self._since < min(rank, MAX_RANK) * self._turn:
            return False
        self._absent |= {host for host in hosts if rank_host(host, hosts | {self._host}, commit) < rank}
        return True

    def _look(self, ledger: Ledger) -> None:
        newest = {told.host: told.event for told in reversed(ledger.events(limit=HOST_EVENTS))}
        self._absent = frozenset(host for host in self._absent if newest.get(host) == self._newest.get(host))
        self._newest = newest


class LedgerConnection:
    """The ledger's connection, for one thread: opened on first use, closed after a failure or `idle` seconds.

    `idle_at` is the monotonic time at which it will have been idle for long enough.
    """

    def __init__(self, open_ledger: OpenLedger, idle: float) -> None:
        self._open, self._idle = open_ledger, idle
        self._exit_stack = ExitStack()
        self._ledger: Ledger | None = None
        self.idle_at = NEVER

    def ledger(self) -> Ledger:
        """The open ledger. Raises `ReconcilerError` when it cannot be opened."""
        if self._ledger is None:
            self._ledger = self._exit_stack.enter_context(self._open())
        self.idle_at = time.monotonic() + self._idle
        return self._ledger

    def close_if_idle(self) -> None:
        """Close the ledger if it has been idle for long enough."""
        if time.monotonic() >= self.idle_at:
            self.close()

    def close(self) -> None:
        """Close the ledger if it is open."""
        self._ledger, self.idle_at = None, NEVER
        self._exit_stack.close()


class BatchUploader:
    """Uploads everything that is pending, for one thread.

    `heartbeat` is called before each batch and may raise to abort; `count` is told how many versions are new in the
    ledger, and how many it has of the branch.
    """

    def __init__(
        self,
        pending: PendingUploads,
        target: UploadTarget,
        heartbeat: Callable[[], None],
        count: Callable[[int, int], None],
    ) -> None:
        self.connection = LedgerConnection(target.open_ledger, target.idle)
        self._pending, self._backfill = pending, target.backfill
        self._heartbeat, self._count = heartbeat, count
        self._recorded: int | None = None
        self._order = RecordingOrder(pending.host, target.turn)
        self.waits = False
        """Whether versions are left to another host for now."""

    def upload(self, failures: int, *, at_once: bool = False) -> None:
        """Upload versions, parents first, then events and live intervals.

        A version that another host is to record is left to it for a while, except with `at_once`.
        Each of so many failures in a row halves the batches, as a server may refuse only large ones. Raises what the
        ledger or git raise. What is not uploaded by then stays pending, in its order, and the ledger is opened anew
        for it: a server that comes back may have another database, or none.
        """
        try:
            self.waits = False
            self._upload_versions(max(1, BATCH_WEIGHT >> failures), at_once=at_once)
            self._upload_events()
            self._upload_intervals()
        except BaseException:
            self.connection.close()
            raise
        self.connection.close_if_idle()

    def _upload_events(self) -> None:
        outbox = self._pending.events
        while events := outbox.take():
            self._heartbeat()
            self.connection.ledger().record_events(self._pending.host, events)
            outbox.mark_uploaded(events)

    def _upload_intervals(self) -> None:
        outbox = self._pending.intervals
        while intervals := outbox.take():
            self._heartbeat()
            self.connection.ledger().record_intervals(self._pending.host, intervals)
            outbox.mark_uploaded(intervals)

    def _upload_versions(self, weight: int, *, at_once: bool) -> None:
        """What is pending goes first, also while the ledger may lack others: a walk offers parents first.

        The ledger is compared with git when no walk is under way: that would walk the same history beside it. Until
        then nothing is left to other hosts: who they are is told by what they upload at their start.
        """
        outbox, comparisons = self._pending.outbox, 2  # then it waits: commits arrive faster than they are compared
        while True:
            if not self._upload_batches(weight, at_once=at_once or outbox.behind):
                outbox.require_backfill()
            if not outbox.behind or outbox.filling or not comparisons or not self._run_backfill():
                return
            comparisons -= 1

    def _run_backfill(self) -> bool:
        """Backfill the ledger; whether the outbox is no longer behind."""
        outbox = self._pending.outbox
        checkpoint = outbox.checkpoint()
        recorded = self._backfill(self.connection.ledger, outbox.pending(), self._heartbeat)
        if recorded is None:
            return False
        self._recorded = len(self.connection.ledger().recorded_commits())
        self._count(recorded, self._recorded)
        outbox.mark_backfilled(checkpoint)
        return not outbox.behind

    def _upload_batches(self, weight: int, *, at_once: bool) -> bool:
        """Upload batches of a weight. False when the ledger lacks a parent, and so may lack any commit before."""
        while versions := self._pending.outbox.take(weight):
            self._heartbeat()
            ledger = self.connection.ledger()
            shas_in_order = [pending.sha for pending in versions]
            shas = set(shas_in_order)
            parents = {parent for pending in versions for parent in pending.version.commit.parents} - shas
            known = ledger.recorded_commits((*shas, *parents))
            if not parents <= known.keys():
                return False
            missing = next((sha for sha in shas_in_order if sha not in known), None)
            if missing and not at_once and not self._order.is_our_turn(ledger, missing):
                self.waits = True
                return True
            if self._recorded is None:
                self._recorded = len(ledger.recorded_commits())
            written = _record_unknown(ledger, versions, known)
            self._recorded += sum(pending.sha not in known for pending in versions)
            self._count(written, self._recorded)
            self._pending.outbox.mark_uploaded(versions)
        return True


def _record_unknown(ledger: Ledger, versions: Sequence[PendingVersion], known: Mapping[str, bool]) -> int:
    """Record the versions that the ledger lacks; how many they were. `known` says which commits are mainline."""
    batch = VersionBatch(ledger)
    for pending in versions:
        if pending.again or known.get(pending.sha) is not pending.version.mainline:
            batch.add(pending)
    batch.flush()
    return batch.written


class HistoryUploader:
    """A context manager around the thread `shipping`. Its methods may be called from any thread.

    `interval` is in seconds. `on_failure` is called on that thread with every failure, and with None when an attempt
    succeeds again; `on_attempt` with every attempt. Neither may raise.
    """

    def __init__(
        self,
        pending: PendingUploads,
        target: UploadTarget,
        backoff: Backoff,
        clock: Clock,
        *,
        interval: float,
        on_failure: Callable[[Exception | None], None] = lambda error: None,
    ) -> None:
        self._pending, self._backoff, self._clock, self._on_failure = pending, backoff, clock, on_failure
        self.on_attempt: Callable[[UploadAttempt], None] = lambda attempt: None
        self._uploader = BatchUploader(pending, target, self._heartbeat, self._count_recorded)
        self._written = 0
        self._state = UploadState()
        self._changed = threading.Condition()
        self._interval = interval
        self._next_attempt = time.monotonic() + interval
        self._requests = self._requests_answered = self._requests_fulfilled = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="shipping", daemon=True)

    def __enter__(self) -> HistoryUploader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """End the thread between two batches. A thread that hangs is abandoned: it dies with the process."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)
        if self._thread.is_alive():
            error = RetryLater("the history does not answer, so shipping was broken off", hint="nothing is lost")
            self._on_failure(error)

    def state(self) -> UploadState:
        """The present state."""
        backlog, events = self._pending.outbox.backlog(), self._pending.events.count()
        with self._changed:
            return self._state.with_backlog(backlog, events)

    def remember(self, recorded: int) -> None:
        """The last process saw so many versions of the branch in the ledger; it counts until this one has asked."""
        with self._changed:
            if self._state.recorded is None:
                self._state = self._state.with_recorded(recorded)

    def set_interval(self, interval: float) -> None:
        """Upload at another interval from now on, in seconds."""
        with self._changed:
            if interval != self._interval and not self._state.failures:
                self._next_attempt = time.monotonic() + interval
            self._interval = interval
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Upload now, also when the next attempt after a failure is not due, and wait for so many seconds at most.

        Returns whether all that was offered before is in the ledger.
        """
        with self._changed:
            self._requests += 1
            request = self._requests
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._requests_answered >= request or self._stopping, timeout)
            return self._requests_fulfilled >= request

    def _run(self) -> None:
        while self._wait_until_due():
            self._attempt()
        self._uploader.connection.close()

    def _wait_until_due(self) -> bool:
        """Wait until it is time to upload, or to close an idle ledger; False when it is time to end."""
        with self._changed:
            while not self._stopping:
                left = min(self._next_attempt, self._uploader.connection.idle_at) - time.monotonic()
                if self._requests > self._requests_answered or left <= 0:
                    return True
                self._changed.wait(left)
        return False

    def _attempt(self) -> None:
        began, before = time.perf_counter(), self._written
        with self._changed:
            requests = self._requests
            self._state = self._state.with_start(self._clock.now())
        error: Exception | None = None
        try:
            self._uploader.upload(self._state.failures, at_once=requests > self._requests_answered)
        except _Stopping:
            return
        except Exception as caught:  # noqa: BLE001  the thread must outlive whatever happens to one attempt
            error = caught
        failed, recorded = error is not None, self._written - before
        complete = not (failed or self._uploader.waits or self._pending.outbox.behind)
        self.on_attempt(UploadAttempt(time.perf_counter() - began, recorded, failed, complete))
        self._conclude(requests, error)

    def _conclude(self, requests: int, error: Exception | None) -> None:
        recovered = error is None and self._state.failures > 0
        if error is None:
            self._backoff.reset()
            delay = self._interval
        else:
            delay = HUMAN_DELAY if isinstance(error, NeedsHuman) else self._backoff.next()
        now = self._clock.now()
        with self._changed:
            failure = None if error is None else UploadFailure.of(error, now)
            self._state = self._state.with_end(failure, now, delay)
            self._next_attempt = time.monotonic() + delay
            self._requests_answered = requests
            if error is None and not self._pending.outbox.behind:
                self._requests_fulfilled = requests
            self._changed.notify_all()
        if error is not None or recovered:
            self._on_failure(error)

    def _count_recorded(self, written: int, recorded: int) -> None:
        with self._changed:
            self._written += written
            self._state = self._state.with_recorded(recorded)

    def _heartbeat(self) -> None:
        with self._changed:
            self._state = self._state.with_beat(self._clock.now())
            if self._stopping:
                raise _Stopping


class _Stopping(Exception):
    """The thread is asked to end."""
