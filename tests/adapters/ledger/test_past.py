"""What every ledger says about the past: in memory, embedded, and on a server."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from reconciler.history.pages import change_cursor
from reconciler.history.points import point_of, to_version_row
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.model.change import Change, Op, Prune
from reconciler.model.commit import RowChange, Signature, Status
from reconciler.model.host import HostEvent
from reconciler.model.rows import ORPHANED, ActiveDay, HistoryPoint
from reconciler.ports import VersionFilter
from reconciler.values import replace
from tests.adapters.ledger.versions import aside, created, deleted, sha, updated, version, with_parents
from tests.support.cases import some
from tests.support.kinds import (
    GADGET,
    KINDS,
    ODD,
    START,
    WIDGET,
    WIDGET_COLUMNS,
    gadget,
    make_kind,
    resource,
    tombstone,
    uid,
    widget,
)
from tests.support.kinds import commit as plain_commit

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind
    from reconciler.model.commit import Version
    from reconciler.model.rows import ChangeCursor, HistoryChange, HistoryRow
    from reconciler.ports import Ledger
    from tests.adapters.ledger.conftest import Histories

pytestmark = pytest.mark.parametrize("histories", some(["memory", "chdb", "http"], 2), indirect=True)

HOSTILE = (
    "' OR 1=1 --",
    'a "b" `c` \\',
    "two\nlines\t",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "{name:String}",
    "é😀",
    "%_",
)


@pytest.fixture
def ledger(histories: Histories) -> Ledger:
    ledger = histories.open()
    ledger.prepare(KINDS)
    return ledger


def by(number: int, who: str, email: str, at: datetime | None = None) -> Version:
    """A commit of somebody's."""
    told = plain_commit(number)
    author, committer = replace(told.author, name=who, email=email), told.committer
    if at is not None:
        committer = Signature(committer.name, committer.email, at)
    return version(number, commit=replace(told, author=author, committer=committer))


def pruned(name: str, mode: Prune, number: int, **values: object) -> RowChange:
    one = widget(name, **values)
    return RowChange(Change(Op.DELETE, one, None, mode), tombstone(one, 1, number, prune=mode))


def found(ledger: Ledger, limit: int = 100, **only: object) -> list[str]:
    rows = ledger.find_versions(VersionFilter(**only), limit=limit)  # type: ignore[arg-type]
    return [row.commit.sha for row in rows]


def told(past: tuple[HistoryChange, ...]) -> list[tuple[str, str, str]]:
    return [(str(one.row.values["name"]), one.row.op, one.row.commit) for one in past]


def brief(row: HistoryRow | None) -> tuple[str, str, object] | None:
    return row and (row.op, row.commit, row.values["pieces"])


def test_nothing_is_there_before_anything_was_recorded(histories: Histories) -> None:
    ledger = histories.open()
    for _ in ("before", "after"):
        assert found(ledger) == found(ledger, kinds=(WIDGET,), name="a") == []
        assert (ledger.count_orphans(), ledger.side_versions(), ledger.count_declared(WIDGET, HistoryPoint(9))) == (
            0,
            {},
            0,
        )
        assert ledger.live_at("host", datetime.now(UTC)) is None
        assert ledger.version_at(datetime.now(UTC)) is None
        assert (
            ledger.rows_at(WIDGET, HistoryPoint(9))
            == ledger.changed_rows(WIDGET, HistoryPoint(0), HistoryPoint(9))
            == ()
        )
        assert ledger.changes_of(WIDGET, "a") == ledger.newest_changes(WIDGET, limit=9) == ()
        ledger.prepare(KINDS)


def test_the_past_of_a_resource_through_names_and_removal(ledger: Ledger) -> None:
    one, other = widget("a", widget_id=uid(1)), widget("b", widget_id=uid(2))
    renamed = widget("c", widget_id=uid(1), pieces=9)
    ledger.record(
        [
            version(1, created(one, 1), created(other, 1)),
            version(2, updated(renamed, 1, 2)),
            version(3),
            version(4, deleted(renamed, 1, 4)),
        ]
    )
    past = [("c", "delete", sha(4)), ("c", "update", sha(2)), ("a", "create", sha(1))]
    for name in ("a", "c", uid(1), uid(1)):
        assert told(ledger.changes_of(WIDGET, name)) == past
    assert told(ledger.changes_of(WIDGET, "b")) == [("b", "create", sha(1))]
    assert ledger.changes_of(WIDGET, "nobody") == ledger.changes_of(WIDGET, uid(9)) == ()
    newest = ledger.changes_of(WIDGET, "a")[0]
    assert newest.version == replace(to_version_row(version(4), newest.version.recorded_at), deletes=1)
    assert (newest.row.prune, newest.row.height, newest.row.values["status"]) == ("deactivate", 4, "INACTIVE")


@pytest.mark.parametrize("mode", some(Prune, 1))
def test_what_became_of_a_row_is_recorded(ledger: Ledger, mode: Prune) -> None:
    ledger.record([version(1, created(widget("a"), 1)), version(2, pruned("a", mode, 2))])
    (row,) = ledger.rows_at(WIDGET, HistoryPoint(2), "a")
    assert (row.op, row.prune) == ("delete", mode)
    assert ledger.rows_at(WIDGET, HistoryPoint(1), "a")[0].prune == ""


def test_names_are_only_names(ledger: Ledger) -> None:
    ledger.record([version(1, created(widget("plain"), 1), *(created(widget(name), 1) for name in HOSTILE))])
    for name in HOSTILE:
        assert told(ledger.changes_of(WIDGET, name)) == [(name, "create", sha(1))]
        assert [row.values["name"] for row in ledger.rows_at(WIDGET, HistoryPoint(1), name)] == [name]
        assert found(ledger, kinds=(WIDGET, GADGET), name=name) == [sha(1)]
        assert found(ledger, kinds=(GADGET,), name=name) == []
        assert found(ledger, author=name) == []


def test_rows_at_a_point(ledger: Ledger) -> None:
    one, other = widget("a", widget_id=uid(2)), widget("b", widget_id=uid(1))
    ledger.record(
        [
            version(1, created(one, 1)),
            version(2, created(other, 2)),
            version(3, updated(replace(one, values={**one.values, "pieces": 7}), 1, 3)),
            version(4, status=Status.INVALID),
            version(5, deleted(other, 2, 5)),
        ]
    )
    assert ledger.rows_at(WIDGET, HistoryPoint(0)) == ()
    assert [brief(row) for row in ledger.rows_at(WIDGET, HistoryPoint(2))] == [
        ("create", sha(2), 3),
        ("create", sha(1), 3),
    ]
    assert [brief(row) for row in ledger.rows_at(WIDGET, HistoryPoint(4), "a")] == [("update", sha(3), 7)]
    assert [brief(row) for row in ledger.rows_at(WIDGET, HistoryPoint(9), uid(1))] == [("delete", sha(5), 3)]
    assert [ledger.count_declared(WIDGET, HistoryPoint(height)) for height in range(6)] == [0, 1, 2, 2, 2, 1]


def test_a_name_counts_as_it_was_at_the_point(ledger: Ledger) -> None:
    ledger.record(
        [
            version(1, created(widget("a", widget_id=uid(1)), 1)),
            version(2, updated(widget("b", widget_id=uid(1)), 1, 2), created(widget("a", widget_id=uid(2)), 2)),
        ]
    )
    assert [row.values["widget_id"] for row in ledger.rows_at(WIDGET, HistoryPoint(1), "a")] == [uid(1)]
    assert [row.values["widget_id"] for row in ledger.rows_at(WIDGET, HistoryPoint(2), "a")] == [uid(2)]
    assert ledger.rows_at(WIDGET, HistoryPoint(1), "b") == ()


def test_what_differs_between_two_points(ledger: Ledger) -> None:
    one, other = widget("a", widget_id=uid(1)), widget("b", widget_id=uid(2))
    more = widget("a", widget_id=uid(1), pieces=7)
    ledger.record(
        [
            version(1, created(one, 1), created(other, 1)),
            version(2, updated(more, 1, 2)),
            version(3, created(widget("c", widget_id=uid(3)), 3)),
        ]
    )

    def between(old: int, new: int) -> list[object]:
        return [
            (brief(before), brief(after))
            for before, after in ledger.changed_rows(WIDGET, HistoryPoint(old), HistoryPoint(new))
        ]

    forth = [(("create", sha(1), 3), ("update", sha(2), 7)), (None, ("create", sha(3), 3))]
    assert between(1, 3) == forth
    assert between(3, 1) == [(after, before) for before, after in forth]
    assert between(2, 2) == []
    assert between(0, 1) == [(None, ("create", sha(1), 3)), (None, ("create", sha(1), 3))]
    assert ledger.changed_rows(GADGET, HistoryPoint(0), HistoryPoint(3)) == ()


def test_after_the_history_was_rewritten(ledger: Ledger) -> None:
    """1 ─ 2 ─ 3 ─ 4 was pushed over with 1 ─ 12 ─ 13; 3 was invalid."""
    one = widget("a", widget_id=uid(1))
    two, four = (widget("a", widget_id=uid(1), pieces=pieces) for pieces in (20, 40))
    mine = widget("a", widget_id=uid(1), pieces=120)
    ledger.record(
        [
            version(1, created(one, 1)),
            version(2, updated(two, 1, 2)),
            version(3, status=Status.INVALID),
            version(4, updated(four, 1, 4)),
        ]
    )
    ledger.orphan([sha(2), sha(3), sha(4)])
    ledger.record(
        [
            replace(with_parents(12, 1), height=2, rows=(updated(mine, 1, 12),), updates=1),
            replace(with_parents(13, 12), height=3),
        ]
    )
    assert ledger.count_orphans() == 3
    assert found(ledger, status=ORPHANED) == [sha(4), sha(3), sha(2)]
    lost = ledger.version(sha(4))
    assert lost is not None
    dropped = point_of(lost, ledger.side_versions())
    assert (dropped.height, set(dropped.dropped)) == (1, {sha(2), sha(4)})
    assert [brief(row) for row in ledger.rows_at(WIDGET, dropped)] == [("update", sha(4), 40)]
    assert [brief(row) for row in ledger.rows_at(WIDGET, HistoryPoint(3))] == [("update", sha(12), 120)]
    ((before, after),) = ledger.changed_rows(WIDGET, dropped, HistoryPoint(3))
    assert (brief(before), brief(after)) == (("update", sha(4), 40), ("update", sha(12), 120))
    assert [one.row.commit for one in ledger.changes_of(WIDGET, "a")] == [sha(4), sha(2), sha(12), sha(1)]
    assert [one.version.orphaned for one in ledger.changes_of(WIDGET, "a")] == [True, True, False, False]
    assert [one.row.commit for one in ledger.newest_changes(WIDGET, limit=9)] == [sha(12), sha(1)]


def test_the_newest_changes_with_what_was_before(ledger: Ledger) -> None:
    a, b = widget("a", widget_id=uid(1)), widget("b", widget_id=uid(2))
    ledger.record(
        [
            version(1, created(a, 1), created(b, 1)),
            version(2, updated(b, 1, 2)),
            version(3, updated(a, 1, 3)),
            version(4, updated(a, 1, 4)),
            version(5, created(gadget("g"), 5)),
        ]
    )
    assert told(ledger.newest_changes(WIDGET, limit=1))[:2] == [("a", "update", sha(4)), ("a", "update", sha(3))]
    assert told(ledger.newest_changes(WIDGET, limit=2))[:3] == [
        ("a", "update", sha(4)),
        ("a", "update", sha(3)),
        ("a", "create", sha(1)),
    ]
    assert len(ledger.newest_changes(WIDGET, limit=99)) == 5
    assert told(ledger.newest_changes(GADGET, limit=1)) == [("g", "create", sha(5))]


@pytest.mark.parametrize("size", some([2, 1, 3, 99], 1))
def test_pages_of_the_newest_changes_are_the_whole(ledger: Ledger, size: int) -> None:
    rows = {name: widget(name, widget_id=uid(10 - number)) for number, name in enumerate("baé")}
    ledger.record(
        [
            version(1, *(created(row, 1) for row in rows.values())),
            version(2, updated(rows["a"], 1, 2), deleted(rows["b"], 1, 2), updated(rows["é"], 1, 2)),
            version(3, created(rows["b"], 3), updated(rows["a"], 1, 3)),
        ]
    )
    walked: list[tuple[str, str, str]] = []
    place: ChangeCursor | None = None
    for _ in range(20):
        page = ledger.newest_changes(WIDGET, limit=size, after=place)[:size]
        if not page:
            break
        walked += told(page)
        place = change_cursor(WIDGET, page[-1])
    assert walked == [
        ("b", "create", sha(3)),
        ("a", "update", sha(3)),
        ("b", "delete", sha(2)),
        ("a", "update", sha(2)),
        ("é", "update", sha(2)),
        ("a", "create", sha(1)),
        ("b", "create", sha(1)),
        ("é", "create", sha(1)),
    ]


def test_a_page_of_changes_has_what_was_before_each(ledger: Ledger) -> None:
    row = widget("a")
    ledger.record([version(1, created(row, 1)), version(2, updated(row, 1, 2)), version(3, updated(row, 1, 3))])
    place = change_cursor(WIDGET, ledger.newest_changes(WIDGET, limit=1)[0])
    assert told(ledger.newest_changes(WIDGET, limit=1, after=place)) == [
        ("a", "update", sha(2)),
        ("a", "create", sha(1)),
    ]
    other_kind = place._replace(kind="Aaa")
    assert told(ledger.newest_changes(WIDGET, limit=1, after=other_kind))[0] == ("a", "update", sha(3)), (
        "comes after that one"
    )


@pytest.mark.parametrize("size", some([2, 1, 5], 1))
def test_pages_of_filtered_versions_are_the_whole(ledger: Ledger, size: int) -> None:
    moments = [START + timedelta(days=day) for day in (3, 1, 3, 3, 0)]
    ledger.record([by(number, "Ann", "ann@desk.example", at) for number, at in enumerate(moments, 1)])
    ledger.record([aside(10, 1, 1), aside(11, 1, 1)])
    whole = found(ledger, author="")
    walked: list[str] = []
    after: tuple[datetime, int, str] | None = None
    for _ in range(len(whole) + 1):
        page = ledger.find_versions(VersionFilter(author="", after=after), limit=size)
        if not page:
            break
        walked += [one.commit.sha for one in page]
        after = (page[-1].commit.committer.time, page[-1].height, page[-1].commit.sha)
    assert walked == whole
    assert len(whole) == 7


def test_recording_twice_leaves_one_past(ledger: Ledger) -> None:
    steps = [version(1, created(widget("a"), 1)), version(2, updated(widget("a", pieces=4), 1, 2))]
    for _ in range(3):
        ledger.record(steps)
    assert [one.row.commit for one in ledger.changes_of(WIDGET, "a")] == [sha(2), sha(1)]
    assert [one.row.commit for one in ledger.newest_changes(WIDGET, limit=1)] == [sha(2), sha(1)]
    assert (
        len(ledger.changed_rows(WIDGET, HistoryPoint(0), HistoryPoint(2))),
        ledger.count_declared(WIDGET, HistoryPoint(2)),
    ) == (1, 1)


def test_commits_by_filter(ledger: Ledger) -> None:
    moments = [START + timedelta(days=day) for day in range(5)]
    ledger.record(
        [
            by(1, "Ann Holt", "ann@desk.example", moments[0]),
            by(2, "Bob", "bob@desk.example", moments[3]),
            replace(by(3, "ann", "x@y", moments[1]), status=Status.INVALID),
            replace(by(4, "É. Dupont", "d@d", moments[4]), rows=(created(widget("a"), 4),)),
            aside(10, 2, 1),
        ]
    )
    early = sha(10)  # the side branch's date is ten hours after the first
    assert found(ledger) == [sha(4), sha(2), sha(3), early, sha(1)]
    assert found(ledger, limit=2) == [sha(4), sha(2)]
    assert found(ledger, author="ANN") == [sha(3), early, sha(1)]
    assert found(ledger, author="Holt <ann@") == [sha(1)]
    assert found(ledger, author="É. dup") == [sha(4)]
    assert found(ledger, text="É. dup") == [sha(4)]
    assert found(ledger, text="STEP 3") == [sha(3)]
    assert found(ledger, text=sha(4).upper()) == [sha(4)]
    assert found(ledger, text="000") == []  # too little for a sha
    assert found(ledger, text=sha(4)[:30]) == found(ledger, text="") == found(ledger)
    assert found(ledger, status="INVALID") == [sha(3)]
    assert found(ledger, status="VALID", author="ann") == [early, sha(1)]
    assert found(ledger, since=moments[1]) == [sha(4), sha(2), sha(3)]
    assert found(ledger, until=moments[1]) == [early, sha(1)]
    assert found(ledger, since=moments[1], until=moments[4]) == [sha(2), sha(3)]
    assert found(ledger, kinds=(WIDGET,)) == found(ledger, kinds=(GADGET, WIDGET), name="a") == [sha(4)]
    assert found(ledger, kinds=()) == found(ledger, kinds=(WIDGET,), name="b") == []
    assert found(ledger, since=datetime.max.replace(tzinfo=UTC)) == []
    assert found(ledger, until=datetime.min.replace(tzinfo=UTC)) == []


def test_what_was_live_on_a_host(ledger: Ledger) -> None:
    def happened(seq: int, name: str, commit: str | None) -> HostEvent:
        return HostEvent(seq, START + timedelta(hours=seq), name, commit, None, 0, {}, uid(1))

    events = [happened(1, "bound", None), happened(2, "applied", sha(1)), happened(3, "refused", sha(2))]
    ledger.record_events("here", [*events, happened(5, "restored", sha(4))])
    ledger.record_events("there", [happened(4, "applied", sha(3))])

    def live(hours: float, host: str = "here") -> str | None:
        interval = ledger.live_at(host, START + timedelta(hours=hours))
        return interval and interval.commit

    assert [live(1.5), live(2), live(4.5), live(5)] == [None, sha(1), sha(1), sha(4)]
    assert (live(9, "there"), live(9, "elsewhere")) == (sha(3), None)


def test_what_was_committed_by_a_moment(ledger: Ledger) -> None:
    moments = {1: START, 2: START + timedelta(days=400), 3: START + timedelta(days=2)}
    ledger.record([by(number, "a", "b", at) for number, at in moments.items()])
    ledger.record([version(4), aside(10, 2, 1)])
    ledger.orphan([sha(4)])

    def committed(days: float) -> str | None:
        row = ledger.version_at(START + timedelta(days=days))
        return row and row.commit.sha

    assert [committed(-1), committed(0), committed(1), committed(2), committed(500)] == [
        None,
        sha(1),
        sha(1),
        sha(3),
        sha(3),
    ]


def test_a_column_that_came_later_and_one_that_went(histories: Histories, ledger: Ledger) -> None:
    ledger.record([version(1, created(widget("a"), 1))])
    newer = make_kind("Widget", (*WIDGET_COLUMNS, Column("finish", SqlType.FLOAT)))
    (before,) = histories.open().changes_of(newer, "a")
    assert before.row.values["finish"] is None
    ledger.prepare(Kinds((GADGET, newer)))
    ledger.record([version(2, updated(widget("a", kind=newer, finish=0.5), 1, 2))])
    assert [one.row.values["finish"] for one in ledger.changes_of(newer, "a")] == [0.5, None]
    assert ["finish" in one.row.values for one in ledger.changes_of(WIDGET, "a")] == [False, False]


def kinds_left(ledger: Ledger, *known: Kind) -> dict[str, Kind]:
    return {kind.table: kind for kind in ledger.other_kinds(Kinds(known))}


def test_a_kind_that_is_no_more_still_has_its_past(ledger: Ledger) -> None:
    ledger.prepare(Kinds((GADGET, ODD, WIDGET)))
    odd = resource(ODD, "o", {"select": "it's", "ÄÖ.x": 0.5})
    ledger.record([version(1, created(gadget("g"), 1), created(widget("a"), 1), created(odd, 1))])
    assert kinds_left(ledger, GADGET, ODD, WIDGET) == {}
    left = kinds_left(ledger, WIDGET)
    assert set(left) == {GADGET.table, ODD.table}
    for kind, name in ((GADGET, "g"), (ODD, "o")):
        remnant = left[kind.table]
        assert remnant.key == kind.key
        (one,) = ledger.changes_of(remnant, name)
        (as_known,) = ledger.changes_of(kind, name)
        assert one == as_known
    assert found(ledger, kinds=tuple(left.values()), name="o") == [sha(1)]


def test_repositories_do_not_mix(histories: Histories) -> None:
    for at, place in enumerate((("origin", "main"), ("origin", "next"), ("o'\\rigin", "ma{in")), start=1):
        ledger = histories.open(*place)
        ledger.prepare(KINDS)
        ledger.record([version(number, created(widget("a", pieces=at), number)) for number in range(1, at + 1)])
        ledger.orphan([sha(at)])
        assert ledger.count_orphans() == 1
        assert {one.row.values["pieces"] for one in ledger.changes_of(WIDGET, "a")} == {at}
        assert len(ledger.changes_of(WIDGET, "a")) == at
        assert len(found(ledger, kinds=(WIDGET,), name="a")) == at - 1
        assert ledger.count_declared(WIDGET, HistoryPoint(9)) == min(at - 1, 1)
        assert len(ledger.newest_changes(WIDGET, limit=9)) == at - 1


def test_what_was_done_on_each_day(ledger: Ledger) -> None:
    assert ledger.activity(datetime(2000, 1, 1, tzinfo=UTC)) == ()
    east = timezone(timedelta(hours=9))
    invalid = by(3, "A", "a@example.com", datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC))
    ledger.record(
        [
            replace(by(1, "A", "a@example.com", datetime(2026, 11, 20, 8, tzinfo=UTC)), creates=3, updates=1),
            replace(by(2, "A", "a@example.com", datetime(2026, 11, 22, 8, 59, tzinfo=east)), deletes=2),
            replace(invalid, status=Status.INVALID),
            replace(by(4, "A", "a@example.com", datetime(2026, 11, 21, 12, tzinfo=UTC)), mainline=False, creates=9),
            replace(by(5, "A", "a@example.com", datetime(2026, 11, 22, tzinfo=UTC)), creates=70_000),
            replace(by(6, "A", "a@example.com", datetime(2026, 11, 22, tzinfo=UTC)), creates=1),
        ]
    )
    ledger.orphan([sha(6)])
    days = [ActiveDay(date(2026, 11, 20), 1, 0, 3, 1, 0), ActiveDay(date(2026, 11, 21), 2, 1, 0, 0, 2)]
    days.append(ActiveDay(date(2026, 11, 22), 1, 0, 70_000, 0, 0))
    assert list(ledger.activity(datetime(2026, 11, 20, tzinfo=UTC))) == days
    assert list(ledger.activity(datetime(2026, 11, 20, 8, 0, 1, tzinfo=UTC))) == days[1:]
