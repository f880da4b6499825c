"""The changes of some days as bars, in numbers that an SVG can take over.

A first import changes a thousand rows and a day's work five, so heights are logarithmic: each decade is as high as the
next. What a bar is made of (creates, updates, deletes) has its share of the bar.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH, HEIGHT = 720.0, 120.0
"""Of the drawing, in its own units: the page stretches it to the room there is."""
GAP = 0.28
"""What share of a day's width stays free."""
MARK = 5.0
"""How high the mark of a day with invalid commits is."""
LEAST_DECADES = 1
TICKS = 3
"""Parts of the axis between days that it names."""
OPS = {"creates": "created", "updates": "updated", "deletes": "deleted"}


class Segment(Struct, frozen=True):
    """A part of a bar: what it counts, and where it is drawn."""

    what: str
    y: float
    height: float


class Bar(Struct, frozen=True):
    """A day: what it says, where it is drawn, of which parts (the lowest first), and whether it had commits that were
    invalid or refused.
    """

    day: str
    words: str
    x: float
    width: float
    slot: float
    segments: tuple[Segment, ...]
    mark: bool
    commits: int = 0


class Chart(Struct, frozen=True):
    """`lines` are the decades: 1, 10, 100 and so on, each with its height in the drawing, the highest first.

    `ticks` are the days that the axis names, at equal distances, the first and the last among them.
    """

    width: float
    height: float
    bars: tuple[Bar, ...]
    lines: tuple[tuple[int, float], ...]
    days: tuple[Mapping[str, Any], ...]
    ticks: tuple[str, ...]
    summary: str


def chart(activity: Mapping[str, Any]) -> Chart:
    """The chart of an answer's `activity`: days in order, and those in between on which nothing happened."""
    first, last = (date.fromisoformat(activity[end]) for end in ("since", "until"))
    days = {one["day"]: one for one in activity["days"]}
    number = (last - first).days + 1
    most = max((_total(one) for one in activity["days"]), default=0)
    decades = max(LEAST_DECADES, math.ceil(math.log10(max(most, 1))))
    slot = WIDTH / number
    bars = tuple(
        _bar((first + timedelta(days=place)).isoformat(), days, place * slot, slot, decades) for place in range(number)
    )
    lines = tuple((10**power, HEIGHT - _height(10**power, decades)) for power in range(decades, -1, -1))
    commits = sum(one["commits"] for one in activity["days"])
    rows = _counted(sum(map(_total, activity["days"])), "row")
    words = f"{rows} changed by {_counted(commits, 'commit')} in {_counted(number, 'day')}"
    ticks = tuple(bars[round(step * (number - 1) / TICKS)].day for step in range(TICKS + 1))
    return Chart(WIDTH, HEIGHT, bars, lines, tuple(activity["days"]), tuple(dict.fromkeys(ticks)), words)


def _bar(day: str, days: Mapping[str, Mapping[str, Any]], x: float, slot: float, decades: int) -> Bar:
    found = days.get(day)
    free = slot * GAP / 2
    if found is None:
        return Bar(day, f"{day}: nothing was committed", x + free, slot - 2 * free, slot, (), mark=False)
    told = ", ".join(f"{found[what]:,} {done}" for what, done in OPS.items() if found[what]) or "no rows changed"
    kept_back = [f", {found[what]:,} {what}" for what in ("invalid", "refused") if found[what]]
    words = f"{day}: {told} by {_counted(found['commits'], 'commit')}{''.join(kept_back)}"
    return Bar(
        day, words, x + free, slot - 2 * free, slot, _segments(found, decades), bool(kept_back), found["commits"]
    )


def _segments(found: Mapping[str, Any], decades: int) -> tuple[Segment, ...]:
    total = _total(found)
    height, y, segments = _height(total, decades), HEIGHT, []
    for what in OPS:
        if found[what]:
            part = height * found[what] / total
            y -= part
            segments.append(Segment(what, round(y, 2), round(part, 2)))
    return tuple(segments)


def _height(number: int, decades: int) -> float:
    """Nothing is at 0, a single row a step above it, and the highest decade at the top."""
    return 0.0 if number == 0 else HEIGHT * (1 + math.log10(number)) / (1 + decades)


def _total(day: Mapping[str, Any]) -> int:
    return int(sum(day[what] for what in OPS))


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what if number == 1 else f'{what}s'}"
