"""Live intervals in every ledger: recorded by change, once each, and completed by what host events tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.model.halt import Halt, Halts, HaltSelector
from reconciler.model.host import HostEvent
from reconciler.model.intervals import IntervalEnd, LiveInterval
from reconciler.model.problem import Problem, Severity
from reconciler.model.refusal import refusal_detail
from reconciler.model.rows import Drift, DriftFilter, Drifts, DriftType, QueryLimits
from tests.adapters.ledger.versions import created, sha, version
from tests.support.kinds import KINDS, uid, widget
from tests.support.memory.drift import filter_drift_events

if TYPE_CHECKING:
    from tests.adapters.ledger.conftest import Histories

STORE, OTHER = uid(1), uid(2)
START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
REPLACED = IntervalEnd.REPLACED


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def live(number: int, since: float, until: float | None = None, *, branch: str = "main") -> LiveInterval:
    """A commit was live for some hours."""
    change = 2 * number + (until is not None)
    end = None if until is None else at(until)
    return LiveInterval(
        number, sha(number), branch, "d" * 64, at(since), end, None if until is None else REPLACED, change, STORE
    )


def test_intervals_read_back_as_they_were(histories: Histories) -> None:
    ledger = histories.open()
    assert (ledger.live_at("here", START), ledger.intervals_of("here", [sha(1)])) == (None, ())
    ledger.record_intervals("here", [])
    known = (live(1, 0, 2), live(2, 2, 3, branch="pr-25"), live(3, 3))
    ledger.record_intervals("here", known)
    for again in (ledger, histories.open()):
        assert again.intervals_of("here", [sha(1), sha(2), sha(3), sha(9)]) == known
        assert again.intervals_of("here", []) == ()
        found = [again.live_at("here", at(hours)) for hours in (-1, 0, 1.9, 2, 3, 99)]
        assert found == [None, known[0], known[0], known[1], known[2], known[2]]


def test_the_newest_change_of_an_interval_counts(histories: Histories) -> None:
    ledger = histories.open()
    begun, ended = live(1, 0), live(1, 0, 2)
    for changes in ([begun], [ended, begun], [begun, ended], [begun]):
        ledger.record_intervals("here", changes)
    assert ledger.intervals_of("here", [sha(1)]) == (ended,)


def test_hosts_and_repositories_are_told_apart_and_branches_are_not(histories: Histories) -> None:
    histories.open().record_intervals("here", [live(1, 0)])
    assert histories.open().live_at("there", at(1)) is None
    assert histories.open("another").live_at("here", at(1)) is None
    assert histories.open(branch="pr-25").live_at("here", at(1)) == live(1, 0)


def test_an_interval_of_a_lost_store_ends_where_the_next_begins(histories: Histories) -> None:
    ledger = histories.open()
    later = LiveInterval(1, sha(5), "pr-25", "e" * 64, at(4), None, None, 1, OTHER)
    ledger.record_intervals("here", [live(1, 0, 2), live(2, 2), later])
    lost, found = ledger.intervals_of("here", [sha(2), sha(5)])
    assert (lost.until, lost.ended) == (at(4), IntervalEnd.BRANCH_SWITCHED)
    assert found == later
    assert ledger.live_at("here", at(3)) == lost


def test_before_the_first_interval_host_events_tell(histories: Histories) -> None:
    def happened(seq: int, name: str, commit: str | None) -> HostEvent:
        return HostEvent(seq, at(seq), name, commit, "d" * 64, 0, {}, STORE)

    ledger = histories.open()
    events = [happened(1, "applied", sha(1)), happened(2, "refused", sha(2)), happened(3, "applied", sha(3))]
    ledger.record_events("here", [*events, happened(5, "restored", sha(4)), happened(7, "applied", sha(6))])
    ledger.record_intervals("here", [live(4, 5, 7), live(6, 7)])
    first, second, third = ledger.intervals_of("here", [sha(1), sha(2), sha(3), sha(4)])
    assert (first.commit, first.branch, first.since, first.until) == (sha(1), "main", at(1), at(3))
    assert (second.commit, second.until, second.ended) == (sha(3), at(5), REPLACED)
    assert third == live(4, 5, 7)
    assert [one and one.commit for one in (ledger.live_at("here", at(2)), ledger.live_at("here", at(8)))] == [
        sha(1),
        sha(6),
    ]


def test_intervals_can_be_queried_and_exported(histories: Histories) -> None:
    if histories.url == "memory":
        return
    ledger = histories.open_sql()
    ledger.prepare(KINDS)
    ledger.record([version(1)])
    ledger.record_intervals("here", [live(1, 0, 2, branch="pr-25"), live(2, 2)])
    found = ledger.query("SELECT host, branch, commit_sha, ended FROM live_intervals ORDER BY live_from", QueryLimits())
    assert found.rows == (("here", "pr-25", sha(1), "replaced"), ("here", "main", sha(2), ""))
    exported = ledger.exports()["live_intervals"]
    assert [name for name, _ in exported.columns][:2] == ["branch", "host"]
    assert sum(len(block) for block in exported.blocks) == 2


def test_the_newest_intervals_of_all_branches_or_of_the_others(histories: Histories) -> None:
    ledger = histories.open()
    assert ledger.newest_intervals("here", 9) == ()
    known = (live(1, 0, 2), live(2, 2, 3, branch="pr-25"), live(3, 3))
    ledger.record_intervals("here", known)
    assert ledger.newest_intervals("here", 9) == known[::-1]
    assert ledger.newest_intervals("here", 2) == known[:0:-1]
    assert ledger.newest_intervals("here", 9, off="main") == (known[1],)
    assert ledger.newest_intervals("there", 9) == ()


def refused(seq: int, commit: int, *rules: str) -> HostEvent:
    problems = [Problem("p.sql", 1, 1, rule, "", "no", severity=Severity.ERROR) for rule in rules]
    return HostEvent(seq, at(seq), "refused", sha(commit), None, 0, refusal_detail(problems), STORE)


def test_why_commits_were_refused_is_kept(histories: Histories) -> None:
    ledger = histories.open()
    assert (ledger.refusals_of("here", [sha(1)]), ledger.refused_since("here", START)) == ((), ())
    ledger.record_events("here", [refused(1, 1, "policy/a"), refused(2, 2, "policy/b", "guard/prune-limit")])
    ledger.record_events(
        "here", [refused(4, 1, "policy/c"), HostEvent(5, at(5), "refused", sha(3), None, 0, {}, STORE)]
    )
    found = {one.commit: one for one in histories.open(branch="pr-25").refusals_of("here", [sha(1), sha(2), sha(3)])}
    assert {commit: one.rules for commit, one in found.items()} == {
        sha(1): ("policy/c",),
        sha(2): ("guard/prune-limit", "policy/b"),
        sha(3): (),
    }
    assert [problem.message for problem in found[sha(2)].problems] == ["no", "no"]
    assert ledger.refusals_of("there", [sha(1)]) == ledger.refusals_of("here", []) == ()
    assert ledger.refused_since("here", at(2)) == tuple(sorted([sha(1), sha(2), sha(3)]))
    assert ledger.refused_since("here", at(5)) == (sha(3),)


def drifted(seq: int, event: str, *rows: tuple[str, str | None]) -> HostEvent:
    """Drift of some rows while a commit of that number was live."""
    found = [
        Drift(
            kind,
            id_ or "",
            "ä/b",
            DriftType.CHANGED,
            {"weight": 0.1, "note": '\u2028"x'},
            {"weight": 2**60},
            ("weight",),
        )
        for kind, id_ in rows
    ]
    detail = Drifts(tuple(found), {"Widget": len(found)}).detail(at(seq - 1) if seq % 2 else None)
    return HostEvent(seq, at(seq), event, sha(seq), "d" * 64, 0, detail, STORE)


def test_events_about_drift_are_found_again(histories: Histories) -> None:
    ledger = histories.open()
    assert ledger.drift_events("here", DriftFilter(START)) == ()
    one, other = ("Widget", uid(5)), ("Widget", uid(6))
    every = [
        drifted(1, "drift-found", one, ("Gadget", uid(5))),
        drifted(2, "drift-healed", one, other),
        drifted(3, "drift-healed", other),
        drifted(4, "drift-found", ("Widget", None)),
        HostEvent(5, at(5), "restored", sha(5), None, 0, {"file": "x"}, STORE),
        HostEvent(6, at(6), "applied", sha(6), None, 0, {}, STORE),
        drifted(7, "drift-gone"),
    ]
    ledger.record_events("here", every)
    for only in (
        DriftFilter(START),
        DriftFilter(at(3), limit=2),
        DriftFilter(START, "Widget"),
        DriftFilter(START, "Widget", [uid(5)]),
        DriftFilter(START, "Gadget", []),
        DriftFilter(at(9), commits=[sha(2), sha(3)]),
        DriftFilter(START, commits=[]),
    ):
        assert histories.open(branch="pr-25").drift_events("here", only) == filter_drift_events(every, only), only
    assert ledger.drift_events("there", DriftFilter(START)) == ()


def test_a_commit_is_found_in_the_branch_that_has_it(histories: Histories) -> None:
    ledger, other = histories.open(), histories.open(branch="pr-25")
    assert ledger.branches() == ()
    for one, numbers in ((ledger, (1, 2)), (other, (1, 3))):
        one.prepare(KINDS)
        one.record([version(number) for number in numbers])
    assert set(ledger.branches()) == set(other.branches()) == {"main", "pr-25"}
    assert set(ledger.branches(sha(1))) == {"main", "pr-25"}
    assert (ledger.branches(sha(3)), ledger.branches(sha(9))) == (("pr-25",), ())
    there = ledger.on_branch("pr-25")
    assert (there.version(sha(3)) is not None, there.version(sha(2)), ledger.version(sha(3))) == (True, None, None)
    assert ledger.on_branch("nowhere").recorded_commits() == {}
    assert ledger.mainline_heights([sha(1), sha(2), sha(3)]) == {sha(1): 1, sha(2): 2}
    assert ledger.mainline_heights([]) == {}


def test_the_days_do_not_count_what_was_refused(histories: Histories) -> None:
    ledger = histories.open()
    ledger.prepare(KINDS)
    ledger.record([version(1, created(widget("a"), 1)), version(2, created(widget("b"), 2))])
    since = datetime(2000, 1, 1, tzinfo=UTC)
    [day] = ledger.activity(since)
    [less] = ledger.activity(since, [sha(2)])
    assert (day.commits, day.creates, day.refused) == (2, 2, 0)
    assert (less.commits, less.creates, less.refused) == (2, 1, 1)


def test_which_halts_stood_at_a_time(histories: Histories) -> None:
    def halted(seq: int, halts: Halts | None) -> HostEvent:
        detail = {"halts": halts.detail()} if halts else {}
        return HostEvent(seq, at(seq), "halted", None, None, 0, detail, STORE)

    ledger, stands = histories.open(), Halt("a", HaltSelector("User", ("ann",)), "why", "me", START)
    halts = [Halts(number, (stands,)) for number in (2, 4)]
    assert ledger.halts_at("here", at(9)) is None
    ledger.record_events("here", [halted(1, None), halted(2, halts[0]), halted(4, halts[1])])
    ledger.record_events("there", [halted(3, Halts(9))])
    found = [ledger.halts_at("here", at(moment)) for moment in (1, 2, 3, 4, 9)]
    assert [one and Halts.of_event(one) for one in found] == [None, halts[0], halts[0], halts[1], halts[1]]
