"""A repository has one name in the history: what was recorded under others is taken over when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.connection import Connection
from reconciler.adapters.duckdb.ledger import HistoryFile
from reconciler.errors import RetryLater
from reconciler.model.host import HostEvent
from reconciler.model.intervals import LiveInterval
from reconciler.tables.clickhouse import VERSIONS
from tests.adapters.ledger.versions import created, sha, updated, version
from tests.support.cases import some
from tests.support.history import state_at
from tests.support.kinds import KINDS, START, WIDGET, uid, widget

if TYPE_CHECKING:
    from reconciler.ledger.ledger import SqlLedger
    from reconciler.tables.clickhouse import Table
    from tests.adapters.ledger.conftest import Histories

pytestmark = pytest.mark.parametrize("histories", some(["duckdb", "chdb", "http"], 1), indirect=True)

NAME = "forge.example.com/desk/config"
SPELLINGS = (
    "https://forge.example.com/desk/config",
    "https://forge.example.com/desk/config.git",
    "ssh://git@forge.example.com/desk/config.git",
    "git@forge.example.com:desk/config.git",
    "https://Forge.example.com/desk/config/",
)
HOST, STORE = "host-1", uid(7)
"""As the last release recorded: each host by the spelling that it had."""


def record_as(histories: Histories, repository: str, *numbers: int, branch: str = "main") -> None:
    with histories.open_sql(repository, branch) as ledger:
        ledger.prepare(KINDS)
        ledger.record([version(number, created(widget(f"w{number}"), number)) for number in numbers])


def heights(ledger: SqlLedger) -> list[int]:
    return sorted(row.height for row in ledger.versions(limit=99))


def test_every_spelling_is_one_repository(histories: Histories) -> None:
    for number, spelling in enumerate(SPELLINGS, 1):
        record_as(histories, spelling, number)
    for _ in range(2):
        with histories.open_sql(NAME) as ledger:
            assert heights(ledger) == [1, 2, 3, 4, 5]
            assert sorted(row["name"] for row in state_at(ledger, WIDGET, 9)) == ["w1", "w2", "w3", "w4", "w5"]


def test_others_are_left_alone(histories: Histories) -> None:
    others = ("https://forge.example.com/desk/other.git", "/srv/config", f"{SPELLINGS[0]}//trading")
    for number, other in enumerate(others, 1):
        record_as(histories, other, number)
    with histories.open_sql(NAME) as ledger:
        assert heights(ledger) == []
    for number, other in enumerate(others, 1):
        with histories.open_sql(other) as ledger:
            assert heights(ledger) == [number]


def test_all_of_it_is_taken_over(histories: Histories) -> None:
    """Branches, orphaned commits, rows that a later commit changed, events and intervals, with what they say."""
    event = HostEvent(1, START, "applied", sha(2), "d" * 64, 1.5, {"plan": ["a"]}, STORE)
    interval = LiveInterval(1, sha(2), "main", "d" * 64, START, None, None, 1, STORE)
    with histories.open_sql(SPELLINGS[1], store=STORE) as old:
        old.prepare(KINDS)
        old.record([version(1, created(widget("a"), 1)), version(2, updated(widget("a", ratio=2.0), 1, 2)), version(3)])
        old.orphan([sha(3)])
        old.record_events(HOST, [event])
        old.record_intervals(HOST, [interval])
        rows, newest = state_at(old, WIDGET, 9), old.versions(limit=9)
    record_as(histories, SPELLINGS[1], 4, branch="desk")
    with histories.open_sql(NAME, store=STORE) as ledger:
        assert state_at(ledger, WIDGET, 9) == rows
        assert ledger.versions(limit=9) == newest
        assert ledger.count_orphans() == 1
        assert [told.event for told in ledger.events(limit=9)] == [event]
        assert ledger.newest_intervals(HOST, 9) == (interval,)
        assert heights(ledger.on_branch("desk")) == [4]


def test_a_former_name_is_known_by_what_the_store_told_under_it(histories: Histories) -> None:
    with histories.open_sql("desk", store=STORE) as old:
        old.prepare(KINDS)
        old.record([version(1, created(widget("a"), 1))])
        old.record_events(HOST, [HostEvent(1, START, "applied", sha(1), None, 1.0, {}, STORE)])
    with histories.open_sql("trading", store=STORE) as ledger:
        assert heights(ledger) == [1]
    with histories.open_sql("elsewhere", store=uid(8)) as ledger:
        assert heights(ledger) == []


def test_what_was_interrupted_is_done_again(histories: Histories, monkeypatch: pytest.MonkeyPatch) -> None:
    record_as(histories, SPELLINGS[0], 1, 2, 3)

    def fail(connection: Connection, table: Table, *others: str) -> None:
        if table.name == VERSIONS.name:
            raise RetryLater("the power is gone")
        copy_rows(connection, table, *others)

    kind = HistoryFile if histories.url == "duckdb" else Connection
    copy_rows = kind.copy_rows
    with monkeypatch.context() as patched:
        patched.setattr(kind, "copy_rows", fail)
        with pytest.raises(RetryLater, match="the power is gone"):
            histories.open_sql(NAME)
    with histories.open_sql(NAME) as ledger:
        assert heights(ledger) == [1, 2, 3]
