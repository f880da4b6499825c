"""Where a daemon is measured: around what its loop asks of the host, around the policies, around shipping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import RefusedError
from reconciler.metrics import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from reconciler.daemon.loop import Wish
    from reconciler.kinds.kind import Kinds
    from reconciler.metrics import Meter
    from reconciler.model.change import Row
    from reconciler.model.problem import Policy, Verdict
    from reconciler.model.upload import Attempted
    from reconciler.ports import Between, PolicyEngine
    from reconciler.reconcile.sync import SyncResult, WentLive
    from reconciler.wiring.host import Host

T = TypeVar("T")


class MeasuredHost:
    """A host that tells the meter what came of everything the loop asks of it. Implements `daemon.works.Works`.

    `remote` is a repository elsewhere: only there is anything fetched.
    """

    def __init__(self, host: Host, meter: Meter, *, remote: bool) -> None:
        self._host, self._meter = host, meter
        self._fetched = meter.work.fetched if remote else _unmeasured

    def fetch(self, beat: Callable[[], None]) -> None:
        """Bring the mirror up to date."""
        timed(self._fetched, lambda: self._host.fetch(beat))

    def head(self) -> str | None:
        """The commit that the branch is at; whether it is the live one is known from here on, too."""
        head = self._host.head()
        applied = self._host.facts.stored.applied
        if applied is not None and applied.stamp.commit == head:
            self._meter.work.in_sync()
        return head

    def reconcile(self, wish: Wish | None, beat: Callable[[], None]) -> SyncResult | None:
        """Bring the live rows to the head."""
        began = time.perf_counter()
        try:
            result = self._host.reconcile(wish, beat)
        except Exception as error:
            outcome = Outcome.SUSPENDED if isinstance(error, RefusedError) else Outcome.FAILED
            self._meter.work.reconciled(time.perf_counter() - began, outcome)
            raise
        self._meter.work.reconciled(time.perf_counter() - began, _outcome(result))
        if result is not None:
            self._came_to(result)
        return result

    def scan(self) -> None:
        """Look for drift."""
        before = self._host.facts.scan
        self._host.scan()
        scan = self._host.facts.scan
        if scan is not None and scan is not before:
            self._meter.drifting.scanned(scan.found, scan.healed, scan.fighting)

    def back_up(self) -> Path:
        """Copy the store."""
        return timed(self._meter.backing_up.attempted, self._host.back_up)

    def until_backup(self) -> float:
        """Seconds until the next backup is due."""
        return self._host.until_backup()

    def make_ready(self) -> None:
        """Open what takes a while."""
        self._host.make_ready()

    def touched(self) -> bool:
        """Whether something else wrote to the live rows."""
        return self._host.touched()

    def rest(self) -> None:
        """Let go of what others may want."""
        self._host.rest()

    def _came_to(self, result: SyncResult) -> None:
        work = self._meter.work
        if result.went_live is not None:
            work.applied(result.went_live.seconds, _changes(result.went_live))
        if result.head is None:
            return
        if result.plan.refused:
            work.refused(result.head)
        elif result.applied is not None and result.applied.stamp.commit == result.head:
            work.in_sync()


class MeasuredEngine:
    """A policy engine whose runs are timed. Implements `ports.PolicyEngine`."""

    def __init__(self, engine: PolicyEngine, ran: Callable[[float], None]) -> None:
        self._engine, self._ran = engine, ran

    def run(
        self,
        policies: Sequence[Policy],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None = None,
    ) -> tuple[Verdict, ...]:
        """The verdict of each policy."""
        began = time.perf_counter()
        verdicts = self._engine.run(policies, kinds, live, desired, step)
        if policies:
            self._ran(time.perf_counter() - began)
        return verdicts

    def rest(self) -> None:
        """Let go of all memory and processes."""
        self._engine.rest()


def shipped(meter: Meter, attempt: Attempted) -> None:
    """The shipping thread has tried to ship."""
    outcome = Outcome.FAILED if attempt.failed else Outcome.DONE
    meter.shipping.attempted(attempt.seconds, attempt.versions, outcome, complete=attempt.complete)


def timed(told: Callable[[float, Outcome], None], work: Callable[[], T]) -> T:
    """What some work gives, once it was told how long it took and whether it could be done."""
    began = time.perf_counter()
    try:
        done = work()
    except Exception:
        told(time.perf_counter() - began, Outcome.FAILED)
        raise
    told(time.perf_counter() - began, Outcome.DONE)
    return done


def _unmeasured(seconds: float, outcome: Outcome) -> None:
    """Nothing was done that is worth measuring."""


def _outcome(result: SyncResult | None) -> Outcome:
    """A step that went live counts as one also when the head itself is refused."""
    if result is None:
        return Outcome.SUSPENDED
    if result.went_live is not None:
        return Outcome.APPLIED
    return Outcome.REFUSED if result.plan.refused else Outcome.UNCHANGED


def _changes(went: WentLive) -> dict[str, int]:
    step = went.application
    return {"create": step.creates, "update": step.updates, "delete": step.deletes}
