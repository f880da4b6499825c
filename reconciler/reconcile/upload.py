"""Shipping to the ledger beside everything else: whatever the ledger does, the live rows do not wait for it."""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.upload import Attempted, Failure, ShippingState
from reconciler.reconcile.record import BATCH_ROWS, Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.ports import Clock, Ledger
    from reconciler.reconcile.outbox import EventFeed, Outbox
    from reconciler.reconcile.record import Entry, OpenLedger


NEVER = math.inf


class Berth:
    """Opened when it is first needed, closed after a failure or when nobody needs it; for one thread.

    `idle_at` is the monotonic time in seconds at which nobody will have needed it for long enough.
    """

    def __init__(self, open_ledger: OpenLedger, idle: float) -> None:
        self._open, self._idle = open_ledger, idle
        self._opened = ExitStack()
        self._ledger: Ledger | None = None
        self.idle_at = NEVER

    def ledger(self) -> Ledger:
        """The ledger. Raises `ReconcilerError` when it cannot be opened."""
        if self._ledger is None:
            self._ledger = self._opened.enter_context(self._open())
        self.idle_at = time.monotonic() + self._idle
        return self._ledger

    def leave_if_idle(self) -> None:
        """Close it, if nobody has needed it for long enough."""
        if time.monotonic() >= self.idle_at:
            self.leave()

    def leave(self) -> None:
        """Close it, if it is open."""
        self._ledger, self.idle_at = None, NEVER
        self._opened.close()


IDLE: Final = 120.0
"""Seconds after which a ledger that nobody needs is closed: the embedded one is locked while it is open."""


class CatchUp(Protocol):
    """Compares the ledger with what the branch reaches now, and records what it lacks (`catchup.catch_up`)."""

    def __call__(
        self, ledger: Callable[[], Ledger], waiting: Mapping[str, Entry], pulse: Callable[[], None]
    ) -> int | None:
        """How many versions were recorded; None for a branch without commits. `pulse` is called at every step."""
        ...


@dataclass(frozen=True, slots=True)
class Cargo:
    """What is shipped: versions, and the events of a host."""

    outbox: Outbox
    events: EventFeed
    host: str


@dataclass(frozen=True, slots=True)
class Route:
    """The way to the ledger. It is closed again when nobody has needed it for `idle` seconds."""

    open_ledger: OpenLedger
    catch_up: CatchUp
    idle: float = IDLE


class Carrier:
    """Carries cargo to the ledger, for one thread. `berth` is where the ledger is open.

    `pulse` is called before each step, and may raise to break off; `count` hears of versions that were recorded.
    """

    def __init__(self, cargo: Cargo, route: Route, pulse: Callable[[], None], count: Callable[[int], None]) -> None:
        self.berth = Berth(route.open_ledger, route.idle)
        self._cargo, self._catch_up, self._pulse, self._count = cargo, route.catch_up, pulse, count

    def carry(self, failures: int) -> None:
        """Ship everything. Each failure in a row before it halves the batches: a server may refuse large ones only.

        Raises what the ledger or git raise; what was not shipped by then waits on, in its order, and the ledger is
        opened anew for it: a server that comes back may have another database, or none.
        """
        try:
            self._carry_versions(max(1, BATCH_ROWS >> failures))
            self._carry_events()
        except BaseException:
            self.berth.leave()
            raise
        self.berth.leave_if_idle()

    def _carry_events(self) -> None:
        feed = self._cargo.events
        while events := feed.take():
            self._pulse()
            self.berth.ledger().record_events(self._cargo.host, events)
            feed.done(events)

    def _carry_versions(self, rows: int) -> None:
        outbox = self._cargo.outbox
        for _ in range(2):  # what is still behind after that has to wait: git moves faster than it is compared
            if outbox.behind and not self._caught_up():
                return
            if self._drained(rows):
                return
            outbox.lose()

    def _caught_up(self) -> bool:
        outbox = self._cargo.outbox
        mark = outbox.mark()
        recorded = self._catch_up(self.berth.ledger, outbox.waiting(), self._pulse)
        if recorded is None:
            return False
        self._count(recorded)
        outbox.caught_up(mark)
        return not outbox.behind

    def _drained(self, rows: int) -> bool:
        """Ship what waits. False when the ledger lacks a parent of it, so that it cannot vouch for all before."""
        while entries := self._cargo.outbox.take(rows):
            self._pulse()
            ledger = self.berth.ledger()
            shas = {entry.version.commit.sha for entry in entries}
            outside = {parent for entry in entries for parent in entry.version.commit.parents} - shas
            known = ledger.recorded((*shas, *outside))
            if not outside <= known.keys():
                return False
            self._count(_record(ledger, entries, known))
            self._cargo.outbox.done(entries)
        return True


def _record(ledger: Ledger, entries: Sequence[Entry], known: Mapping[str, bool]) -> int:
    batch = Batch(ledger)
    for entry in entries:
        if known.get(entry.version.commit.sha) is not entry.version.mainline:
            batch.add(entry)
    batch.flush()
    return batch.written


PATIENCE: Final = 300.0
"""Seconds until something is tried again that needs a human, in case one was there."""
GRACE: Final = 5.0
"""Seconds that the thread has to end."""


class Pauses(Protocol):
    """How long to wait before the next attempt: longer with every failure."""

    def next(self) -> float:
        """Seconds until the next attempt, after one more failure."""
        ...

    def reset(self) -> None:
        """It worked."""
        ...


class Shipper:
    """A context manager around the thread `shipping`. Its methods may be called from any thread.

    `interval` is in seconds. `tell` hears of every failure, on that thread, and None when it works again; it must not
    raise.
    """

    def __init__(
        self,
        cargo: Cargo,
        route: Route,
        pauses: Pauses,
        clock: Clock,
        *,
        interval: float,
        tell: Callable[[Exception | None], None] = lambda error: None,
    ) -> None:
        self._cargo, self._pauses, self._clock, self._tell = cargo, pauses, clock, tell
        self.attempted: Callable[[Attempted], None] = lambda attempt: None
        """Hears of every attempt, on that thread; it must not raise."""
        self._carrier = Carrier(cargo, route, self._pulse, self._count)
        self._state = ShippingState()
        self._turn = threading.Condition()
        self._interval = interval
        self._due = time.monotonic() + interval
        self._asked = self._answered = self._in_full = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="shipping", daemon=True)

    def __enter__(self) -> Shipper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, grace: float = GRACE) -> None:
        """End the thread between two batches. One that hangs is left behind: it dies with the process."""
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        self._thread.join(grace)
        if self._thread.is_alive():
            self._tell(RetryLater("the history does not answer, so shipping was broken off", hint="nothing is lost"))

    def state(self) -> ShippingState:
        """How shipping stands at this moment."""
        backlog, events = self._cargo.outbox.backlog(), self._cargo.events.waiting()
        with self._turn:
            return self._state.with_backlog(backlog, events)

    def every(self, interval: float) -> None:
        """Ship at another interval from now on, in seconds."""
        with self._turn:
            if interval != self._interval and not self._state.failures:
                self._due = time.monotonic() + interval
            self._interval = interval
            self._turn.notify_all()

    def flush(self, deadline: float) -> bool:
        """Ship now, also when the next attempt after a failure is not due, and wait so many seconds at most.

        Returns whether all that had been offered before is in the ledger.
        """
        with self._turn:
            self._asked += 1
            mine = self._asked
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._answered >= mine or self._stopping, deadline)
            return self._in_full >= mine

    def _run(self) -> None:
        while self._await_turn():
            self._attempt()
        self._carrier.berth.leave()

    def _await_turn(self) -> bool:
        """Wait until it is time to ship, or to close an idle ledger; False when it is time to end."""
        with self._turn:
            while not self._stopping:
                left = min(self._due, self._carrier.berth.idle_at) - time.monotonic()
                if self._asked > self._answered or left <= 0:
                    return True
                self._turn.wait(left)
        return False

    def _attempt(self) -> None:
        began, before = time.perf_counter(), self._state.recorded
        with self._turn:
            asked = self._asked
            self._state = self._state.begun(self._clock.now())
        error: Exception | None = None
        try:
            self._carrier.carry(self._state.failures)
        except _Stopping:
            return
        except Exception as caught:  # noqa: BLE001  the thread must outlive whatever happens to one attempt
            error = caught
        failed, recorded = error is not None, self._state.recorded - before
        complete = not (failed or self._cargo.outbox.behind)
        self.attempted(Attempted(time.perf_counter() - began, recorded, failed, complete))
        self._conclude(asked, error)

    def _conclude(self, asked: int, error: Exception | None) -> None:
        recovered = error is None and self._state.failures > 0
        if error is None:
            self._pauses.reset()
            pause = self._interval
        else:
            pause = PATIENCE if isinstance(error, NeedsHuman) else self._pauses.next()
        now = self._clock.now()
        with self._turn:
            failure = None if error is None else Failure.of(error, now)
            self._state = self._state.ended(failure, now, pause)
            self._due = time.monotonic() + pause
            self._answered = asked
            if error is None and not self._cargo.outbox.behind:
                self._in_full = asked
            self._turn.notify_all()
        if error is not None or recovered:
            self._tell(error)

    def _count(self, recorded: int) -> None:
        with self._turn:
            self._state = self._state.with_recorded(recorded)

    def _pulse(self) -> None:
        with self._turn:
            self._state = self._state.alive(self._clock.now())
            if self._stopping:
                raise _Stopping


class _Stopping(Exception):
    """The thread is asked to end."""
