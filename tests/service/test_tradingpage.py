"""When the last week of trading ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from reconciler.service.tradingpage import end_of_last_week

ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
START = datetime(2001, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=36_000)).map(lambda after: START + after)


@given(MOMENTS, ZONES)
def test_the_week_ended_on_a_friday_within_seven_days(now: datetime, zone: timezone) -> None:
    ended = end_of_last_week(now.astimezone(zone))
    assert (ended.weekday(), ended.hour, ended.tzinfo) == (4, 22, UTC)
    assert timedelta() <= now - ended < timedelta(days=7)
