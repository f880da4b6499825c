"""What every ledger does: in memory, embedded, and on a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import BugError, UsageError
from reconciler.history.points import to_version_row
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.model.commit import Commit, Signature, Status
from reconciler.model.problem import Problem, Severity
from reconciler.values import replace
from tests.adapters.ledger.versions import aside, created, deleted, sha, state, updated, version, with_parents
from tests.support.history import state_at
from tests.support.kinds import GADGET, KINDS, ODD, WIDGET, WIDGET_COLUMNS, gadget, make_kind, resource, uid, widget

if TYPE_CHECKING:
    from reconciler.model.commit import Version
    from reconciler.ports import Ledger
    from tests.adapters.ledger.conftest import Histories

INDIA, NEWFOUNDLAND = timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=3, minutes=30))


@pytest.fixture
def ledger(histories: Histories) -> Ledger:
    ledger = histories.open()
    ledger.prepare(KINDS)
    return ledger


def shas(ledger: Ledger, limit: int = 100) -> list[str]:
    return [row.commit.sha for row in ledger.versions(limit=limit)]


def test_nothing_is_there_before_anything_was_recorded(histories: Histories) -> None:
    ledger = histories.open()
    for _ in ("before", "after"):
        assert sha(1) not in ledger.recorded_commits([sha(1)])
        assert ledger.recorded_commits() == {}
        assert ledger.versions(limit=9) == ()
        assert ledger.version(sha(1)) is None
        assert state_at(ledger, WIDGET, 9) == ()
        ledger.orphan([sha(1)])
        ledger.prepare(KINDS)
        ledger.record([])


def commit(
    message: str = "m", who: str = "Ann", email: str = "a@b", at: datetime | None = None, signed: bool = False
) -> Commit:
    signature = Signature(who, email, at or datetime(2026, 1, 5, 8, 0, 1, tzinfo=INDIA))
    return Commit("ab" * 20, (), signature, signature, message, signed)


COMMITS = {
    "plain": commit("Raise the limit\n\nAsked for by the desk.\n"),
    "awkward text": commit("tab\t nul\0 \\n 'quote' \"double\" `tick` {x:String} %s \r\n", "é😀 O'Brien\\"),
    "Latin-1, replaced": commit("Gr\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}e"),
    "nothing said": commit("", "", ""),
    "signed": commit(signed=True),
    "the epoch": commit(at=datetime(1970, 1, 1, tzinfo=UTC)),
    "before midnight UTC, after it there": commit(
        at=datetime(1970, 1, 1, 0, 30, tzinfo=timezone(timedelta(minutes=30)))
    ),
    "far future": commit(at=datetime(2261, 12, 31, 23, 59, 59, tzinfo=NEWFOUNDLAND)),
    "an octopus": replace(commit(), parents=tuple(f"{n:040x}" for n in range(1, 9))),
    "a long name": replace(commit(), sha="c" * 64),
}


def test_commits_read_back_as_they_were(ledger: Ledger) -> None:
    commits = {name: replace(one, sha=f"{at:x}" * len(one.sha)) for at, (name, one) in enumerate(COMMITS.items())}
    ledger.record([version(at, commit=one) for at, one in enumerate(commits.values(), start=1)])
    for name, ours in commits.items():
        row = ledger.version(ours.sha)
        assert row is not None, name
        assert row.commit == ours, name
        assert row.commit.author.time.utcoffset() == ours.author.time.utcoffset(), name
        assert row.commit.committer.time.utcoffset() == ours.committer.time.utcoffset(), name


def test_a_version_reads_back_as_it_was(histories: Histories, ledger: Ledger) -> None:
    problems = (
        Problem("users/ü\n.yaml", 12, 3, "unknown-field", "/spec/a~1b", "unknown field", "did you mean \\?"),
        Problem("b.yaml", 1, 0, "policy/x", "", "", severity=Severity.WARNING),
    )
    one = version(7, status=Status.INVALID, problems=problems, mainline=False, creates=1, updates=2, deletes=3)
    ledger.record([one])
    row = histories.open().version(one.commit.sha)
    assert row is not None
    assert row == to_version_row(one, row.recorded_at)
    assert row.recorded_at.utcoffset() == timedelta(0)
    assert row.recorded_at < histories.clock.now()


def test_many_rows_of_a_version_are_recorded_in_parts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.ledger.ledger.INSERTED_AT_ONCE", 2)
    widgets = [created(widget(f"w{number}", widget_id=uid(number)), 1) for number in range(5)]
    ledger.record([version(1, *widgets[:3], created(gadget("g"), 1), *widgets[3:]), version(2)])
    assert [row["name"] for row in state_at(ledger, WIDGET, 1)] == [f"w{number}" for number in range(5)]
    assert [row["name"] for row in state_at(ledger, GADGET, 2)] == ["g"]
    assert shas(ledger) == [sha(2), sha(1)]


def test_recording_twice_leaves_one(histories: Histories, ledger: Ledger) -> None:
    versions = [version(1, created(widget("a"), 1)), version(2, updated(widget("a", pieces=4), 1, 2))]
    ledger.record(versions)
    other = histories.open()
    other.prepare(KINDS)
    other.record([*versions, versions[0]])
    assert shas(ledger) == [sha(2), sha(1)]
    assert [row["pieces"] for row in state_at(ledger, WIDGET, 2)] == [4]
    assert ledger.recorded_commits() == {sha(1): True, sha(2): True}


def test_what_is_recorded_again_replaces_what_was(ledger: Ledger) -> None:
    ledger.record([version(1, mainline=False, status=Status.INVALID)])
    ledger.record([version(1, digest="f" * 64)])
    row = ledger.version(sha(1))
    assert row is not None
    assert (row.mainline, row.status, row.digest) == (True, Status.VALID, "f" * 64)


def test_the_newest_write_wins_when_the_clock_stands_still_or_goes_back(histories: Histories) -> None:
    class Backwards:
        moments = iter([datetime(2026, 1, 2, tzinfo=UTC)] * 4 + [datetime(2026, 1, 1, tzinfo=UTC)] * 4)

        def now(self) -> datetime:
            return next(self.moments)

    histories.clock = Backwards()
    ledger = histories.open()
    ledger.prepare(KINDS)
    for digest in "012345":
        ledger.record([version(1, digest=digest)])
        row = ledger.version(sha(1))
        assert row is not None
        assert row.digest == digest


def test_orphaned_and_back(ledger: Ledger) -> None:
    ledger.record([version(1, created(widget("a"), 1)), version(2, created(widget("b"), 2))])
    ledger.orphan([sha(2), sha(9)])
    assert ledger.recorded_commits() == {sha(1): True}
    assert (sha(1) in ledger.recorded_commits(), sha(2) in ledger.recorded_commits()) == (True, False)
    assert shas(ledger) == [sha(1)]
    assert [row["name"] for row in state_at(ledger, WIDGET, 2)] == ["a"]
    lost = ledger.version(sha(2))
    assert lost is not None
    assert lost.orphaned
    ledger.record([version(2, created(widget("b"), 2))])
    assert sha(2) in ledger.recorded_commits([sha(2)])
    assert len(state_at(ledger, WIDGET, 2)) == 2


def test_many_commits_are_orphaned_at_once(ledger: Ledger) -> None:
    ledger.record([version(number) for number in range(1, 1201)])
    ledger.orphan([sha(number) for number in range(2, 1201)])
    assert ledger.recorded_commits() == {sha(1): True}


def test_history_rows_count_only_on_the_mainline(ledger: Ledger) -> None:
    ours, theirs = version(2, created(widget("ours"), 2)), version(3, created(widget("theirs"), 3), height=2)
    ledger.record([version(1), ours, replace(theirs, mainline=False, rows=())])
    assert [row["name"] for row in state_at(ledger, WIDGET, 2)] == ["ours"]
    ledger.record([replace(ours, mainline=False, rows=()), theirs])
    assert [row["name"] for row in state_at(ledger, WIDGET, 2)] == ["theirs"]
    assert ledger.recorded_commits() == {sha(1): True, sha(2): False, sha(3): True}


def test_rows_of_a_commit_that_became_invalid_do_not_count(ledger: Ledger) -> None:
    ledger.record([version(1, created(widget("a"), 1))])
    ledger.record([version(1, status=Status.INVALID)])
    assert state_at(ledger, WIDGET, 1) == ()


def test_the_state_at_each_height(ledger: Ledger) -> None:
    first, second = widget("a", widget_id=uid(2)), widget("b", widget_id=uid(1), note="", parts=None, fragile=None)
    changed = widget("a", widget_id=uid(2), weight=31.5, path="moved.yaml", line=7)
    steps: list[Version] = [
        version(1, created(first, 1), created(gadget("g", widget=("a",), spares=("a", "b")), 1)),
        version(2, created(second, 2)),
        version(3),
        version(4, updated(changed, 1, 4)),
        version(5, deleted(changed, 1, 5)),
    ]
    ledger.record(steps)
    one, two, four, five = (steps[at].rows[0].row for at in (0, 1, 3, 4))
    assert state_at(ledger, WIDGET, 0) == ()
    assert state_at(ledger, WIDGET, 1) == (state(WIDGET, "create", one),)
    assert state_at(ledger, WIDGET, 3) == (state(WIDGET, "create", two), state(WIDGET, "create", one))
    assert state_at(ledger, WIDGET, 4) == (state(WIDGET, "create", two), state(WIDGET, "update", four))
    gone = state_at(ledger, WIDGET, 99)[1]
    assert gone == state(WIDGET, "delete", five)
    assert (gone["status"], gone["path"], gone["line"]) == ("INACTIVE", None, None)
    assert state_at(ledger, GADGET, 5) == (state(GADGET, "create", steps[0].rows[1].row),)


def test_values_are_exact(ledger: Ledger) -> None:
    numbers = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 9.385958677423489e-21, 6592148136198245e2, -1 / 3, 0.0]
    words = ["", "NULL", "\\N", "nul\0 tab\t newline\n", "😀 \N{RIGHT-TO-LEFT OVERRIDE} é", '{"a": [1]}']
    ledger.record(
        [
            version(1, *(created(widget(f"n{at}", weight=number), 1) for at, number in enumerate(numbers))),
            version(2, *(created(widget(f"w{at}", note=word), 2) for at, word in enumerate(words))),
            version(3, created(widget("big", pieces=2**62), 3)),
        ]
    )
    rows = {str(row["name"]): row for row in state_at(ledger, WIDGET, 3)}
    assert [rows[f"n{at}"]["weight"] for at in range(len(numbers))] == numbers
    assert [rows[f"w{at}"]["note"] for at in range(len(words))] == words
    assert rows["big"]["pieces"] == 2**62
    assert {name: type(value) for name, value in rows["big"].items()} | {"created_at": str} == {
        name: type(value)
        for name, value in state(WIDGET, "create", version(3, created(widget("big"), 3)).rows[0].row).items()
    } | {"created_at": str}


def test_a_kind_that_gains_a_column_later(histories: Histories, ledger: Ledger) -> None:
    ledger.record([version(1, created(widget("a"), 1))])
    newer = make_kind("Widget", (*WIDGET_COLUMNS, Column("finish", SqlType.FLOAT)))
    assert [row["finish"] for row in state_at(histories.open(), newer, 1)] == [None]
    ledger.prepare(Kinds((GADGET, newer)))
    ledger.record([version(2, created(widget("b", kind=newer, finish=0.5), 2))])
    assert {row["name"]: row["finish"] for row in state_at(ledger, newer, 2)} == {"a": None, "b": 0.5}
    ledger.prepare(KINDS)
    ledger.record([version(3, created(widget("c"), 3))])
    assert {row["name"]: row["finish"] for row in state_at(ledger, newer, 3)} == {"a": None, "b": 0.5, "c": None}


def test_a_column_that_changes_its_type_keeps_what_it_held(ledger: Ledger) -> None:
    def with_pieces(type_: SqlType) -> Kinds:
        columns = (replace(column, type=type_) if column.name == "pieces" else column for column in WIDGET_COLUMNS)
        return Kinds((make_kind("Widget", columns),))

    steps = [
        (SqlType.INTEGER, 3),
        (SqlType.FLOAT, 0.1),
        (SqlType.INTEGER, 5),
        (SqlType.VARCHAR, "x"),
        (SqlType.FLOAT, 0.7),
    ]
    for number, (type_, value) in enumerate(steps, start=1):
        kinds = with_pieces(type_)
        ledger.prepare(kinds)
        (kind,) = kinds
        one = widget(f"w{number}", kind=kind, widget_id=uid(number), pieces=value)
        ledger.record([version(number, created(one, number))])
        assert [row["pieces"] for row in state_at(ledger, kind, number)][-1] == value
    last = [row["pieces"] for row in state_at(ledger, kind, 5)]
    assert last == [3, 0.1, 5, "x", 0.7]


def test_fields_named_like_the_historys_own_columns(ledger: Ledger) -> None:
    names = ("op", "height", "branch", "repository", "commit_sha", "committed_at", "digest", "line")
    kind = make_kind("Clash", (Column("clash_id", SqlType.UUID), *(Column(name, SqlType.VARCHAR) for name in names)))
    ledger.prepare(Kinds((kind,)))
    one = resource(kind, "x", {name: f"my {name}" for name in names})
    ledger.record([version(1, created(one, 1)), version(2, updated(one, 1, 2))])
    (row,) = state_at(ledger, kind, 2)
    assert {name: row[name] for name in names} == {name: f"my {name}" for name in names}
    assert (row["history_op"], row["declared_line"]) == ("update", 1)


def test_names_that_have_to_be_quoted(ledger: Ledger) -> None:
    ledger.prepare(Kinds((ODD,)))
    one = resource(ODD, "x", {"select": "it's", "ÄÖ.x": 0.5})
    ledger.record([version(1, created(one, 1))])
    assert state_at(ledger, ODD, 1) == (state(ODD, "create", version(1, created(one, 1)).rows[0].row),)


def test_repositories_and_branches_do_not_mix(histories: Histories) -> None:
    places = [("origin", "main"), ("origin", "next"), ("other", "main"), ("o'\\rigin", "ma{in")]
    for at, place in enumerate(places, start=1):
        ledger = histories.open(*place)
        ledger.prepare(KINDS)
        ledger.record([version(number, created(widget(f"w{at}"), number)) for number in range(1, at + 1)])
    histories.open(*places[3]).orphan([sha(4)])
    for at, place in enumerate(places, start=1):
        ledger = histories.open(*place)
        reachable = min(at, 3)
        assert ledger.recorded_commits() == {sha(number): True for number in range(1, reachable + 1)}
        assert len(ledger.versions(limit=9)) == reachable
        assert {row["name"] for row in state_at(ledger, WIDGET, 9)} == {f"w{at}"}
        assert ledger.version(sha(at + 1)) is None


def test_a_side_branch_stands_after_the_commit_that_merged_it(ledger: Ledger) -> None:
    """1 ─ 2 ─ 3 ─ 4 ─ 5: 10 and 11 came in with 3; 12 (upon 11) and 13 with 4; 14 is on its way."""
    ledger.record(
        [
            with_parents(1),
            aside(10, 2, 1),
            aside(11, 3, 10),
            with_parents(2, 1),
            with_parents(3, 2, 11),
            aside(12, 4, 11),
            aside(13, 2, 1),
            with_parents(4, 3, 12, 13),
            with_parents(5, 4),
            aside(14, 6, 5),
        ]
    )
    expected = [sha(number) for number in (5, 4, 12, 13, 3, 11, 10, 2, 1)]
    assert shas(ledger) == expected
    for limit in (0, 1, 2, 4, 8):
        assert shas(ledger, limit) == expected[:limit]


def test_versions_from_a_height_on_are_the_rest(ledger: Ledger) -> None:
    ledger.record([with_parents(1), aside(10, 1, 1), with_parents(2, 1, 10), with_parents(3, 2)])
    whole = shas(ledger)
    assert whole == [sha(3), sha(2), sha(10), sha(1)]
    for height, rest in ((3, whole), (2, whole[1:]), (1, whole[3:]), (0, [])):
        assert [one.commit.sha for one in ledger.versions(limit=9, upto=height)] == rest
    assert [one.commit.sha for one in ledger.versions(limit=2, upto=2)] == [sha(2), sha(10)]


def test_a_sha_may_be_abbreviated(ledger: Ledger) -> None:
    names = ["abcd" + "0" * 36, "abcde" + "0" * 35, "abcdef" + "1" * 34, "1" * 40, "1" * 40 + "2" * 24]
    ledger.record([version(1, commit=replace(commit(), sha=name)) for name in names])

    def found(start: str) -> str | None:
        row = ledger.version(start)
        return row.commit.sha if row else None

    assert found("abcdef") == names[2]
    assert found("ABCDEF1") == names[2]
    assert found(names[0]) == names[0]
    assert found("1" * 40) == names[3]
    assert found("ffff") is None
    assert found("%' OR 1=1 --") is None
    with pytest.raises(UsageError, match=r"abcd could be several commits: .*abcdef"):
        found("abcd")
    with pytest.raises(UsageError, match="abc is too short"):
        found("abc")


def test_a_kind_nobody_prepared_is_a_bug(histories: Histories) -> None:
    ledger = histories.open()
    ledger.prepare(Kinds((GADGET,)))
    with pytest.raises(BugError, match="not prepared for kind Widget"):
        ledger.record([version(1, created(widget("a"), 1))])
    assert ledger.recorded_commits() == {}
