"""The chain of entries: what it is over, that it does not depend on when it is computed, and when a root is due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import canonical
from reconciler.evidence import verify
from reconciler.evidence.chain import (
    FORMAT,
    NAMESPACE,
    START,
    ChainState,
    Record,
    Root,
    SignedRoot,
    Span,
    event_entry,
    interval_entries,
    is_due,
    link,
    until_due,
)
from reconciler.model.host import HostEvent
from reconciler.model.intervals import IntervalEnd, LiveInterval
from reconciler.values import replace
from tests.evidence.hosts import event_of
from tests.support.kinds import uid
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

STORE, OTHER = uid(1), uid(2)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=60_000)).map(lambda since: datetime(1971, 1, 1, tzinfo=UTC) + since)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(2**53), 2**53)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SHAS, DIGESTS = (st.none() | st.text("0123456789abcdef", min_size=size, max_size=size) for size in (40, 64))


@st.composite
def host_events(draw: st.DrawFn) -> HostEvent:
    return HostEvent(
        draw(st.integers(1, 99)),
        draw(MOMENTS),
        draw(st.sampled_from(["applied", "halted", "ü"])),
        draw(SHAS),
        draw(DIGESTS),
        draw(st.floats(0, 1e9)),
        draw(st.dictionaries(st.text("abcä", max_size=5), VALUES, max_size=4)),
        draw(st.sampled_from([STORE, OTHER])),
    )


def live(seq: int, change: int | None = None, store: str = STORE) -> LiveInterval:
    since = NOON + timedelta(hours=seq)
    if change is None:
        return LiveInterval(seq, f"{seq:040x}", "main", "d" * 64, since, change=seq, store=store)
    until, why = since + timedelta(hours=1), IntervalEnd.REPLACED
    return LiveInterval(seq, f"{seq:040x}", "main", "d" * 64, since, until, why, change, store)


@settings(max_examples=examples(200))
@given(event=host_events(), previous=st.text("0123456789abcdef", min_size=64, max_size=64))
def test_whoever_reads_the_json_of_an_entry_computes_the_same_link(event: HostEvent, previous: str) -> None:
    entry = event_entry(event)
    assert verify.link(previous, json.loads(json.dumps(entry))) == link(previous, entry)
    stored = replace(event, detail=json.loads(canonical.dumps(event.detail)))
    assert event_entry(stored) == entry


def test_the_program_for_auditors_has_the_same_numbers_and_words() -> None:
    assert (verify.FORMAT, verify.NAMESPACE, verify.START) == (FORMAT, NAMESPACE, START)


@settings(max_examples=examples(100))
@given(events=st.lists(host_events(), max_size=8), cut=st.integers(0, 8))
def test_a_chain_in_two_goes_is_the_chain_in_one(events: Sequence[HostEvent], cut: int) -> None:
    entries = [{**event_entry(event), "number": number} for number, event in enumerate(events, 1)]
    at_once = ChainState().with_entries(Record.EVENTS, entries)
    parts = ChainState().with_entries(Record.EVENTS, entries[:cut]).with_entries(Record.EVENTS, entries[cut:])
    assert parts == at_once
    assert [span.after for span in at_once.spans] == sorted(span.after for span in at_once.spans)


def test_the_spans_leave_no_number_out() -> None:
    first = ChainState().with_entries(Record.EVENTS, [event_entry(event_of(seq, STORE)) for seq in (7, 9)])
    assert first.spans == (Span(Record.EVENTS, STORE, 6, 9),)
    root = first.to_root("desk-1", "origin", STORE, NOON, None)
    again = [event_entry(event_of(12, STORE)), event_entry(event_of(13, OTHER)), event_entry(event_of(15, OTHER))]
    second = ChainState.after(root).with_entries(Record.EVENTS, again)
    assert second.spans == (Span(Record.EVENTS, STORE, 9, 12), Span(Record.EVENTS, OTHER, 12, 15))
    assert (second.entries, second.events, second.intervals) == (5, 15, 0)


def test_an_interval_is_two_entries_each_at_its_own_time() -> None:
    first, second = live(1, change=2), live(3)
    entries = interval_entries([second, first], 0)
    assert [(one["what"], one["number"]) for one in entries] == [("live", 1), ("ended", 2), ("live", 3)]
    assert interval_entries([first], 1) == entries[1:2]  # it began under an earlier root
    assert interval_entries([first], 0, 1) == entries[:1] == interval_entries([live(1)], 0)  # as it was then


def test_an_end_that_was_worked_out_later_is_no_entry() -> None:
    assert [one["what"] for one in interval_entries([live(1, change=1)], 0)] == ["live"]


def rooted(day: str, made_at: datetime) -> Root:
    return Root(
        host="desk-1",
        repository="origin",
        store=STORE,
        day=day,
        made_at=canonical.timestamp(made_at),
        entries=1,
        previous=START,
        head="e" * 64,
        events=1,
        intervals=0,
        spans=(),
    )


@pytest.mark.parametrize(
    ("day", "made_at", "now", "due"),
    [
        ("2026-11-22", NOON, NOON, False),
        ("2026-11-22", NOON, NOON + timedelta(hours=11, minutes=59), False),
        ("2026-11-22", NOON, NOON + timedelta(hours=12), True),
        ("2026-11-22", NOON, NOON + timedelta(days=9), True),
        ("2098-12-31", NOON + timedelta(days=36500), NOON, True),
    ],
    ids=["the same day", "a minute before midnight", "at midnight", "after a week off", "after a clock was put back"],
)
def test_a_root_is_due_once_a_day(day: str, made_at: datetime, now: datetime, due: bool) -> None:
    assert is_due(rooted(day, made_at), event_of(1, STORE), now) is due


def test_the_first_root_waits_for_the_end_of_a_first_day() -> None:
    assert not is_due(None, None, NOON)
    assert not is_due(None, event_of(1, STORE), datetime(2026, 11, 23, 23, 59, tzinfo=UTC))
    assert is_due(None, event_of(1, STORE), datetime(2026, 11, 24, tzinfo=UTC))


def test_a_day_ends_at_midnight_in_utc() -> None:
    assert until_due(NOON) == 12 * 3600
    assert until_due(datetime(2026, 11, 24, tzinfo=UTC)) == 24 * 3600


def test_a_root_reads_back_from_its_event() -> None:
    signed = SignedRoot(rooted("2026-11-22", NOON), "text", "SHA256:key")
    event = HostEvent(1, NOON, "root-made", None, None, 0, json.loads(canonical.dumps(signed.detail())))
    assert SignedRoot.of_event(event) == signed
    with pytest.raises(ValueError, match="root"):
        SignedRoot.of_event(event_of(1, STORE))
