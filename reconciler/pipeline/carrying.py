"""One attempt at shipping: everything that waits goes into the ledger, the versions parents first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.pipeline.berth import Berth
from reconciler.pipeline.recording import BATCH_ROWS, Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.pipeline.eventfeed import EventFeed
    from reconciler.pipeline.outbox import Outbox
    from reconciler.pipeline.recording import Entry, OpenLedger
    from reconciler.ports import Ledger

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
