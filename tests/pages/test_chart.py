"""The chart: every day has its place, and every row its share."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.web.pages.chart import HEIGHT, WIDTH, chart

FIRST = date(2026, 11, 1)
COUNTS = st.integers(min_value=0, max_value=200_000)


def day(number: int, creates: int = 0, updates: int = 0, deletes: int = 0, invalid: int = 0) -> dict[str, Any]:
    return {
        "day": (FIRST + timedelta(days=number)).isoformat(),
        "commits": 1 + invalid,
        "invalid": invalid,
        "refused": 0,
        "creates": creates,
        "updates": updates,
        "deletes": deletes,
    }


def activity(*days: dict[str, Any], last: int = 29) -> dict[str, Any]:
    return {"since": FIRST.isoformat(), "until": (FIRST + timedelta(days=last)).isoformat(), "days": list(days)}


def test_a_day_without_commits_has_its_place() -> None:
    drawn = chart(activity(day(3, creates=28), day(5, updates=2, invalid=1)))
    assert [len(bar.segments) for bar in drawn.bars] == [0, 0, 0, 1, 0, 1, *[0] * 24]
    assert [number for number, bar in enumerate(drawn.bars) if bar.mark] == [5]
    assert drawn.bars[3].words == "2026-11-04: 28 created by 1 commit"
    assert drawn.bars[5].words == "2026-11-06: 2 updated by 2 commits, 1 invalid"
    assert drawn.bars[4].words == "2026-11-05: nothing was committed"
    assert drawn.summary == "30 rows changed by 3 commits in 30 days"


@pytest.mark.parametrize(("most", "decades"), [(0, 1), (1, 1), (10, 1), (11, 2), (100, 2), (100_000, 5)])
def test_the_scale_ends_with_the_decade_of_the_most(most: int, decades: int) -> None:
    drawn = chart(activity(day(0, creates=most)))
    assert [number for number, _ in drawn.lines] == [10**power for power in range(decades, -1, -1)]
    assert drawn.lines[0][1] == 0.0


def test_nothing_at_all_is_a_chart_too() -> None:
    drawn = chart(activity())
    assert len(drawn.bars) == 30
    assert drawn.summary == "0 rows changed by 0 commits in 30 days"


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), max_size=30))
def test_bars_stay_in_the_picture_and_pieces_make_up_their_bar(counts: list[tuple[int, int, int]]) -> None:
    drawn = chart(activity(*(day(number, *one) for number, one in enumerate(counts))))
    for bar, told in zip(drawn.bars, counts, strict=False):
        assert 0 <= bar.x < bar.x + bar.width <= WIDTH
        assert len(bar.segments) == sum(number > 0 for number in told)
        tops = [HEIGHT, *(segment.y for segment in bar.segments)]
        for segment, floor in zip(bar.segments, tops, strict=False):
            assert segment.y >= -0.01
            assert segment.y + segment.height == pytest.approx(floor, abs=0.02)


def test_more_rows_make_a_higher_bar() -> None:
    drawn = chart(activity(*(day(number, creates=10**number) for number in range(6))))
    tops = [bar.segments[-1].y for bar in drawn.bars[:6]]
    assert tops == sorted(tops, reverse=True)
    assert len(set(tops)) == 6


@pytest.mark.parametrize("counts", [(1, 0, 0), (4, 5, 1), (30, 50, 20), (0, 999, 1)])
def test_a_bar_ends_at_the_line_of_its_number(counts: tuple[int, int, int]) -> None:
    drawn = chart(activity(day(0, *counts), day(1, creates=10_000)))
    bar, lines = drawn.bars[0], dict(drawn.lines)
    assert bar.segments[-1].y == pytest.approx(lines[sum(counts)], abs=0.02)
    shares = [segment.height / sum(one.height for one in bar.segments) for segment in bar.segments]
    assert shares == pytest.approx([number / sum(counts) for number in counts if number], abs=0.001)
