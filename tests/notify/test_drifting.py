"""Rows that something else changes: told at once, then once an hour, and in the end as they are."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.receiver import Topic
from reconciler.model.rows import DRIFT_FOUND, DRIFT_HEALED
from reconciler.notify.drifting import BUDGET, PAUSE
from reconciler.notify.transitions import DRIFT_OVER, Conditions, Told, Transition, read_event
from reconciler.status import Scan
from tests.notify.test_transitions import event, rows, status
from tests.support.standings import NOON

HOUR = 60
LEFT, NONE = Scan(NOON, 1, 0), Scan(NOON, 0, 0)


class Desk:
    """A host on which something drifts, minute by minute, looked at after each event."""

    def __init__(self) -> None:
        self.minute, self.told = 0.0, Told()
        self.conditions = Conditions(0.0)
        self.found: list[tuple[float, Transition]] = []

    def saw(self, name: str, *names: str, minutes: float = 0.0) -> None:
        self.minute += minutes
        self.told, transition = read_event(self.told, event(1, name, minutes=self.minute, **rows(*names)))
        self.found += [(self.minute, transition)] if transition else []
        self.look(LEFT)

    def look(self, scan: Scan, minutes: float = 0.0) -> None:
        self.minute += minutes
        at, now = NOON + timedelta(minutes=self.minute), self.minute * 60
        self.told, more = self.conditions.compare(self.told, status(scan=scan), at, now)
        self.found += [(self.minute, one) for one in more]

    def between(self, first: float, last: float) -> list[str]:
        return [str(one.topic) for minute, one in self.found if first <= minute < last]


def test_a_program_that_writes_all_day_is_told_once_an_hour_and_counted() -> None:
    desk = Desk()
    for _ in range(12 * HOUR // 6):  # five heals, then it is left alone for five minutes
        for _ in range(5):
            desk.saw(DRIFT_HEALED, "ann", minutes=0.2)
        desk.saw(DRIFT_FOUND, "ann", minutes=0.2)
        desk.look(LEFT, minutes=4.8)
    assert desk.between(0, HOUR) == ["healed", "drift"]
    assert len(desk.found) <= 2 + 12
    again = desk.found[-1][1]
    assert "goes on" in again.message
    assert re.fullmatch(r"User ann \(\d+ times\)", again.details[0])


def test_a_program_that_goes_through_all_rows_is_told_a_few_times_an_hour() -> None:
    desk = Desk()
    for number in range(3 * HOUR):
        desk.saw(DRIFT_HEALED, f"u{number}", minutes=1)
    for hour in range(3):
        assert 1 <= len(desk.between(hour * HOUR, (hour + 1) * HOUR)) <= BUDGET


def test_what_differs_again_within_the_hour_is_told_when_it_is_over() -> None:
    desk = Desk()
    desk.saw(DRIFT_FOUND, "ann")
    desk.saw(DRIFT_HEALED, "ann", minutes=10)
    desk.saw(DRIFT_FOUND, "ann", minutes=10)
    for _ in range(100):
        desk.look(LEFT, minutes=1)
    assert [(minute, str(one.topic)) for minute, one in desk.found] == [(0, "drift"), (10, "healed"), (70, "drift")]


def test_after_a_quiet_hour_it_is_new_again() -> None:
    desk = Desk()
    for day in (0, 90, 90):
        desk.saw(DRIFT_HEALED, "ann", minutes=day)
    assert [one.message for _, one in desk.found] == [desk.found[0][1].message] * 3


MOVES = st.lists(
    st.tuples(
        st.sampled_from([DRIFT_FOUND, DRIFT_HEALED]),
        st.sets(st.sampled_from(["ann", "ben", "cas", "dee", "eva", "fay"]), min_size=1),
        st.sampled_from([0.1, 1.0, 7.0, 25.0, 61.0]),
    ),
    max_size=30,
)


@given(MOVES)
def test_people_are_told_seldom_and_in_the_end_the_truth(moves: list[Any]) -> None:
    desk, differing = Desk(), set[str]()
    for name, names, minutes in moves:
        desk.saw(name, *sorted(names), minutes=minutes)
        differing = differing | names if name == DRIFT_FOUND else differing - names
    for _ in range(5):
        desk.look(LEFT, minutes=30)
    believed = dict[str, bool]()
    for _, one in desk.found:
        believed |= {line.split()[1]: one.topic is Topic.DRIFT for line in one.details}
    assert {name for name, is_off in believed.items() if is_off} == differing
    assert all(len(desk.between(minute, minute + PAUSE.seconds / 60)) <= BUDGET for minute, _ in desk.found)
    for _ in range(5):  # it stays away
        desk.look(NONE, minutes=DRIFT_OVER / 60)
    for _ in range(5):
        desk.look(NONE, minutes=30)
    assert not desk.told.drifting.differing
    assert not differing or desk.found[-1][1].topic is Topic.HEALED
