"""What a trader wants to know first: what is on and off, what it comes to by the desk's measures, and since Friday."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from reconciler import answers, canonical
from reconciler.errors import ReconcilerError
from reconciler.report.plans import build_plan
from reconciler.report.review import build_measured_state
from reconciler.service.context import Service
from reconciler.service.kinds import known_kinds
from reconciler.service.past import open_past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler import reviews
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.kinds.kind import Kinds
    from reconciler.model.rows import Tally
    from reconciler.service.context import Context

NOTHING_TRADES: dict[str, Any] = {"switches": [], "groups": [], "measures": [], "since": None}
MAX_GROUPS = 8
"""Resources that a list shows, those with most rows."""
RETRY = 30.0
"""Seconds after which figures that could not be had are tried for again."""
MAX_COMPARED = 5_000
"""Live rows up to which the figures of last Friday are computed, which reads all of both commits."""
FRIDAY, END_OF_WEEK = 4, time(22, tzinfo=UTC)
"""The week's trading ends at 17:00 in New York."""


def end_of_last_week(now: datetime) -> datetime:
    """When the last week's trading ended, before a moment."""
    now = now.astimezone(UTC)
    friday = datetime.combine(now.date() - timedelta(days=(now.weekday() - FRIDAY) % 7), END_OF_WEEK)
    return friday if friday <= now else friday - timedelta(days=7)


Before = Mapping[tuple[str, str, str], float | None]
"""Figures by measure, label and unit."""


class TradingPage(Service):
    """Computes the figures once for each applied commit and week, for whichever thread asks first.

    What cannot be had is tried for again later: a commit may be the last one for days.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._computing = threading.Lock()
        self._key: tuple[str, datetime] | None = None
        self._now: reviews.MeasuredState | None = None
        self._before: Before | None = None
        self._retry_at = 0.0

    def read(self, applied: str | None) -> dict[str, Any]:
        """What is on and off, in all and by what refers to what; and the measures, where the desk has some."""
        with self.context.open_rows() as store:
            if store is None or applied is None:
                return NOTHING_TRADES
            kinds = known_kinds(store, self.context.bundled)
            switches = [
                {"kind": kind.name, "rows": total.rows, "active": total.active}
                for kind in kinds
                if kind.can_deactivate
                for total in store.tally(kind)
            ]
            groups = list(_read_groups(store, kinds))
            number = sum(store.counts().values())
        return {"switches": switches, "groups": groups, **self._read_measures(applied, number)}

    def _read_measures(self, applied: str, number: int) -> dict[str, Any]:
        friday = end_of_last_week(self.context.clock.now())
        with self._computing:
            if self._key != (applied, friday):
                self._key, self._now, self._before, self._retry_at = (applied, friday), None, None, 0.0
            if (self._now is None or self._before is None) and monotonic() >= self._retry_at:
                # What is live is shown without figures: the status says what is wrong with git.
                with suppress(ReconcilerError):
                    self._now = self._now or self._measure_live()
                    is_asked = number <= MAX_COMPARED and self._now.measures
                    self._before = self._compare(applied, friday) if is_asked else {}
                self._retry_at = monotonic() + RETRY
            measures, before = self._now.measures if self._now else (), self._before or {}
        figures = [
            {**answers.to_json(one), "before": before.get((one.measure, one.label, one.unit))} for one in measures
        ]
        return {"measures": figures, "since": canonical.timestamp(friday) if before else None}

    def _measure_live(self) -> reviews.MeasuredState:
        """Measure the live rows, by the measures of the applied commit. Starts a process."""
        with self.context.open_planner() as (planner, _), self.context.open_rows() as store:
            assert store is not None
            return build_measured_state(*planner.measure_live(store))

    def _compare(self, applied: str, friday: datetime) -> Before:
        """The figures of what was live at a moment. Raises `ReconcilerError` where the history does not tell it yet."""
        if not self.context.keeps_history:
            return {}
        with open_past(self.context) as past:
            base = past.live_point(friday.isoformat()).version.commit.sha
        with self.context.open_planner() as (planner, _):
            plan, kinds = planner.plan_commits(base, applied)
        return {(one.measure, one.label, one.unit): one.before for one in build_plan(plan, kinds).measures}


def _read_groups(store: DuckDBReader, kinds: Kinds) -> Sequence[dict[str, Any]]:
    """For each role of a kind that can be switched off: how many rows name each resource, and are on."""
    roles = [(kind, one) for kind in kinds if kind.can_deactivate for one in kind.references if not one.many]
    found = [(kind, one, store.tally(kind, one.role)) for kind, one in roles]
    return [
        {
            "kind": kind.name,
            "role": reference.role,
            "of": reference.kind,
            "resources": [_build_tally(one) for one in tallies[:MAX_GROUPS]],
            "more": max(0, len(tallies) - MAX_GROUPS),
        }
        for kind, reference, tallies in found
        if tallies
    ]


def _build_tally(tally: Tally) -> dict[str, Any]:
    return {"name": tally.name, "rows": tally.rows, "active": tally.active}
