"""What only a ClickHouse ledger can get wrong: seen from outside, with the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import clickhouse_connect
import pytest

from reconciler.adapters.clickhouse.server import parse_url
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.tables.clickhouse import VERSIONS
from tests.adapters.ledger.versions import created, sha, version
from tests.support.cases import some
from tests.support.history import state_at
from tests.support.kinds import GADGET, KINDS, WIDGET, gadget, make_kind, uid, widget

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from tests.adapters.ledger.conftest import Histories

pytestmark = pytest.mark.parametrize("histories", some(["chdb", "http", "cluster"], 1), indirect=True)


def outside(histories: Histories) -> Client:
    """A client that knows nothing of ledgers, in the ledger's database."""
    server = parse_url(histories.url)
    if server is None:
        client = clickhouse_connect.get_client(interface="chdb", path=str(histories.folder / "history"))
        client.database = "config_history"
    else:
        client = clickhouse_connect.get_client(**server.addresses[0]._asdict(), database=server.database)
    histories.closing.callback(client.close)
    return client


def test_the_tables_as_people_see_them(histories: Histories) -> None:
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    ledger.record([version(1, created(widget("a", widget_id=uid(1), ratio=0.1), 1)), version(2)])
    client = outside(histories)
    assert [row[0] for row in client.query("SHOW TABLES").result_rows] == [
        "config_versions",
        "gadget_config",
        "version_states",
        "widget_config",
    ]
    (first,) = client.query("SELECT * FROM config_versions FINAL WHERE height = 1").named_results()
    shown = ("repository", "branch", "commit_sha", "author_zone", "signature", "status", "creates", "orphaned")
    assert [first[name] for name in shown] == ["origin", "main", sha(1), 540, "none", "VALID", 1, False]
    (row,) = client.query("SELECT * FROM widget_config FINAL").named_results()
    assert (str(row["widget_id"]), row["ratio"], row["op"], row["commit_sha"]) == (uid(1), 0.1, "create", sha(1))


def test_an_interrupted_batch_is_neither_seen_nor_doubled(histories: Histories) -> None:
    """The kinds' rows are in, then the table of versions is out of reach."""
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    ledger.record([version(1, created(widget("a"), 1))])
    client = outside(histories)
    client.command("RENAME TABLE config_versions TO elsewhere")
    batch = [version(2, created(widget("b"), 2)), version(3, created(widget("c"), 3))]
    with pytest.raises(NeedsHuman):
        ledger.record(batch)
    client.command("RENAME TABLE elsewhere TO config_versions")
    assert client.command("SELECT count() FROM widget_config FINAL") == 3
    assert sha(2) not in ledger.recorded_commits([sha(2)])
    assert [row["name"] for row in state_at(ledger, WIDGET, 9)] == ["a"]

    ledger.record(batch)
    assert sha(3) in ledger.recorded_commits([sha(3)])
    assert client.command("SELECT count() FROM widget_config FINAL") == 3
    assert client.command("SELECT count() FROM config_versions FINAL") == 3


def test_readers_see_no_duplicates_before_the_engine_merges_them(histories: Histories) -> None:
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    client = outside(histories)
    for table in ("config_versions", "widget_config"):
        client.command(f"SYSTEM STOP MERGES {table}")
    for _ in range(3):
        ledger.record([version(1, created(widget("a"), 1))])
    assert client.command("SELECT count() FROM config_versions") == 1
    assert len(ledger.versions(limit=9)) == 1
    assert len(state_at(ledger, WIDGET, 1)) == 1


def test_a_write_that_arrives_late_changes_nothing(histories: Histories) -> None:
    """A request that timed out may be executed all the same, after the ledger has gone on."""
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    ledger.record([version(1)])
    client = outside(histories)
    client.command("CREATE TABLE late ENGINE = Memory AS SELECT * FROM config_versions")
    ledger.orphan([sha(1)])
    client.command("INSERT INTO config_versions SELECT * FROM late")
    assert sha(1) not in ledger.recorded_commits([sha(1)])


def test_half_a_character_does_not_stop_the_history(histories: Histories) -> None:
    """A path that is not UTF-8 reaches Python with lone surrogates, which ClickHouse could not store."""
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    ledger.record([version(1, created(widget("a", path="caf\udce9.yaml"), 1))])
    (row,) = state_at(ledger, WIDGET, 1)
    assert str(row["path"]).replace("\N{REPLACEMENT CHARACTER}", "") == "caf.yaml"


def test_another_key_column_needs_a_human(histories: Histories) -> None:
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    moved = make_kind("Gadget", (Column("other_id", SqlType.UUID), *GADGET.columns))
    ledger.prepare(Kinds((moved,)))  # nothing was recorded, so nothing is lost
    ledger.prepare(KINDS)
    ledger.record([version(1, created(gadget("g"), 1))])
    with pytest.raises(NeedsHuman, match="kind Gadget: the key of its history table gadget_config is not other_id"):
        ledger.prepare(Kinds((moved,)))


def test_a_newer_format_is_not_touched(histories: Histories) -> None:
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    ledger.record([version(1)])
    client = outside(histories)
    (mark,) = client.query("SELECT comment FROM system.tables WHERE name = 'config_versions'").first_row
    assert mark == "reconciler history, format 2"
    client.command("ALTER TABLE config_versions MODIFY COMMENT 'reconciler history, format 3'")
    before = client.query("SELECT name, comment FROM system.tables").result_rows
    with pytest.raises(NeedsHuman, match="has format 3, this version of reconciler reads format 2") as caught:
        ledger.prepare(KINDS)
    assert "update reconciler" in caught.value.hint
    for ask in (lambda one: one.versions(limit=1), lambda one: one.events(limit=1), lambda one: one.recorded_commits()):
        with pytest.raises(NeedsHuman, match="format 3"):
            ask(histories.open_clickhouse())
    assert client.query("SELECT name, comment FROM system.tables").result_rows == before


@pytest.mark.parametrize("comment", ["", "reconciler history, format 1", "somebody's own words"])
def test_a_history_without_a_mark_is_of_the_first_format(histories: Histories, comment: str) -> None:
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    ledger.record([version(1)])
    outside(histories).command(f"ALTER TABLE config_versions MODIFY COMMENT '{comment.replace(chr(39), chr(39) * 2)}'")
    again = histories.open_clickhouse()
    again.prepare(KINDS)
    assert sha(1) in again.recorded_commits([sha(1)])


def test_a_version_that_is_recorded_is_not_written_again(histories: Histories) -> None:
    ledgers = [histories.open_clickhouse(store=host) for host in (uid(1), uid(2))]
    for ledger in ledgers:
        ledger.prepare(KINDS)
        ledger.record([version(1, created(widget("a"), 1))])
    assert outside(histories).command("SELECT count() FROM config_versions") == 1


def test_rows_of_the_first_format_count_by_their_generation(histories: Histories) -> None:
    """A history as the last release left it: each change of a version was a row with a higher generation."""
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    ledger.record([version(1, created(widget("a"), 1)), version(2, created(widget("b"), 2))])
    client = outside(histories)
    client.command("DROP TABLE version_states")
    client.command("ALTER TABLE config_versions MODIFY COMMENT 'reconciler history, format 1'")
    client.command(
        "INSERT INTO config_versions SELECT * REPLACE (true AS orphaned, 7 AS generation) FROM config_versions "
        f"WHERE commit_sha = '{sha(2)}'"
    )
    old = histories.open_clickhouse(store=uid(1))
    assert old.recorded_commits() == {sha(1): True}
    assert [row["name"] for row in state_at(old, WIDGET, 9)] == ["a"]
    old.prepare(KINDS)
    assert old.recorded_commits() == {sha(1): True}
    old.record([version(2, created(widget("b"), 2))])
    assert old.recorded_commits() == {sha(1): True, sha(2): True}
    (mark,) = client.query("SELECT comment FROM system.tables WHERE name = 'config_versions'").first_row
    assert mark == VERSIONS.comment
