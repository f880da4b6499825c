"""Heal loops with another writer end; everybody else is healed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters.duckdb.store import open_store
from reconciler.daemon.conditions import Conditions
from reconciler.daemon.drift import HEAL_WINDOW, MAX_HEALS, QUIET_PERIOD, Conflicts, DriftHealer
from reconciler.history.drifts import DriftEnd, collect_drifts
from reconciler.model.change import RowId
from reconciler.model.rows import DriftFilter
from tests.adapters.store.tampering import change, delete, real_step
from tests.daemon.hosts import Lines
from tests.support.kinds import KINDS, FixedClock, uid, widget
from tests.support.kinds import row as made_row

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

ROW, OTHER = RowId("Widget", "1"), RowId("Widget", "2")


def scan(conflicts: Conflicts, found: dict[RowId, str], now: float) -> set[RowId]:
    """One scan that heals whatever is not left alone; what it healed."""
    healed = found.keys() - conflicts.update(found, now)
    conflicts.count_heals(healed, now)
    return healed


def fight(conflicts: Conflicts, start: float = 0.0) -> float:
    """Scans until a row is left alone; the moment after them."""
    for second in range(MAX_HEALS):
        assert scan(conflicts, {ROW: str(second)}, start + second) == {ROW}
    assert scan(conflicts, {ROW: "again"}, start + MAX_HEALS) == set()
    return start + MAX_HEALS


def test_after_five_rewrites_in_a_minute_a_row_is_left_alone() -> None:
    conflicts = Conflicts()
    at = fight(conflicts)
    assert conflicts.rows.keys() == {ROW}
    assert conflicts.rows[ROW].since == at
    assert scan(conflicts, {ROW: "again", OTHER: "x"}, at + 1) == {OTHER}


def test_five_rewrites_that_helped_are_no_fight() -> None:
    conflicts = Conflicts()
    for second in range(MAX_HEALS):
        scan(conflicts, {ROW: "x"}, second)
    assert scan(conflicts, {}, MAX_HEALS) == set()
    assert not conflicts.rows
    assert scan(conflicts, {ROW: "x"}, HEAL_WINDOW + MAX_HEALS) == {ROW}


def test_what_is_quiet_is_healed_again() -> None:
    conflicts = Conflicts()
    at = fight(conflicts)
    assert scan(conflicts, {ROW: "again"}, at + QUIET_PERIOD - 1) == set()
    assert scan(conflicts, {ROW: "again"}, at + QUIET_PERIOD) == {ROW}
    assert not conflicts.rows
    fight(conflicts, at + QUIET_PERIOD + HEAL_WINDOW)


def test_a_writer_that_goes_on_keeps_it_left_alone() -> None:
    conflicts = Conflicts()
    at = fight(conflicts)
    for minute in range(60):
        assert scan(conflicts, {ROW: str(minute)}, at + minute * 60) == set()
    assert conflicts.rows[ROW].since == at


def test_a_row_that_somebody_put_right_is_forgotten_in_a_while() -> None:
    conflicts = Conflicts()
    at = fight(conflicts)
    scan(conflicts, {}, at + 1)
    scan(conflicts, {}, at + QUIET_PERIOD)
    assert conflicts.rows.keys() == {ROW}
    scan(conflicts, {}, at + 1 + QUIET_PERIOD)
    assert not conflicts.rows


steps = st.lists(
    st.tuples(
        st.floats(0, 100, allow_nan=False),
        st.dictionaries(st.sampled_from([ROW, OTHER]), st.sampled_from("abc")),
    ),
    max_size=60,
)


@given(steps)
def test_never_more_than_five_rewrites_in_a_minute(taken: list[tuple[float, dict[RowId, str]]]) -> None:
    conflicts, now = Conflicts(), 0.0
    rewrites: dict[RowId, list[float]] = {ROW: [], OTHER: []}
    for wait, found in taken:
        now += wait
        for row in scan(conflicts, found, now):
            rewrites[row].append(now)
            assert sum(now - at < HEAL_WINDOW for at in rewrites[row]) <= MAX_HEALS


@given(st.lists(st.floats(HEAL_WINDOW / MAX_HEALS + 0.01, 1000, allow_nan=False), max_size=40))
def test_whoever_drifts_seldom_is_always_healed(waits: list[float]) -> None:
    conflicts, now = Conflicts(), 0.0
    for wait in waits:
        now += wait
        assert scan(conflicts, {ROW: "x"}, now) == {ROW}


@given(steps)
def test_rows_do_not_meddle_with_each_other(taken: list[tuple[float, dict[RowId, str]]]) -> None:
    both, alone, now = Conflicts(), Conflicts(), 0.0
    for wait, found in taken:
        now += wait
        only = {row: state for row, state in found.items() if row == ROW}
        assert scan(both, found, now) & {ROW} == scan(alone, only, now)


@given(steps)
def test_nothing_is_kept_for_ever(taken: list[tuple[float, dict[RowId, str]]]) -> None:
    conflicts, now = Conflicts(), 0.0
    for wait, found in taken:
        now += wait
        scan(conflicts, found, now)
    scan(conflicts, {}, now)
    scan(conflicts, {}, now + QUIET_PERIOD)
    assert not conflicts.rows
    assert vars(conflicts) == vars(Conflicts())


def test_what_is_healed_or_left_alone_is_on_record(tmp_path: Path) -> None:
    """With when the row was last seen to be right: only what this daemon has seen itself."""
    clock = FixedClock()
    store, kinds = open_store(tmp_path, clock), KINDS
    a = widget("a", widget_id=uid(1))
    store.replace(kinds, real_step(1, made_row(a, 1)))
    healer = DriftHealer(Conditions(clock, lambda change: None), Lines(), clock)
    every = DriftFilter(clock.now(), "Widget")
    scans: list[datetime] = []

    def scan() -> None:
        scans.append(healer.scan(store, kinds).at)

    change(store, a, weight=9.0)
    scan()
    scan()
    for weight in range(MAX_HEALS):
        change(store, a, weight=10.0 + weight)
        scan()
    first, second, *_, left = collect_drifts(store.drift_events(every))
    assert (first.right_at, first.end) == (None, DriftEnd.HEALED)
    assert second.right_at is not None
    assert scans[0] < second.right_at < scans[1] < second.found
    assert (left.row["before"]["weight"], left.end) == (9.0 + MAX_HEALS, None)
    delete(store, a)
    scan()
    *_, left, gone = collect_drifts(store.drift_events(every))
    assert (left.end, gone.row["what"], gone.right_at, gone.end) == (DriftEnd.CHANGED, "missing", None, None)
    store.heal(kinds)
    assert collect_drifts(store.drift_events(every))[-1].end is DriftEnd.HEALED
    scan()
    assert store.drift_events(every)[-1].event == "drift-healed"
