"""Moments as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from reconciler.report.escape import EXACT, moments_at
from reconciler.times import format_moment, format_moment_in_full

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 6, 17, 20, 30, tzinfo=UTC)
"""A Wednesday, half past nine in the evening in London."""

SAID = {
    "2026-06-17T20:30:00Z": ("just now", "today 21:30 Europe/London, just now"),
    "2026-06-17T20:29:30.5Z": ("just now", "today 21:29 Europe/London, just now"),
    "2026-06-17T20:04:00Z": ("26m ago", "today 21:04 Europe/London, 26m ago"),
    "2026-06-17T18:29:00Z": ("2h ago", "today 19:29 Europe/London, 2h ago"),
    "2026-06-17T05:00:00Z": ("today 06:00", "today 06:00 Europe/London"),
    "2026-06-16T12:30:00Z": ("yesterday 13:30", "yesterday 13:30 Europe/London"),
    "2026-06-12T12:30:00Z": ("Friday 13:30", "Friday 13:30 Europe/London"),
    "2026-06-10T12:30:00Z": ("10 Jun 13:30", "10 Jun 13:30 Europe/London"),
    "2026-01-03T09:00:00Z": ("3 Jan 09:00", "3 Jan 09:00 Europe/London"),
    "2024-10-03T09:00:00Z": ("3 Oct 2024", "3 Oct 2024 10:00 Europe/London"),
    "1970-01-01T00:00:00Z": ("1 Jan 1970", "1 Jan 1970 01:00 Europe/London"),
    "2026-06-17T20:30:30Z": ("in 30s", "today 21:30 Europe/London, in 30s"),
    "2026-06-17T22:45:00Z": ("in 2h", "today 23:45 Europe/London, in 2h"),
    "2026-06-17T23:30:00Z": ("in 3h", "tomorrow 00:30 Europe/London, in 3h"),
    "2026-06-18T12:30:00Z": ("tomorrow 13:30", "tomorrow 13:30 Europe/London"),
    "2026-06-19T12:30:00Z": ("Friday 13:30", "Friday 13:30 Europe/London"),
    "2099-12-31T12:30:00Z": ("31 Dec 2099", "31 Dec 2099 12:30 Europe/London"),
}


def test_moments_as_people_say_them() -> None:
    moments = moments_at(NOW, LONDON)
    assert {text: (moments.short(text), moments.full(text)) for text in SAID} == SAID


def test_moments_for_programs_stay_what_they_are() -> None:
    assert EXACT.short("2026-06-17T20:04:00.25Z") == "2026-06-17T20:04:00Z"
    assert EXACT.full("2026-06-17T20:04:00Z") == "2026-06-17T20:04:00Z"


def test_yesterday_is_the_day_before_in_the_zone_of_people() -> None:
    moment = NOW - timedelta(hours=20)  # half past midnight in London in UTC, and in New York the evening before
    assert format_moment(moment, NOW, LONDON) == "today 01:30"
    assert format_moment(moment, NOW, ZoneInfo("America/New_York")) == "yesterday 20:30"


def test_clocks_that_change_do_not_move_a_time() -> None:
    now = datetime(2026, 10, 27, 12, 0, tzinfo=UTC)  # since the 25th London is on UTC
    friday = datetime(2026, 10, 23, 12, 30, tzinfo=UTC)
    assert format_moment_in_full(friday, now, LONDON) == "Friday 13:30 Europe/London"


@pytest.mark.parametrize(
    ("zone", "name"), [(UTC, "UTC"), (timezone(timedelta(hours=2), "CEST"), "CEST"), (ZoneInfo("Etc/UTC"), "Etc/UTC")]
)
def test_a_zone_without_a_name_of_its_own(zone: timezone, name: str) -> None:
    assert format_moment_in_full(NOW - timedelta(days=2), NOW, zone).endswith(name)
