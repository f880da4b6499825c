"""Until when: spans and moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.model.host import Suspension
from reconciler.times import parse_until

NOW = datetime(2026, 11, 22, 17, 4, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2h", NOW + timedelta(hours=2)),
        ("30m", NOW + timedelta(minutes=30)),
        ("1d12h", NOW + timedelta(days=1, hours=12)),
        (" 90S ", NOW + timedelta(seconds=90)),
        ("2026-11-23T08:00Z", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("2026-11-23 08:00+01:00", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("2026-11-23T08:00:30.5-05:00", datetime(2026, 11, 23, 13, 0, 30, 500_000, tzinfo=UTC)),
    ],
)
def test_until(text: str, until: datetime) -> None:
    found = parse_until(text, NOW)
    assert found == until
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-23 08:00", "any time zone"),
        ("2026-11-22T17:04Z", "has passed: here it is 2026-11-22T17:04Z"),
        ("0m", "has passed"),
        ("2", "neither a span nor a moment"),
        ("2w", "neither a span nor a moment"),
        ("tomorrow", "neither a span nor a moment"),
        ("", "neither a span nor a moment"),
        ("-2h", "neither a span nor a moment"),
        ("999999d999999d999999d999999d", "neither a span nor a moment"),
        ("9999-12-31T23:59-12:00", "neither a span nor a moment"),
        ("٢h", "neither a span nor a moment"),
    ],
)
def test_not_until(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse_until(text, NOW)
    assert "2026-11-23T08:00Z" in refused.value.hint


@given(st.text())
def test_any_text_is_a_moment_to_come_or_an_error(text: str) -> None:
    try:
        found = parse_until(text, NOW)
    except UsageError:
        return
    assert found > NOW


def test_it_holds_until_then() -> None:
    ending = Suspension("maintenance", "maren", NOW, NOW + timedelta(hours=2))
    assert ending.holds(NOW + timedelta(hours=2, microseconds=-1))
    assert not ending.holds(NOW + timedelta(hours=2))
    assert Suspension("maintenance", "maren", NOW, None).holds(NOW + timedelta(days=9999))
