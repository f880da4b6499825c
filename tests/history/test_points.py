"""What people call a place in the history, and which place that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest

from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.history import points
from reconciler.model.host import HostEvent
from reconciler.model.intervals import LiveInterval
from reconciler.model.rows import HistoryPoint
from reconciler.times import is_time, parse_time
from tests.adapters.ledger.versions import aside, sha, version
from tests.support.kinds import KINDS, START, FixedClock, uid
from tests.support.memory.ledger import MemoryLedger

TAGS = {"cut": sha(2), "elsewhere": sha(77), "cafe": sha(3)}


@pytest.fixture
def ledger() -> MemoryLedger:
    """Three commits, an hour apart; the host saw the first at once and the others a day later."""
    ledger = MemoryLedger(FixedClock())
    ledger.prepare(KINDS)
    ledger.record([version(number) for number in (1, 2, 3)])
    ledger.record([aside(10, 2, 1)])
    applied = {1: START + timedelta(hours=1), 3: START + timedelta(days=1)}
    events = [HostEvent(n, at, "applied", sha(n), None, 0, {}, uid(1)) for n, at in applied.items()]
    ledger.record_events("here", events)
    return ledger


def resolve(name: str) -> str | None:
    if name not in TAGS:
        raise NeedsHuman(f"git does not know {name}")
    return TAGS[name]


def place(ledger: MemoryLedger, name: str, host: str = "here") -> tuple[int, bool]:
    found = points.find_point(ledger, name, partial(ledger.live_at, host), resolve)
    assert found.point == HistoryPoint(found.version.height)
    return found.version.height, found.by_host


def test_at_a_moment_it_is_what_was_live_on_the_host(ledger: MemoryLedger) -> None:
    """What was committed on Friday and pushed on Monday was not live on Sunday."""
    later = (START + timedelta(hours=12)).isoformat()
    assert place(ledger, later) == (1, True)
    assert place(ledger, later, "another") == (3, False)
    assert place(ledger, (START + timedelta(days=2)).isoformat()) == (3, True)


def test_before_the_host_told_commit_dates_decide(ledger: MemoryLedger) -> None:
    ledger.record_events("new", [HostEvent(1, START + timedelta(days=9), "applied", sha(3), None, 0, {}, uid(2))])
    assert place(ledger, (START + timedelta(hours=2, minutes=59)).isoformat(), "new") == (2, False)
    with pytest.raises(UsageError, match="nothing was committed by 2001-01-01"):
        place(ledger, "2001-01-01")


def test_what_a_host_applied_and_the_history_has_not_yet_is_waited_for(ledger: MemoryLedger) -> None:
    ledger.record_events("here", [HostEvent(9, START + timedelta(days=3), "applied", sha(50), None, 0, {}, uid(1))])
    with pytest.raises(RetryLater, match="00000000 was live then, and is not in the history yet"):
        place(ledger, (START + timedelta(days=4)).isoformat())


def test_what_was_live_of_another_branch_is_found_there(ledger: MemoryLedger) -> None:
    other = ledger.on_branch("pr-25")
    other.prepare(KINDS)
    other.record([version(1), version(50)])
    since = START + timedelta(days=3)
    ledger.record_intervals("here", [LiveInterval(1, sha(50), "pr-25", "d" * 64, since, change=1, store=uid(1))])
    found = points.find_point(ledger, (START + timedelta(days=4)).isoformat(), partial(ledger.live_at, "here"), resolve)
    assert (found.version.commit.sha, found.branch, found.ledger, found.by_host) == (sha(50), "pr-25", other, True)
    assert points.find_version(ledger, sha(50), resolve).ledger is other


def test_shas_are_the_historys_and_names_are_gits(ledger: MemoryLedger) -> None:
    assert place(ledger, sha(2)) == (2, False)
    assert place(ledger, "cut") == (2, False)
    assert place(ledger, "cafe") == (3, False)  # could be a sha, but is none
    with pytest.raises(UsageError, match=r"elsewhere \(00000000\) is not in the history"):
        place(ledger, "elsewhere")
    with pytest.raises(NeedsHuman, match="git does not know abc"):
        place(ledger, "abc")
    with pytest.raises(UsageError, match="could be several commits"):
        place(ledger, "0000")


def test_a_side_branch_is_no_place(ledger: MemoryLedger) -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match="is of a side branch, which never was live by itself"):
            place(ledger, sha(10))
        ledger.orphan([sha(10)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T08:00Z", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("2026-11-23 08:00:01.5+05:30", datetime(2026, 11, 23, 8, 0, 1, 500000, timezone(timedelta(hours=5.5)))),
    ],
)
def test_a_moment(text: str, expected: datetime) -> None:
    assert is_time(text)
    assert parse_time(text) == expected
    assert parse_time(text).tzinfo is UTC


def test_the_end_of_a_day_is_that_of_a_date_alone() -> None:
    assert parse_time("2026-11-30", end_of_day=True) == datetime(2026, 12, 1, tzinfo=UTC)
    assert parse_time("2026-11-30T00:00Z", end_of_day=True) == datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-23T08:00", "2026-02-30", "2026-11-23T25:00Z", "2026-11-23x", "9999-12-31"])
def test_no_moment(text: str) -> None:
    assert is_time(text)
    with pytest.raises(UsageError) as caught:
        parse_time(text, end_of_day=True)
    assert "2026-11-23" in caught.value.hint


@pytest.mark.parametrize("text", ["main", "2026", "20261123", "v2026-11-23", ""])
def test_what_is_not_meant_as_one(text: str) -> None:
    assert not is_time(text)
