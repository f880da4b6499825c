"""Somebody's own queries on the history: what they see, and what they may not ask for, on both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import RetryLater, UsageError
from reconciler.model.host import HostEvent
from reconciler.model.rows import CutBy, QueryLimits
from tests.adapters.ledger.versions import aside, created, sha, updated, version
from tests.support.cases import some
from tests.support.history import state_at
from tests.support.kinds import GADGET, KINDS, START, WIDGET, gadget, uid, widget
from tests.support.patience import NEVER

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from tests.adapters.ledger.conftest import Histories
    from tests.support.fronts import RunningFront

pytestmark = pytest.mark.parametrize("histories", some(["chdb", "http", "cluster"], 1), indirect=True)

HOSTILE = ("<script>", "' OR 1=1 --", "\N{RIGHT-TO-LEFT OVERRIDE}evil", "\x1b[31mred", "x" * 10_240, "back\\slash")
REFUSED = (
    "DROP TABLE versions",
    "INSERT INTO versions SELECT * FROM versions",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "ALTER TABLE versions DELETE WHERE 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE config_versions",
    "SYSTEM SHUTDOWN",
    "SET readonly = 0",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "",
    "-- nothing",
    "SELECT 1 INTO OUTFILE '{file}.out'",
    "SELECT 1) INTO OUTFILE '{file}.out' --",
    "SELECT 1 FORMAT CSV",
    "SELECT 1) UNION ALL (SELECT 2",
    "SELECT * FROM file('{file}', 'CSV', 'a String')",
    "SELECT * FROM file('{file}')",
    "SELECT file('{file}')",
    "SELECT FILE('{file}')",
    "SELECT (SELECT a FROM file('{file}', 'CSV', 'a String'))",
    "SELECT 'x' IN file('{file}', 'CSV', 'a String')",
    "WITH a AS (SELECT * FROM file('{file}')) SELECT * FROM a",
    "SELECT * FROM `{file}`",
    "SELECT 'x' IN `{file}`",
    "SELECT * FROM default.`{file}`",
    "SELECT * FROM filesystem('/etc')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')",
    "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV', 'a String')",
    "SELECT * FROM executable('x', 'CSV', 'a String')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('{file}', 'a')",
    "SELECT * FROM python('secrets')",
    "SELECT * FROM Python(secrets)",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM cluster('default', 'system', 'one')",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
    "SELECT * FROM (EXPLAIN AST SELECT 1)",
    "SELECT * FROM loop('system', 'one')",
    "SELECT * FROM dictionary('a')",
    "SELECT dictGet('a', 'b', 1)",
    "SELECT joinGet('system.one', 'dummy', 1)",
    "SELECT * FROM system.tables",
    "SELECT * FROM `system`.`query_log`",
    "SELECT * FROM information_schema.tables",
    "SELECT hasColumnInTable('127.0.0.1', 'system', 'one', 'dummy')",
    "SELECT sleep(3)",
    "SELECT sleepEachRow(3) FROM numbers(10)",
    "SELECT getServerSetting('user_files_path')",
    "SELECT aiGenerate('a')",
    "SELECT currentRequestURL()",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT * FROM (SELECT 1 SETTINGS readonly = 0)",
    "SELECT * FROM {repository:Identifier}",
    "SELECT {branch:String}",
    "SELECT file('{file}') AS `a\n Literal 1`",
    "SELECT 1 AS `x (children 1)\n Literal`, file('{file}')",
    "SELECT * FROM (SELECT 1) AS `x\n`, file('{file}', 'CSV', 'a String') AS `y\n TableExpression\n Function numbers`",
)


@pytest.fixture
def ledger(histories: Histories) -> ClickHouseLedger:
    other = histories.open_clickhouse("elsewhere")
    other.prepare(KINDS)
    other.record([version(1, created(widget("theirs", widget_id=uid(9)), 1))])
    ledger = histories.open_clickhouse()
    ledger.prepare(KINDS)
    first = widget("a", widget_id=uid(1), ratio=0.1, weight=30.0)
    then = widget("a", widget_id=uid(1), ratio=0.25, weight=30.0)
    versions = [version(1, created(first, 1)), version(2, updated(then, 1, 2)), aside(3, 2, 1)]
    ledger.record(versions)
    ledger.record(versions)
    return ledger


def test_each_row_is_there_once_and_is_ours(ledger: ClickHouseLedger) -> None:
    found = ledger.query("SELECT op, height, name, ratio, weight FROM widget_config ORDER BY height;", QueryLimits())
    assert found.rows == (("create", 1, "a", 0.1, 30), ("update", 2, "a", 0.25, 30))
    assert [name for name, _ in found.columns] == ["op", "height", "name", "ratio", "weight"]
    for table in ("versions", "config_versions"):
        assert ledger.query(f"SELECT count() FROM {table}", QueryLimits()).rows == ((3,),)


def test_what_left_the_branch_does_not_count(ledger: ClickHouseLedger) -> None:
    ledger.orphan([sha(2)])
    assert ledger.query("SELECT height FROM widget_config", QueryLimits()).rows == ((1,),)
    assert ledger.query("SELECT height FROM versions WHERE orphaned", QueryLimits()).rows == ((2,),)


def test_tables_are_joined_and_named_as_one_likes(ledger: ClickHouseLedger) -> None:
    sql = """
        WITH mine AS (SELECT * FROM widget_config) -- a comment; with a semicolon
        SELECT v.author_name AS author, count(), max(mine.ratio), toDate(min(v.author_time)) AS day
        FROM mine JOIN versions AS v USING (commit_sha) WHERE v.height IN (SELECT number FROM numbers(10))
        GROUP BY v.author_name HAVING day > '2000-01-01' AND author LIKE '%n%' ORDER BY ALL LIMIT 5
    """
    ((author, count, highest, day),) = ledger.query(sql, QueryLimits()).rows
    assert (author, count, highest, day) == ("Ann", 2, 0.25, "2026-01-05")


def test_a_table_whose_columns_have_the_names_of_the_historys(ledger: ClickHouseLedger) -> None:
    one = gadget("g", gadget_id=uid(5), path="C:/MT5")  # where it is declared
    ledger.record([version(4, created(one, 4), height=3)])
    found = ledger.query("SELECT path, declared_path FROM gadget_config", QueryLimits())
    assert found.rows == ((one.values["path"], "C:/MT5"),)
    assert GADGET.table == "gadget_config"


def test_host_events(ledger: ClickHouseLedger) -> None:
    event = HostEvent(1, START, "applied", sha(1), "0" * 64, 1.5, {"rows": 1}, str(uid(7)))
    ledger.record_events("desk", [event])
    assert ledger.query("SELECT host, event FROM host_events", QueryLimits()).rows == (("desk", "applied"),)


def test_values_come_as_they_are(ledger: ClickHouseLedger) -> None:
    changes = [created(widget(str(n), widget_id=uid(20 + n), note=text), 5) for n, text in enumerate(HOSTILE)]
    ledger.record([version(5, *changes, height=4)])
    found = ledger.query("SELECT note FROM widget_config WHERE height = 4 ORDER BY name", QueryLimits())
    assert [note for (note,) in found.rows] == list(HOSTILE)


@pytest.mark.parametrize("part", some(range(3), 1))
def test_nothing_of_this_is_run(histories: Histories, ledger: ClickHouseLedger, tmp_path: Path, part: int) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("x\n", encoding="utf-8")
    for sql in REFUSED[part::3] if histories.url == "chdb" else REFUSED[part::18]:  # the front takes its time for each
        with pytest.raises(UsageError, match=r"^the query (was not|cannot be) run: "):
            pytest.fail(f"{sql} found {ledger.query(sql.replace('{file}', str(secret)), QueryLimits())}")
    assert not list(tmp_path.glob("secret.csv.*"))
    assert ledger.query("SELECT count() FROM versions", QueryLimits()).rows == ((3,),)


def test_more_rows_than_are_told(ledger: ClickHouseLedger) -> None:
    some = ledger.query("SELECT number FROM numbers(11) ORDER BY number DESC", QueryLimits(rows=10))
    assert (some.rows[0], len(some.rows), some.cut) == ((10,), 10, CutBy.ROWS)
    assert not ledger.query("SELECT number FROM numbers(10)", QueryLimits(rows=10)).cut


@pytest.mark.slow
def test_what_takes_too_long_is_stopped(ledger: ClickHouseLedger) -> None:
    with pytest.raises(UsageError, match="took more than 1 s and was stopped"):
        ledger.query("SELECT sum(number) FROM numbers(100000000000000)", QueryLimits(seconds=1))


@pytest.mark.slow
def test_what_takes_too_much_is_stopped(ledger: ClickHouseLedger) -> None:
    with pytest.raises(UsageError, match="memory"):
        ledger.query("SELECT groupArray(number) FROM numbers(1000000000)", QueryLimits(seconds=NEVER))


def test_an_error_is_told_with_its_place(ledger: ClickHouseLedger) -> None:
    with pytest.raises(UsageError, match=r"cannot be run: Syntax error: .*line 2, col 6"):
        ledger.query("SELECT 1\nFROM (versions", QueryLimits())
    with pytest.raises(UsageError, match="cannot be run: Unknown expression identifier `colour_`") as caught:
        ledger.query("SELECT colour_ FROM widget_config", QueryLimits())
    assert "config_versions" not in str(caught.value)
    with pytest.raises(UsageError, match="widgets") as caught:
        ledger.query("SELECT * FROM widgets", QueryLimits())
    assert "versions, host_events" in caught.value.hint


def test_before_anything_is_recorded(histories: Histories) -> None:
    with pytest.raises(UsageError, match="the history is empty"):
        histories.open_clickhouse().query("SELECT 1", QueryLimits())


def test_types_that_no_kind_has(ledger: ClickHouseLedger) -> None:
    sql = (
        "SELECT toUUID('6f4b1d9a-0000-4000-8000-000000000001'), toDecimal64('1.50', 2), nan, [1, 2], map('a', 1), NULL"
    )
    assert ledger.query(sql, QueryLimits()).rows == (
        ("6f4b1d9a-0000-4000-8000-000000000001", 1.5, "NaN", [1, 2], {"a": 1}, None),
    )


def test_the_ledger_goes_on_as_before(ledger: ClickHouseLedger) -> None:
    ledger.query("SELECT 1", QueryLimits())
    ledger.record([version(6, height=5)])
    assert ledger.version(sha(6)) is not None
    assert state_at(ledger, WIDGET, 9)


def test_a_server_that_is_in_trouble_is_not_the_querys_fault(
    histories: Histories, ledger: ClickHouseLedger, request: pytest.FixtureRequest
) -> None:
    if histories.url == "chdb":
        return  # it is no server
    front: RunningFront = request.getfixturevalue("front")
    front.fault("code-202", match="formatQuery", times=1)
    with pytest.raises(RetryLater):
        ledger.query("SELECT 1", QueryLimits())
