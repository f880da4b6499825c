"""What the meter is told of what the loop asks: by outcome, once, and only of what was done."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.daemon.loop import Wish
from reconciler.errors import NeedsHuman, RefusedError
from reconciler.model.change import Stamp
from reconciler.ports import Applied
from reconciler.status import Scan, Stored
from reconciler.wiring.host import Facts
from reconciler.wiring.metering import MeasuredEngine, MeasuredHost
from tests.metrics.test_work import told
from tests.support.standings import BEFORE, HEAD, NOON, Ticks, meter

if TYPE_CHECKING:
    from reconciler.metrics import Meter


@dataclass
class Desk:
    """A host as far as it is asked here; `error` is what everything raises."""

    head_is: str = HEAD
    facts: Facts = field(default_factory=lambda: Facts(stored=Stored(Applied(Stamp(HEAD, NOON), 3, "d" * 64, NOON))))
    error: Exception | None = None
    found: Scan | None = None

    def head(self) -> str:
        return self.head_is

    def fetch(self, beat: Any) -> None:
        self._fail()

    def reconcile(self, wish: Any, beat: Any) -> Any:
        self._fail()

    def scan(self) -> None:
        if self.found is not None:
            self.facts = Facts(stored=self.facts.stored, scan=self.found)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


def measured(desk: Desk, figure: Meter, *, remote: bool = True) -> MeasuredHost:
    return MeasuredHost(desk, figure, remote=remote)


@pytest.mark.parametrize(("head", "since"), [(HEAD, 0), (BEFORE, 90)])
def test_each_poll_that_finds_the_live_commit_is_a_moment_in_step(head: str, since: float) -> None:
    clock = Ticks()
    figure = meter(clock)
    clock.now += 90
    measured(Desk(head), figure).head()
    assert figure.work.since_in_sync() == since


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NeedsHuman("no"), "failed"),
        (ZeroDivisionError(), "failed"),
        (RefusedError("paused"), "suspended"),
        (None, "suspended"),
    ],
)
def test_a_reconcile_counts_by_what_came_of_it(error: Exception | None, outcome: str) -> None:
    figure = meter()
    with pytest.raises(type(error)) if error else nullcontext():
        measured(Desk(error=error), figure).reconcile(Wish(), lambda: None)
    seen = told(figure)
    name = "reconciler_reconcile_duration_seconds_count"
    counted = {one["outcome"]: seen(name, **one) for one in seen.having(name)}
    assert {word for word, count in counted.items() if count} == {outcome}


def test_only_what_is_elsewhere_is_fetched() -> None:
    figure = meter()
    measured(Desk(), figure, remote=False).fetch(lambda: None)
    assert told(figure)("reconciler_fetch_duration_seconds_count", outcome="done") == 0
    measured(Desk(), figure).fetch(lambda: None)
    with pytest.raises(NeedsHuman):
        measured(Desk(error=NeedsHuman("no")), figure).fetch(lambda: None)
    seen = told(figure)
    assert [seen("reconciler_fetch_duration_seconds_count", outcome=word) for word in ("done", "failed")] == [1, 1]


def test_a_look_for_drift_that_was_not_made_is_not_counted() -> None:
    """While a host is suspended, the scan of before stands."""
    figure, desk = meter(), Desk(found=Scan(NOON, 3, 2))
    host = measured(desk, figure)
    for _ in range(3):
        host.scan()
    assert told(figure)("reconciler_drift_found_total") == 3


def test_policies_are_timed_where_there_are_any() -> None:
    figure = meter()
    engine = SimpleNamespace(run=lambda *_: ("verdict",))
    timed = MeasuredEngine(engine, figure.work.judged)
    assert timed.run(["policy"], None, (), ()) == ("verdict",)
    timed.run([], None, (), ())
    assert told(figure)("reconciler_policies_duration_seconds_count") == 1
