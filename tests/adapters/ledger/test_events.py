"""Host events in every ledger, and what verifying asks of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.host import HostEvent
from reconciler.model.rows import RecordedEvent
from reconciler.values import replace
from tests.adapters.ledger.versions import created, sha, updated, version
from tests.support.kinds import KINDS, gadget, uid, widget

if TYPE_CHECKING:
    from reconciler.canonical import Value
    from tests.adapters.ledger.conftest import Histories

STORE, OTHER = uid(1), uid(2)
START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def event(seq: int, store: str = STORE, name: str = "applied") -> HostEvent:
    detail: dict[str, Value] = {"how": "advance", "ü": [1, 2.5, None, {"nul": "\0'\\"}]}
    return HostEvent(seq, START + timedelta(minutes=seq), name, sha(seq), "d" * 64, 3.25, detail, store)


def test_events_read_back_as_they_were_newest_first(histories: Histories) -> None:
    ledger = histories.open()
    assert ledger.events(limit=9) == ()
    ledger.record_events("host-1", [])
    bound = HostEvent(3, START + timedelta(hours=1), "bound", None, None, 0, {}, STORE)
    ledger.record_events("host-1", [event(1), event(2), bound])
    told = [RecordedEvent("host-1", one) for one in (bound, event(2), event(1))]
    assert list(histories.open().events(limit=9)) == told
    assert list(ledger.events(limit=2)) == told[:2]


def test_an_event_that_is_recorded_again_is_there_once(histories: Histories) -> None:
    ledger = histories.open()
    for _ in range(3):
        ledger.record_events("host-1", [event(1), event(2)])
    assert [one.event.seq for one in ledger.events(limit=9)] == [2, 1]


def test_a_store_made_anew_counts_from_one_and_replaces_nothing(histories: Histories) -> None:
    ledger = histories.open()
    ledger.record_events("host-1", [event(1, STORE, "before")])
    ledger.record_events("host-1", [event(1, OTHER, "after")])
    assert {one.event.event for one in ledger.events(limit=9)} == {"before", "after"}


def test_hosts_and_repositories_are_told_apart(histories: Histories) -> None:
    ledger = histories.open()
    ledger.record_events("host-1", [event(1)])
    ledger.record_events("host-2", [replace(event(1), store=OTHER)])
    assert [one.host for one in ledger.events(limit=9, host="host-2")] == ["host-2"]
    assert len(ledger.events(limit=9)) == 2
    assert histories.open("another").events(limit=9) == ()


def test_events_need_no_kinds(histories: Histories) -> None:
    """A host may have something to tell before anything of its configuration is recorded."""
    histories.open().record_events("host-1", [event(1)])
    ledger = histories.open()
    ledger.prepare(KINDS)
    ledger.record([version(1)])
    assert len(ledger.events(limit=9)) == 1


def test_versions_are_looked_up_by_their_commits(histories: Histories) -> None:
    ledger = histories.open()
    assert ledger.find_by_sha([sha(1)]) == ()
    ledger.prepare(KINDS)
    ledger.record([version(number) for number in (1, 2, 3)])
    ledger.orphan([sha(2)])
    found = {row.commit.sha: row.orphaned for row in ledger.find_by_sha([sha(2), sha(3), sha(9)])}
    assert found == {sha(2): True, sha(3): False}
    assert ledger.find_by_sha([]) == ()


@pytest.mark.parametrize("times", [1, 2])
def test_changes_of_rows_are_counted_by_commit(histories: Histories, times: int) -> None:
    ledger = histories.open()
    assert ledger.row_counts(KINDS, [sha(1)]) == {sha(1): 0}
    ledger.prepare(KINDS)
    first = version(1, created(widget("a"), 1), created(widget("b"), 1), created(gadget("g"), 1))
    second = version(2, updated(widget("a", pieces=9), 1, 2))
    for _ in range(times):
        ledger.record([first, second, version(3)])
    assert ledger.row_counts(KINDS, [sha(1), sha(2), sha(3)]) == {sha(1): 3, sha(2): 1, sha(3): 0}
    assert ledger.row_counts(KINDS, []) == {}
