"""One spelling for every value."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import canonical

names = st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable())
digests = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=6)


@given(names, names)
def test_a_derived_id_is_uuid5(kind: str, name: str) -> None:
    assert canonical.derived_id(kind, name) == str(uuid.uuid5(canonical.IDENTITY_NAMESPACE, f"{kind}/{name}"))


def test_derived_ids_are_for_ever() -> None:
    assert canonical.derived_id("Widget", "a") == "5a515cd8-141e-56df-9bb5-3c833f1c9698"


@given(digests, digests)
def test_the_digest_of_a_set_knows_no_order_and_no_history(first: list[str], second: list[str]) -> None:
    at_once = canonical.add_digests(canonical.EMPTY_SET, added=[*second, *first])
    there_and_back = canonical.add_digests(canonical.EMPTY_SET, added=[*first, *first, *second])
    assert canonical.add_digests(there_and_back, removed=first) == at_once


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (30.0, "30"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (1e22, "1e+22"),
        (None, "-"),
        (True, "true"),
        ({"b": 1.0, "a": []}, '{"a":[],"b":1}'),
    ],
)
def test_numbers_are_read_as_people_write_them(value: canonical.Value, text: str) -> None:
    assert canonical.text(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        canonical.number(value)


def test_moments_are_told_in_utc() -> None:
    local = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert canonical.timestamp(local) == "2025-12-31T23:30:00Z"
    assert canonical.utc(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001  as DuckDB gives it
