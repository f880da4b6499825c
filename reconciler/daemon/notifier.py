"""Tells people: reads host events and conditions, keeps what waits, and sends it. All on one thread, `notify`.

Nothing waits for it. The operations thread hands over host events when it has the store open anyway; how the host
stands is read without a lock. A message is in a file in the state folder before it is sent for the first time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.backoff import Backoff
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.model.host import ConditionSeverity
from reconciler.model.log import Level
from reconciler.model.rows import RESTORED
from reconciler.notify.outbox import Outbox, Queue, read_outbox, write_outbox
from reconciler.notify.senders import Postponed, Rejected
from reconciler.notify.transitions import (
    NOTIFICATIONS,
    CommitInfo,
    Conditions,
    Told,
    Transition,
    cut,
    read_event,
    without_values,
)
from reconciler.report.commits import subject_line
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.adapters.git.repository import GitSource
    from reconciler.daemon import conditions
    from reconciler.metrics import NotificationMetrics
    from reconciler.model.commit import Commit
    from reconciler.model.host import HostEvent
    from reconciler.notify.senders import Sender
    from reconciler.ports import Clock, Log
    from reconciler.status import Status

TICK = 1.0
"""Seconds between two looks at how the host stands."""
GATHER, LONGEST_GATHER = 2.0, 10.0
"""Seconds without another change after which what waits is a message, and after which it is one in any case."""
HUMAN_PAUSE = 300.0
"""Seconds until the next attempt where somebody has to do something first."""
MAX_REJECTIONS = 3
"""Attempts after which a message that is not taken is dropped: others may be."""
SHOWN_FAILURES = 2
"""Attempts in vain after which it is shown: most of what fails once works the next time."""
MAX_EVENTS = 50
"""Host events that are read at once: one about drift may have a megabyte."""
MAX_HANDED = 500
"""Host events that wait to be looked at; others are read later."""
MAX_COMMITS = 100
"""Commits of the mainline that are looked for between two that went live."""
MAX_SUBJECT = 200
STOP_TIMEOUT = 4.0


class Facts(Struct, frozen=True):
    """What it may ask of its host, on its own thread. `status` waits for nobody."""

    folder: Path
    status: Callable[[], Status]
    open_source: Callable[[], AbstractContextManager[GitSource]]
    conditions: conditions.Conditions
    log: Log
    clock: Clock
    metrics: NotificationMetrics


class Handed(Struct, frozen=True):
    """What the operations thread hands over: a host event, or that the store is another one (`begin`)."""

    event: HostEvent | None = None
    begin: Told | None = None


class Unsendable(RetryLater):
    """The message cannot be made or sent, by a fault of this program: of several changes, perhaps by one of them."""


class Delivery:
    """One receiver: when it is tried next, and why it was in vain. For the thread `notify`."""

    def __init__(self, sender: Sender) -> None:
        self.sender, self.key = sender, sender.receiver.key
        self.backoff = Backoff()
        self.not_before = 0.0
        self.first = self.newest = 0.0
        self.failure: ReconcilerError | None = None
        self.rejections = 0
        """How often the message on its way was not taken; an outage says nothing about it."""
        self.gave_up = 0
        """Messages that were dropped since one was taken."""

    def offered(self, now: float, *, is_first: bool) -> None:
        """A change waits."""
        self.newest = now
        if is_first:
            self.first = now

    def is_gathered(self, now: float) -> bool:
        """Whether what waits is a message now."""
        return now - self.newest >= GATHER or now - self.first >= LONGEST_GATHER


class Notifier:
    """A context manager around the thread. `begin` and `exchange` are for the thread that has the store."""

    def __init__(self, senders: Sequence[Sender], facts: Facts) -> None:
        self._deliveries = [Delivery(sender) for sender in senders]
        self._facts, self._log = facts, facts.log
        self._store, self._seq = "", 0
        self._handed: deque[Handed] = deque()
        self._written = Outbox()
        self._outbox = self._load()
        self._kept_told = self._outbox.told
        """What was told before this daemon, for the thread that has the store: the other one moves `_outbox` on."""
        self._unwritten = ""
        self._compare_after = 0.0
        self._compare = Conditions(time.monotonic())
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def __enter__(self) -> Notifier:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._wake.set()
        for delivery in self._deliveries:
            delivery.sender.stop()
        self._thread.join(STOP_TIMEOUT)

    def begin(self, store: DuckDBStore) -> None:
        """Know from which host event on people are told; nobody is told of what was before the first start.

        Before the thread is started; a store that is in use then is met by `exchange`.
        """
        identity = store.identity()
        if self._outbox.told.store != identity:
            self._keep(self._outbox.with_told(_begin(store, self._outbox.told)))
        self._store, self._seq = identity, self._outbox.told.seq

    def exchange(self, store: DuckDBStore) -> None:
        """Take the host events that are new in the store. Returns at once."""
        identity = store.identity()
        kept = self._kept_told
        if not self._store and kept.store == identity:  # it was in use when the daemon started
            self._store, self._seq = identity, kept.seq
        elif identity != self._store:  # the first one, or a backup was brought back
            told = _begin(store, replace(kept, store=self._store or kept.store))
            self._store, self._seq = identity, told.seq
            self._handed.append(Handed(begin=told))
        while len(self._handed) < MAX_HANDED and (events := store.events_after(self._seq, MAX_EVENTS)):
            self._handed.extend(Handed(event=without_values(event)) for event in events)
            self._seq = events[-1].seq
        if self._handed:
            self._wake.set()

    def _load(self) -> Outbox:
        keys = [delivery.key for delivery in self._deliveries]
        try:
            kept = read_outbox(self._facts.folder)
        except NeedsHuman as error:
            self._log.event("NotificationsLost", str(error), level=Level.WARN)
            kept = None
        self._written = kept or Outbox()
        for key, queue in self._written.queues.items():
            if queue.size and key not in keys:
                message = f"{queue.size} waited for a receiver ({key}) that is not in `notify` any more"
                self._log.event("NotificationsLost", message, level=Level.WARN)
        return self._written.for_receivers(keys)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(TICK)
            self._wake.clear()
            self._survive(self._take_handed)
            if time.monotonic() >= self._compare_after:
                self._compare_after = time.monotonic() + self._survive(self._compare_status)
            for delivery in self._deliveries:
                if not self._stopping.is_set():
                    pause = self._survive(partial(self._deliver, delivery))
                    delivery.not_before = max(delivery.not_before, time.monotonic() + pause)
            self._survive(self._show)

    def _survive(self, step: Callable[[], None]) -> float:
        """Take a step; gives the seconds until the next one. A fault in it is logged, and stops no other step."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  the thread must outlive it
            self._log.event("Bug", str(error), level=Level.ERROR, error=error)
            return HUMAN_PAUSE
        return 0.0

    def _take_handed(self) -> None:
        """Keep what host events say."""
        self._offer(*self._read_handed())

    def _compare_status(self) -> None:
        """Keep what is new in how the host stands."""
        status, now = self._facts.status(), time.monotonic()
        self._offer(*self._compare.compare(self._outbox.told, status, self._facts.clock.now(), now))

    def _read_handed(self) -> tuple[Told, list[Transition]]:
        told, transitions = self._outbox.told, list[Transition]()
        while self._handed:
            handed = self._handed.popleft()
            if handed.begin is not None:
                told = replace(handed.begin, failing=told.failing)
            elif handed.event is not None:
                told, transition = self._read_event(told, handed.event)
                transitions += [transition] if transition else []
        return told, transitions

    def _read_event(self, told: Told, event: HostEvent) -> tuple[Told, Transition | None]:
        """One that cannot be read, as another version of this program may write, must not take others with it."""
        try:
            return read_event(told, event)
        except Exception as error:  # noqa: BLE001  whatever is missing in it
            message = f"host event {event.seq}, {event.event}, cannot be read"
            self._log.event("NotificationsLost", message, level=Level.WARN, error=error)
            return replace(told, seq=event.seq), None

    def _offer(self, told: Told, transitions: Iterable[Transition]) -> None:
        """Keep what was told, and changes for those who want to know of them."""
        outbox, now = self._outbox.with_told(told), time.monotonic()
        for transition in transitions:
            for delivery in self._deliveries:
                if transition.topic in delivery.sender.receiver.topics:
                    queue = outbox.queues[delivery.key]
                    delivery.offered(now, is_first=not queue.waiting)
                    outbox = outbox.with_queue(delivery.key, queue.with_offer(transition))
        self._keep(outbox)

    def _deliver(self, delivery: Delivery) -> None:
        queue, now = self._outbox.queues[delivery.key], time.monotonic()
        if now < delivery.not_before:
            return
        if queue.sending is None:
            if not queue.waiting or not delivery.is_gathered(now):
                return
            queue = queue.with_message(self._facts.clock.now(), self._describe)
            self._keep(self._outbox.with_queue(delivery.key, queue))
        assert queue.sending is not None
        try:
            left = delivery.sender.send(queue.sending)
        except Exception as error:  # noqa: BLE001  one receiver must not stop the others
            known = error if isinstance(error, ReconcilerError) else self._unexpected(error)
            self._keep(self._outbox.with_queue(delivery.key, self._fail(delivery, queue, known)))
            return
        if left is not None:
            self._keep(self._outbox.with_queue(delivery.key, replace(queue, sending=left)))
            delivery.not_before = time.monotonic() + delivery.sender.pause
            if not delivery.sender.pause:
                self._wake.set()
            return
        delivery.backoff.reset()
        delivery.failure, delivery.gave_up, delivery.rejections = None, 0, 0
        delivery.not_before = time.monotonic() + delivery.sender.gap
        self._facts.metrics.sent.inc()
        self._keep(self._outbox.with_queue(delivery.key, queue.with_success()))
        changes = len(queue.sending.transitions)
        self._log.event("Notified", receiver=delivery.sender.receiver.label, changes=changes)

    def _unexpected(self, error: Exception) -> Unsendable:
        self._log.event("Bug", str(error), level=Level.ERROR, error=error)
        return Unsendable(f"unexpected {type(error).__name__}", hint="this is a bug; its trace is in the log")

    def _fail(self, delivery: Delivery, queue: Queue, error: ReconcilerError) -> Queue:
        """Plan the next attempt, or give the message up."""
        if self._stopping.is_set():
            return queue
        now = self._facts.clock.now()
        queue, delivery.failure = queue.with_failure(now), error
        is_rejected = isinstance(error, (Rejected, Unsendable))
        self._facts.metrics.failed.inc()
        pause = delivery.backoff.next()
        if isinstance(error, Postponed):
            pause = error.after
        elif isinstance(error, NeedsHuman) and not is_rejected:
            pause = HUMAN_PAUSE
        delivery.not_before = time.monotonic() + pause
        delivery.rejections += is_rejected
        if delivery.rejections >= MAX_REJECTIONS and delivery.sender.takes_parts and queue.can_split:
            delivery.rejections = 0
            return queue.split()
        if queue.is_too_old(now) or delivery.rejections >= MAX_REJECTIONS:
            delivery.gave_up, delivery.rejections = delivery.gave_up + 1, 0
            self._facts.metrics.dropped.inc()
            label = delivery.sender.receiver.label
            self._log.event("NotificationDropped", str(error), level=Level.WARN, receiver=label)
            return queue.with_success()
        return queue

    def _describe(self, transition: Transition) -> Transition:
        """With what git says of its commits, where it can be asked."""
        if transition.commit is None or transition.commits:
            return transition
        try:
            with self._facts.open_source() as source:
                commits, more = find_commits(source.commit, transition.commit, transition.base)
        except ReconcilerError:
            return transition
        except Exception as error:  # noqa: BLE001  it is told without them, and so is all else
            self._log.event("Bug", str(error), level=Level.ERROR, error=error)
            return transition
        return replace(transition, commits=commits, more=more)

    def _keep(self, outbox: Outbox) -> None:
        """Write it down, before anything is sent of it."""
        self._outbox = outbox
        self._facts.metrics.waiting.set(sum(queue.size for queue in outbox.queues.values()))
        if outbox == self._written:
            self._unwritten = ""
            return
        try:
            write_outbox(self._facts.folder, outbox)
        except OSError as error:
            self._unwritten = (error.strerror or str(error)).lower()
        else:
            self._written, self._unwritten = outbox, ""

    def _show(self) -> None:
        """Show what does not work, the first of several."""
        conditions = self._facts.conditions
        queues = self._outbox.queues
        failing = [
            one
            for one in self._deliveries
            if one.failure is not None
            and (queues[one.key].failures >= SHOWN_FAILURES or isinstance(one.failure, NeedsHuman) or one.gave_up)
        ]
        if self._unwritten:
            hint = "they are sent all the same, but those that wait are lost when the daemon ends"
            message = f"what is to be told cannot be written down: {self._unwritten}"
            conditions.set(NOTIFICATIONS, ConditionSeverity.WARNING, "NotificationsNotWritten", message, hint)
        elif failing:
            failure = failing[0].failure
            assert failure is not None
            others = f", and {len(failing) - 1} more receivers do not take theirs" if len(failing) > 1 else ""
            waiting = queues[failing[0].key].size
            hint = failure.hint or "it is tried again; `reconciler doctor --notify` tries it now"
            if failing[0].gave_up:
                message = f"{failing[0].gave_up} given up: {failure}{others}"
                conditions.set(NOTIFICATIONS, ConditionSeverity.WARNING, "NotificationsDropped", message, hint)
            else:
                message = f"{waiting} waiting: {failure}{others}"
                conditions.set(NOTIFICATIONS, ConditionSeverity.WARNING, "NotDelivered", message, hint)
        else:
            conditions.clear(NOTIFICATIONS)


def _begin(store: DuckDBStore, before: Told) -> Told:
    """Nobody is told of what this store holds already, but that a backup was brought back, and of what came then."""
    identity, applied, newest = store.identity(), store.applied(), store.events(1)
    told = Told(
        store=identity,
        seq=newest[0].seq if newest else 0,
        live=applied.stamp.commit if applied else None,
        failing=before.failing,
    )
    restored = next((one for one in store.events(1, only=(RESTORED,)) if one.store == identity), None)
    return told if restored is None or not before.store else replace(told, seq=restored.seq - 1)


def find_commits(read: Callable[[str], Commit], head: str, base: str | None) -> tuple[tuple[CommitInfo, ...], bool]:
    """A commit and those of the mainline between it and what was live before, the newest first.

    The commit alone where nothing was, or where that is not near on the mainline; then whether there are others.
    """
    commits = [read(head)]
    while base is not None and commits[-1].parents and len(commits) <= MAX_COMMITS:
        parent = commits[-1].parents[0]
        if parent == base:
            return tuple(map(_info, commits)), False
        commits.append(read(parent))
    return (_info(commits[0]),), base is not None


def _info(commit: Commit) -> CommitInfo:
    return CommitInfo(commit.sha, cut(subject_line(commit.message), MAX_SUBJECT), cut(commit.author.name, MAX_SUBJECT))
