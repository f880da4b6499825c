"""Heal loops with another writer end; everybody else is healed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.drift import QUIET, REWRITES, WINDOW, Fighting
from reconciler.model.resource import RowId

ROW, OTHER = RowId("Widget", "1"), RowId("Widget", "2")


def scan(fighting: Fighting, found: dict[RowId, str], now: float) -> set[RowId]:
    """One scan that heals whatever is not left alone; what it healed."""
    healed = found.keys() - fighting.leave_alone(found, now)
    fighting.healed(healed, now)
    return healed


def fight(fighting: Fighting, start: float = 0.0) -> float:
    """Scans until a row is left alone; the moment after them."""
    for second in range(REWRITES):
        assert scan(fighting, {ROW: str(second)}, start + second) == {ROW}
    assert scan(fighting, {ROW: "again"}, start + REWRITES) == set()
    return start + REWRITES


def test_after_five_rewrites_in_a_minute_a_row_is_left_alone() -> None:
    fighting = Fighting()
    at = fight(fighting)
    assert fighting.rows.keys() == {ROW}
    assert fighting.rows[ROW].since == at
    assert scan(fighting, {ROW: "again", OTHER: "x"}, at + 1) == {OTHER}


def test_five_rewrites_that_helped_are_no_fight() -> None:
    fighting = Fighting()
    for second in range(REWRITES):
        scan(fighting, {ROW: "x"}, second)
    assert scan(fighting, {}, REWRITES) == set()
    assert not fighting.rows
    assert scan(fighting, {ROW: "x"}, WINDOW + REWRITES) == {ROW}


def test_what_is_quiet_is_healed_again() -> None:
    fighting = Fighting()
    at = fight(fighting)
    assert scan(fighting, {ROW: "again"}, at + QUIET - 1) == set()
    assert scan(fighting, {ROW: "again"}, at + QUIET) == {ROW}
    assert not fighting.rows
    fight(fighting, at + QUIET + WINDOW)


def test_a_writer_that_goes_on_keeps_it_left_alone() -> None:
    fighting = Fighting()
    at = fight(fighting)
    for minute in range(60):
        assert scan(fighting, {ROW: str(minute)}, at + minute * 60) == set()
    assert fighting.rows[ROW].since == at


def test_a_row_that_somebody_put_right_is_forgotten_in_a_while() -> None:
    fighting = Fighting()
    at = fight(fighting)
    scan(fighting, {}, at + 1)
    scan(fighting, {}, at + QUIET)
    assert fighting.rows.keys() == {ROW}
    scan(fighting, {}, at + 1 + QUIET)
    assert not fighting.rows


steps = st.lists(
    st.tuples(
        st.floats(0, 100, allow_nan=False),
        st.dictionaries(st.sampled_from([ROW, OTHER]), st.sampled_from("abc")),
    ),
    max_size=60,
)


@given(steps)
def test_never_more_than_five_rewrites_in_a_minute(taken: list[tuple[float, dict[RowId, str]]]) -> None:
    fighting, now = Fighting(), 0.0
    rewrites: dict[RowId, list[float]] = {ROW: [], OTHER: []}
    for wait, found in taken:
        now += wait
        for row in scan(fighting, found, now):
            rewrites[row].append(now)
            assert sum(now - at < WINDOW for at in rewrites[row]) <= REWRITES


@given(st.lists(st.floats(WINDOW / REWRITES + 0.01, 1000, allow_nan=False), max_size=40))
def test_whoever_drifts_seldom_is_always_healed(waits: list[float]) -> None:
    fighting, now = Fighting(), 0.0
    for wait in waits:
        now += wait
        assert scan(fighting, {ROW: "x"}, now) == {ROW}


@given(steps)
def test_rows_do_not_meddle_with_each_other(taken: list[tuple[float, dict[RowId, str]]]) -> None:
    both, alone, now = Fighting(), Fighting(), 0.0
    for wait, found in taken:
        now += wait
        only = {row: state for row, state in found.items() if row == ROW}
        assert scan(both, found, now) & {ROW} == scan(alone, only, now)


@given(steps)
def test_nothing_is_kept_for_ever(taken: list[tuple[float, dict[RowId, str]]]) -> None:
    fighting, now = Fighting(), 0.0
    for wait, found in taken:
        now += wait
        scan(fighting, found, now)
    scan(fighting, {}, now)
    scan(fighting, {}, now + QUIET)
    assert not fighting.rows
    assert vars(fighting) == vars(Fighting())
