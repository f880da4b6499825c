"""What a host recorded of drift, told again: when each row differed, how, and since when that is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.history.drifts import PastDrift, assign_drifts, collect_drifts, of_interval
from reconciler.model.host import HostEvent
from reconciler.model.intervals import LiveInterval
from reconciler.model.rows import (
    DRIFT_FOUND,
    DRIFT_GONE,
    DRIFT_HEALED,
    RESTORED,
    Drift,
    Drifts,
    DriftType,
    next_drift_event,
)
from tests.adapters.ledger.versions import sha
from tests.history.test_fate import changes_of
from tests.support.kinds import START, WIDGET, uid
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.canonical import Value

A, B = uid(1), uid(2)
STORE, OTHER = uid(8), uid(9)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def row(id_: str | None, weight: float = 9.0) -> dict[str, Any]:
    drift = Drift("Widget", id_ or "", "a", DriftType.CHANGED, {"weight": weight}, {"weight": 1.0}, ("weight",))
    return drift.as_json()


def event(
    minute: float,
    name: str,
    *rows: Mapping[str, Any],
    checked: float | None = None,
    more: int = 0,
    store: str = STORE,
    commit: int = 1,
) -> HostEvent:
    """An event as a filter cuts it; `more` rows of other kinds were found too, and not recorded."""
    detail: dict[str, Value] = {
        "checked": None if checked is None else at(checked).isoformat(),
        "counts": {"Widget": len(rows), "Gadget": more},
        "recorded": len(rows),
        "rows": [dict(one) for one in rows],
    }
    return HostEvent(int(minute * 10), at(minute), name, sha(commit), None, 0, detail, store)


def told(*events: HostEvent) -> list[tuple[Any, ...]]:
    """Row, value, minutes: right before, found, ended; and how it ended."""

    def minute(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - START) / timedelta(minutes=1)

    return [
        (
            one.row["id"],
            one.row["before"]["weight"],
            minute(one.right_at),
            minute(one.found),
            minute(one.ended),
            one.end and str(one.end),
        )
        for one in collect_drifts(events)
    ]


CASES = {
    "healed at once": (
        [event(5, DRIFT_HEALED, row(A), checked=4)],
        [(A, 9, 4, 5, 5, "healed")],
    ),
    "healed at once, nobody had looked before": (
        [event(5, DRIFT_HEALED, row(A))],
        [(A, 9, None, 5, 5, "healed")],
    ),
    "found, and healed later": (
        [event(5, DRIFT_FOUND, row(A), checked=4), event(9, DRIFT_HEALED, row(A), checked=8)],
        [(A, 9, 4, 5, 9, "healed")],
    ),
    "found, and never healed": ([event(5, DRIFT_FOUND, row(A))], [(A, 9, None, 5, None, None)]),
    "found, and right again": (
        [event(5, DRIFT_FOUND, row(A)), event(9, DRIFT_GONE)],
        [(A, 9, None, 5, 9, "gone")],
    ),
    "one of two is right again": (
        [event(5, DRIFT_FOUND, row(A), row(B)), event(9, DRIFT_FOUND, row(B))],
        [(A, 9, None, 5, 9, "gone"), (B, 9, None, 5, None, None)],
    ),
    "a scan that recorded a part proves nothing of the others": (
        [event(5, DRIFT_FOUND, row(A)), event(9, DRIFT_FOUND, row(B), more=3, checked=8)],
        [(A, 9, None, 5, None, None), (B, 9, 8, 9, None, None)],
    ),
    "changed once more before it was healed": (
        [event(5, DRIFT_FOUND, row(A), checked=4), event(9, DRIFT_HEALED, row(A, 7.0), checked=8)],
        [(A, 9, 4, 5, 9, "changed"), (A, 7, None, 9, 9, "healed")],
    ),
    "again after it was healed by somebody between two scans": (
        [event(5, DRIFT_HEALED, row(A)), event(7, DRIFT_HEALED, row(A), checked=3)],
        [(A, 9, None, 5, 5, "healed"), (A, 9, 5, 7, 7, "healed")],
    ),
    "all rows were replaced": (
        [event(5, DRIFT_FOUND, row(A)), event(6, RESTORED)],
        [(A, 9, None, 5, 6, "gone")],
    ),
    "another store took its place": (
        [event(5, DRIFT_FOUND, row(A)), event(6, DRIFT_FOUND, row(B), store=OTHER)],
        [(A, 9, None, 5, 6, "gone"), (B, 9, None, 6, None, None)],
    ),
    "a table": (
        [event(5, DRIFT_HEALED, {**row(None), "what": "changed"})],
        [(None, 9, None, 5, 5, "healed")],
    ),
}


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES)
def test_what_events_tell(events: list[HostEvent], expected: list[tuple[Any, ...]]) -> None:
    assert told(*events) == expected
    assert told(*reversed(events)) == expected


def live(since: float, until: float | None) -> LiveInterval:
    return LiveInterval(1, sha(1), "main", "d", at(since), None if until is None else at(until))


def test_when_a_row_may_have_differed() -> None:
    known = PastDrift(row(A), sha(1), at(5), at(4), at(8))
    assert [known.may_hold_at(at(minute), live(0, None)) for minute in (3, 4, 4.5, 5, 7.9, 8)] == [
        *(False, True, True),
        *(True, True, False),
    ]
    unknown = PastDrift(row(A), sha(1), at(5), None, at(8))
    assert unknown.may_hold_at(at(1), live(0, None))
    assert not unknown.may_hold_at(at(1), live(0, 2))
    assert unknown.may_hold_at(at(6), live(5.5, None))


def test_drift_stands_with_the_change_that_it_spoiled() -> None:
    changes = changes_of(1, 2, 3)
    id_ = str(changes[0].row.values[WIDGET.key])
    drifts = [PastDrift(row(id_), sha(commit), at(commit)) for commit in (1, 2, 7, 8)]
    assigned, left = assign_drifts(drifts, changes, WIDGET.key, {sha(1): 1, sha(2): 2, sha(7): 7})
    assert {commit: [one.found for one in some] for (commit, _), some in assigned.items()} == {
        sha(1): [at(1)],
        sha(2): [at(2)],
        sha(3): [at(7)],
    }
    assert left == [drifts[3]]
    assert assign_drifts([PastDrift(row(B), sha(3), at(3))], changes, WIDGET.key, {sha(3): 3})[1]


def test_events_of_an_interval() -> None:
    events = [event(1, DRIFT_FOUND), event(2, DRIFT_HEALED), event(3, RESTORED), event(3, DRIFT_GONE, commit=2)]
    assert [one.at for one in of_interval(events, live(1, 2))] == [at(1)]
    assert [one.at for one in of_interval(events, live(1, None))] == [at(1), at(2)]


states = st.lists(
    st.tuples(st.dictionaries(st.sampled_from([A, B]), st.sampled_from([5.0, 6.0])), st.sampled_from(["look", "heal"])),
    max_size=12,
)


@settings(max_examples=examples(200), deadline=None)
@given(states)
def test_what_is_told_is_what_each_scan_saw(scans: list[tuple[dict[str, float], str]]) -> None:
    """`scans` are the weights that somebody has written before each, of rows that should weigh one."""
    events: list[HostEvent] = []
    written: dict[str, float] = {}
    seen: list[dict[str, float]] = []
    last: tuple[str, str] | None = None
    for minute, (wrote, deed) in enumerate(scans):
        written = written | wrote if deed == "heal" else wrote
        drifted = tuple(
            Drift("Widget", id_, "a", DriftType.CHANGED, {"weight": weight}, {"weight": 1.0}, ("weight",))
            for id_, weight in sorted(written.items())
        )
        found = Drifts(drifted, {"Widget": len(drifted)} if drifted else {})
        name = (DRIFT_HEALED if drifted else None) if deed == "heal" else next_drift_event(found, last)
        if name is not None:
            last = (name, found.digest)
            detail = {**found.detail(at(minute - 1) if minute else None), "recorded": len(drifted)}
            events.append(HostEvent(minute, at(minute), name, sha(1), None, 0, detail, STORE))
        seen.append(dict(written))
        if deed == "heal":
            written = {}
    drifts = collect_drifts(events)
    for minute, weights in enumerate(seen):
        differed = {
            one.row["id"]: one.row["before"]["weight"]
            for one in drifts
            if one.found <= at(minute)
            and (one.ended is None or at(minute) < one.ended or (at(minute) == one.ended and one.end == "healed"))
        }
        assert differed == weights, minute
        for one in drifts:
            assert (
                one.right_at is None
                or one.row["id"] not in seen[int((one.right_at - START) / timedelta(minutes=1))]
                or any(other.ended == one.right_at for other in drifts)
            )
