"""A whole history goes from one engine to another: all of it, once, and whatever happens on the way."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.clickhouse.connection import Timeouts, open_history
from reconciler.adapters.duckdb.ledger import HistoryFile
from reconciler.errors import RetryLater, UsageError
from reconciler.kinds.kind import Kinds
from reconciler.ledger.connection import DUCKDB_FILE
from reconciler.ledger.copy import copy_history
from reconciler.model.host import HostEvent
from reconciler.model.intervals import IntervalEnd, LiveInterval
from reconciler.model.rows import HistoryPoint
from tests.adapters.ledger.conftest import Histories
from tests.adapters.ledger.versions import aside, created, deleted, sha, updated, version
from tests.support.cases import some
from tests.support.kinds import GADGET, KINDS, ODD, START, WIDGET, gadget, resource, uid, widget

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.ledger.connection import Connection
    from reconciler.ledger.copy import CopiedTable
    from reconciler.tables.clickhouse import Table

ALL = Kinds((*KINDS, ODD))
STORES = {"origin": uid(1), "other": uid(2)}
WORDS = ("", "nul\0 tab\t newline\n", "😀 é", '{"a": [1]}', "O'Brien \\ `x`")


class Ends:
    """Two places for histories, each of an engine."""

    def __init__(self, folder: Path, source: str, target: str, closing: ExitStack) -> None:
        self.source = Histories(source, folder / "source", closing)
        self.target = Histories(target, folder / "target", closing)

    def copy(self, wrap: type[Broken] | None = None) -> Mapping[str, CopiedTable]:
        """Copy, through a wrapped target where one is given."""
        with ExitStack() as opened:
            source, target = (self._open(one, opened) for one in (self.source, self.target))
            return {one.name: one for one in copy_history(source, target if wrap is None else wrap(target))}

    @staticmethod
    def _open(histories: Histories, opened: ExitStack) -> Connection:
        connection: Connection
        if histories.url == "duckdb":
            connection = HistoryFile(histories.folder / DUCKDB_FILE)
        else:
            connection = open_history(histories.url, histories.folder, Timeouts(connect=5, read=20))
        opened.callback(connection.close)
        return connection


class Broken:
    """A connection that a fault stands in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.inserts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class EndsEarly(Broken):
    """After three inserts the engine is gone."""

    def insert(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        self.inserts += 1
        if self.inserts > 3:
            raise RetryLater("the server is gone")
        self._connection.insert(table, rows)


class Loses(Broken):
    """It takes rows, and has not all of them."""

    def insert(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        self._connection.insert(table, list(rows)[1:])


class Alters(Broken):
    """It has other messages than it was given."""

    def insert(self, table: Table, rows: Iterable[Sequence[object]]) -> None:
        place = list(table.columns).index("message") if "message" in table.columns else None
        self._connection.insert(
            table, ([value if at != place else "another" for at, value in enumerate(row)] for row in rows)
        )


@pytest.fixture
def ends(request: pytest.FixtureRequest, tmp_path: Path, databases: Iterator[int]) -> Iterator[Ends]:
    """Histories to copy from and to."""
    source, target = getattr(request, "param", ("duckdb", "duckdb"))
    with ExitStack() as closing:
        if target == "http":
            front, database = request.getfixturevalue("front"), f"copy {next(databases)}"
            closing.callback(front.drop, database)
            target = front.url(database)
        yield Ends(tmp_path, source, target, closing)


def fill(histories: Histories) -> None:
    """Two repositories, with all that a history can have."""
    with ExitStack() as closing:
        place = Histories(histories.url, histories.folder, closing)
        for repository, store in STORES.items():
            ledger = place.open_sql(repository, store=store)
            ledger.prepare(ALL)
            first = [widget(f"w{at}", widget_id=uid(10 + at), note=word, ratio=0.1) for at, word in enumerate(WORDS)]
            odd = resource(ODD, "x", {"select": "it's", "ÄÖ.x": 0.5})
            changes = (created(one, 1) for one in first)
            ledger.record([version(1, *changes, created(odd, 1), created(gadget("g", widget=("w0",)), 1))])
            ledger.record([version(2, updated(first[0], 1, 2)), aside(9, 2, 1), version(3, deleted(first[0], 1, 3))])
            ledger.record([version(4, created(widget("gone", widget_id=uid(40)), 4))])
            ledger.orphan([sha(4)])
            for number in range(1, 4):
                event = HostEvent(number, START, "applied", sha(number), None, 1.5, {"rows": number}, store)
                ledger.record_events("desk", [event])
                until, ended = (START, IntervalEnd.REPLACED) if number < 3 else (None, None)
                live = LiveInterval(number, sha(number), "main", "d" * 64, START, until, ended, number, store)
                ledger.record_intervals("desk", [live])


def told(histories: Histories) -> list[object]:
    """All that the questions of a ledger are answered with."""
    answers: list[object] = []
    with ExitStack() as closing:
        place = Histories(histories.url, histories.folder, closing)
        for repository, store in STORES.items():
            ledger = place.open_sql(repository, store=store)
            answers += [ledger.recorded_commits(), ledger.versions(limit=99), ledger.version(sha(4))]
            answers += [ledger.rows_at(kind, HistoryPoint(height)) for kind in ALL for height in range(1, 4)]
            answers += [ledger.changes_of(WIDGET, "w0"), ledger.newest_changes(GADGET, limit=9)]
            answers += [ledger.events(limit=99), ledger.intervals_of("desk", list(map(sha, range(1, 5))))]
    return answers


@pytest.mark.slow
@pytest.mark.parametrize(
    "ends",
    some([("duckdb", "duckdb"), ("duckdb", "chdb"), ("chdb", "duckdb"), ("duckdb", "http"), ("chdb", "http")], 1),
    indirect=True,
)
def test_all_of_a_history_is_there_afterwards(ends: Ends) -> None:
    fill(ends.source)
    copied = ends.copy()
    assert told(ends.target) == told(ends.source)
    assert all(one.is_complete and one.rows == one.written and not one.differing for one in copied.values())
    assert {name: one.rows for name, one in copied.items()} == {
        WIDGET.table: 16,
        GADGET.table: 2,
        ODD.table: 2,
        "config_versions": 10,
        "version_states": 2,
        "host_events": 6,
        "live_intervals": 6,
    }
    again = ends.copy()
    assert {name: one.digest for name, one in again.items()} == {name: one.digest for name, one in copied.items()}
    assert not any(one.written or one.differing or one.missing for one in again.values())


@pytest.mark.slow
def test_a_copy_that_was_broken_off_goes_on(ends: Ends) -> None:
    fill(ends.source)
    with pytest.raises(RetryLater):
        ends.copy(EndsEarly)
    copied = ends.copy()
    assert 0 < sum(one.written for one in copied.values()) < sum(one.rows for one in copied.values())
    assert all(one.is_complete for one in copied.values())
    assert told(ends.target) == told(ends.source)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Loses, Alters])
def test_what_is_not_there_as_it_was_is_told(ends: Ends, fault: type[Broken]) -> None:
    fill(ends.source)
    copied = ends.copy(fault)
    assert not copied["config_versions"].is_complete
    assert copied["config_versions"].missing == (1 if fault is Loses else 0)


@pytest.mark.slow
def test_what_another_host_recorded_stays(ends: Ends) -> None:
    with ExitStack() as closing:
        theirs = Histories(ends.target.url, ends.target.folder, closing).open_sql("origin", store=uid(3))
        theirs.prepare(ALL)
        theirs.record([version(1, digest="f" * 64), version(5)])
        fill(ends.source)
        copied = ends.copy()["config_versions"]
        assert (copied.rows, copied.written, copied.differing, copied.missing) == (10, 9, 1, 0)
        assert copied.is_complete
        assert {row.digest for row in theirs.find_by_sha([sha(1)])} == {"f" * 64}
        assert sha(5) in theirs.recorded_commits()


def test_an_empty_history_is_no_mistake_of_the_copy(ends: Ends) -> None:
    with pytest.raises(UsageError, match=r"the history in .* is empty"):
        ends.copy()
