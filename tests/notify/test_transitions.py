"""Each change is told once: none twice while it lasts, none never, whatever comes between, a restart included."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Stamp
from reconciler.model.commit import Applied
from reconciler.model.host import ConditionSeverity, HostCondition, HostEvent, Suspension
from reconciler.model.receiver import Topic
from reconciler.model.rows import DRIFT_FOUND, DRIFT_HEALED
from reconciler.notify.transitions import (
    DRIFT_OVER,
    GRACE,
    RECOVERY,
    WARM_UP,
    Conditions,
    Told,
    Transition,
    read_event,
    without_values,
)
from reconciler.status import BranchHead, Scan, Status, StoreState, describe
from tests.support.standings import BEFORE, HEAD, NOON, running

A, B, C = "a" * 40, "b" * 40, "c" * 40


def event(seq: int, name: str, commit: str | None = None, *, minutes: float = 0, **detail: Any) -> HostEvent:
    return HostEvent(seq, NOON + timedelta(minutes=minutes), name, commit, None, 0, detail, "s")


def topics(*events: HostEvent, told: Told = Told()) -> list[tuple[str, str | None]]:  # noqa: B008  frozen
    found = []
    for one in events:
        told, transition = read_event(told, one)
        found += [(str(transition.topic), transition.commit)] if transition else []
        assert told.seq == one.seq
    return found


def test_a_commit_is_told_when_it_goes_live_and_not_again() -> None:
    made_anew = event(2, "applied", A, how="replace")
    assert topics(event(1, "applied", A), made_anew, event(3, "applied", B), event(4, "applied", A)) == [
        ("live", A),
        ("live", B),
        ("live", A),
    ]
    told, transition = read_event(Told(live=A), event(1, "applied", B, creates=2, updates=1, deletes=0))
    assert transition is not None
    assert (transition.base, transition.message, told.live) == (A, "2 created, 1 updated", B)


def test_a_refusal_is_told_once_until_something_goes_live() -> None:
    refusals = [event(1, "refused", A), event(2, "refused", B), event(3, "refused", C), event(4, "refused", B)]
    assert topics(*refusals) == [("refused", A), ("refused", B), ("refused", C)]
    assert topics(*refusals, event(5, "applied", A), event(6, "refused", B))[-1] == ("refused", B)


def test_a_refusal_says_why_and_what_to_do() -> None:
    problem = {"path": "u.yaml", "line": 3, "column": 1, "code": "wrong-type", "pointer": "", "message": "no number"}
    reasons = [{**problem, "severity": "error", "hint": f"h{number}"} for number in range(5)]
    _, found = read_event(Told(live=A), event(1, "refused", B, problems=9, refused_by=["wrong-type"], reasons=reasons))
    assert found is not None
    assert found.details[0] == "u.yaml:3: no number [wrong-type] (h0)"
    assert (len(found.details), found.omitted, found.live) == (3, 6, A)
    assert found.hint


def test_a_suspension_is_told_once_and_its_end() -> None:
    first = {"actor": "ann", "reason": "election", "until": None}
    begun = [
        event(1, "suspended", **first),
        event(2, "suspended", **first),
        event(3, "suspended", actor="ben", reason="x"),
    ]
    assert [topic for topic, _ in topics(*begun, event(4, "resumed", resumed_by="ben"))] == [
        "suspended",
        "suspended",
        "resumed",
    ]


def rows(*names: str) -> dict[str, Any]:
    return {"rows": [{"kind": "User", "id": name, "name": name} for name in names], "counts": {"User": len(names)}}


def test_drift_is_told_when_it_reaches_other_rows() -> None:
    found = [event(1, DRIFT_FOUND, A, **rows("ann")), event(2, DRIFT_FOUND, A, **rows("ann"))]
    assert topics(*found) == [("drift", None)]
    assert topics(*found, event(3, DRIFT_FOUND, A, **rows("ann", "ben"))) == [("drift", None), ("drift", None)]


def test_a_row_that_is_healed_again_and_again_is_told_once_an_hour() -> None:
    healed = [event(n, DRIFT_HEALED, A, minutes=minute, **rows("ann")) for n, minute in enumerate((0, 2, 58, 61, 62))]
    assert len(topics(*healed)) == 2
    assert len(topics(*healed[:2], event(9, DRIFT_HEALED, A, minutes=3, **rows("ben")))) == 2


def test_rows_of_one_event_are_told_once_however_many() -> None:
    many = {**rows(*(f"u{number}" for number in range(700))), "counts": {"User": 3_000}}
    told, found = read_event(Told(), event(1, DRIFT_FOUND, A, **many))
    assert found is not None
    assert (len(found.details), found.omitted) == (10, 2_990)
    for number in range(2, 6):
        told, found = read_event(told, event(number, DRIFT_FOUND, A, minutes=number, **many))
        assert found is None


def test_a_clock_that_is_set_back_makes_nobody_wait_for_days() -> None:
    healed = [
        event(1, DRIFT_HEALED, A, minutes=0, **rows("ann")),
        event(2, DRIFT_HEALED, A, minutes=-90, **rows("ann")),
    ]
    assert len(topics(*healed)) == 2


def test_of_an_event_about_drift_no_values_are_kept() -> None:
    large = event(
        1, DRIFT_FOUND, A, rows=[{"kind": "User", "name": "ann", "id": "u", "before": "x" * 9_000}], counts={}
    )
    assert read_event(Told(), without_values(large)) == read_event(Told(), large)
    assert len(str(without_values(large).detail)) < 100
    assert without_values(event(2, "applied", A, rows=7)).detail == {"rows": 7}


def test_what_nobody_has_to_hear_of_is_passed_over() -> None:
    assert topics(event(1, "bound", branch="main"), event(2, "view-kept"), event(3, "drift-gone")) == []


def test_a_backup_and_another_branch_or_address_are_told() -> None:
    told, found = read_event(Told(live=B, refused=(C,)), event(1, "restored", A, file="s-1.duckdb", before=B))
    assert found is not None
    assert (found.topic, found.commit, told.live, told.refused) == (Topic.RESTORED, A, A, ())
    assert found.message == "the live rows are those of the backup s-1.duckdb; bbbbbbbb was live before"
    moves = [
        event(2, "repository-moved", url="https://git.example/new", before="https://git.example/old"),
        event(3, "bound", repository="r", branch="main", before="trunk"),
        event(4, "bound", repository="r", branch="main", before=None),
    ]
    said = [found.message for _, found in (read_event(told, one) for one in moves) if found]
    assert said == [
        "the repository is at https://git.example/new; it was at https://git.example/old",
        "this host follows the branch main; it followed trunk",
    ]


def status(
    active: dict[str, ConditionSeverity] | None = None,
    *,
    head: str = HEAD,
    live: str = HEAD,
    suspended: bool = False,
    scan: Scan | None = None,
    synced: bool = True,
) -> Status:
    conditions = tuple(
        HostCondition(about, severity, "Reason", "it does not", "", NOON) for about, severity in (active or {}).items()
    )
    daemon = running(conditions=conditions, scan=scan, last_sync=NOON if synced else None)
    suspension = Suspension("election", "ann", NOON, None) if suspended else None
    stored = StoreState(Applied(Stamp(live, NOON), 3, "d", NOON), None, suspension)
    return describe(BranchHead("r", "main", head, shallow=False), stored, daemon, NOON)


class Watched:
    """A host that is looked at every few seconds, told by told."""

    def __init__(self) -> None:
        self.now, self.told = 0.0, Told()
        self.conditions = Conditions(self.now)
        self.found: list[Transition] = []

    def look(self, seen: Status, seconds: float = 1.0) -> list[Transition]:
        self.now += seconds
        at = NOON + timedelta(seconds=self.now)
        self.told, found = self.conditions.compare(self.told, seen, at, self.now)
        self.found += found
        return list(found)

    def restart(self) -> None:
        """By what is kept in the file."""
        self.told = msgspec.json.decode(msgspec.json.encode(self.told), type=Told)
        self.conditions = Conditions(self.now)


RETRYING, STALLED = ConditionSeverity.RETRYING, ConditionSeverity.STALLED


def test_what_works_again_soon_is_told_to_nobody() -> None:
    host = Watched()
    host.look(status(), WARM_UP + 1)
    for _ in range(10):
        assert host.look(status({"Redis": RETRYING}), 30) == []
        assert host.look(status(), 30) == []


def test_what_needs_somebody_is_told_at_once_and_that_it_works_again() -> None:
    host = Watched()
    host.look(status(), WARM_UP + 1)
    host.look(status({"Reconciling": STALLED}))
    (held,) = host.look(status({"Reconciling": STALLED}), GRACE[STALLED])
    assert (held.topic, held.reason, held.live) == (Topic.HELD, "Reason", HEAD)
    assert host.look(status({"Reconciling": STALLED}), 3600) == []
    host.look(status())
    (over,) = host.look(status(), RECOVERY)
    assert (over.topic, over.about) == (Topic.RECOVERED, "Reconciling")
    assert over.lasted > 3600
    assert [host.look(status(), seconds) for seconds in (1, 1000, 1000)] == [[], [], []]


def test_what_grew_worse_is_told_again() -> None:
    host = Watched()
    for severity in (RETRYING, RETRYING, STALLED, STALLED, RETRYING, RETRYING, STALLED, STALLED):
        host.look(status({"Redis": severity}), 100)
    assert [one.topic for one in host.found] == [Topic.UNHEALTHY, Topic.UNHEALTHY]


def test_what_fails_again_and_again_is_told_less_and_less() -> None:
    host = Watched()
    host.look(status(), WARM_UP + 1)
    for _ in range(12 * 24):  # a day of it
        for active in ({"Redis": RETRYING}, {}):
            for _ in range(5):
                host.look(status(active), 30)
    assert len(host.found) <= 8
    assert host.found[-1].topic is Topic.UNHEALTHY
    for _ in range(130):
        host.look(status(), 30)
    assert host.found[-1].topic is Topic.RECOVERED


def test_a_restart_tells_nothing_again_and_believes_no_silence() -> None:
    host = Watched()
    host.look(status({"Redis": RETRYING}))
    assert host.look(status({"Redis": RETRYING}), 100)
    host.restart()
    for seconds in (1, RECOVERY, WARM_UP - RECOVERY - 2):
        assert host.look(status(), seconds) == []
    host.restart()
    for _ in range(3):
        assert host.look(status(synced=False), WARM_UP + RECOVERY + 1) == []
    assert host.look(status({"Redis": RETRYING}), 1000) == []
    host.look(status(), 1)
    assert [one.topic for one in host.look(status(), RECOVERY)] == [Topic.RECOVERED]


def test_a_commit_that_a_suspension_holds_is_told_once() -> None:
    host = Watched()
    assert host.look(status(suspended=True)) == []
    (held,) = host.look(status(suspended=True, live=BEFORE))
    assert (held.topic, held.commit, held.live) == (Topic.HELD, HEAD, BEFORE)
    assert "resume" in held.hint
    assert host.look(status(suspended=True, live=BEFORE)) == []
    assert len(host.look(status(suspended=True, live=BEFORE, head=C))) == 1


def test_drift_is_over_when_it_stays_away() -> None:
    host = Watched()
    host.told, _ = read_event(Told(), event(1, DRIFT_FOUND, A, **rows("ann")))
    left, none = Scan(NOON, 1, 0), Scan(NOON, 0, 0)
    for scan in (left, none, left, none, None):
        assert host.look(status(scan=scan), DRIFT_OVER - 1) == []
    host.look(status(scan=none))
    (over,) = host.look(status(scan=none), DRIFT_OVER)
    assert (over.topic, over.details, host.told.drifting.differing) == (Topic.HEALED, ("User ann",), ())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["", "", "", "restart"]),
        st.dictionaries(st.sampled_from(["Redis", "History", "Reconciling"]), st.sampled_from([RETRYING, STALLED])),
        st.sampled_from([70.0, 30.0, 10.0, 4.0, 1.0]),
    ),
    min_size=8,
    max_size=30,
)


@given(STEPS)
def test_a_state_is_told_once_while_it_lasts_and_never_forgotten(steps: list[Any]) -> None:
    host = Watched()
    for what, active, seconds in steps:
        if what:
            host.restart()
        host.look(status(active), seconds)
    for _ in range(100):  # it stays so: all that is told of is over, and nothing is told twice
        host.look(status(steps[-1][1] if steps else {}), 60.0)
    last = steps[-1][1] if steps else {}
    for about in ("Redis", "History", "Reconciling"):
        told = [one for one in host.found if one.about == about]
        for before, after in pairwise(told):
            grew_worse = before.topic is not Topic.RECOVERED and after.topic is not Topic.RECOVERED
            assert (before.topic is Topic.RECOVERED) != (after.topic is Topic.RECOVERED) or grew_worse
        assert sum(1 for one in told if one.topic is Topic.RECOVERED) <= len(told) - (about in last)
        assert (about in last) == (bool(told) and told[-1].topic is not Topic.RECOVERED)
    quiet = len(host.found)
    for _ in range(20):
        host.look(status(last), 5.0)
    assert len(host.found) == quiet


@pytest.mark.parametrize("about", ["Drift", "Notifications"])
def test_what_is_told_otherwise_is_not_told_here(about: str) -> None:
    host = Watched()
    assert host.look(status({about: STALLED}), 1000) == []
    assert host.look(status({about: STALLED}), 1000) == []
