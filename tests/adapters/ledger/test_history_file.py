"""The history in a file of DuckDB's: whose it is, who has it, what is wrong with it, and queries on it."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.dialect import translate
from reconciler.adapters.duckdb.ledger import DuckDBLedger, open_ledger, probe
from reconciler.adapters.sandbox import child
from reconciler.adapters.sandbox.database import Database
from reconciler.adapters.sandbox.protocol import QueryRequest
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, UsageError
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.ledger.connection import DUCKDB_FILE, RecordedBranch
from reconciler.model.host import HostEvent
from reconciler.model.rows import QueryLimits
from reconciler.tables.clickhouse import ColumnChange
from tests.adapters.ledger.versions import created, sha, updated, version
from tests.adapters.store.test_query import REFUSED
from tests.support.disks import tiny_disk
from tests.support.history import state_at
from tests.support.kinds import GADGET, KINDS, START, WIDGET, FixedClock, gadget, make_kind, uid, widget
from tests.support.laws import examples

HOLD = "import sys, duckdb; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def opened(folder: Path, repository: str = "origin") -> DuckDBLedger:
    return open_ledger(folder, RecordedBranch(repository, "main"), FixedClock())


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A history with rows of two repositories."""
    with opened(tmp_path, "elsewhere") as other:
        other.prepare(KINDS)
        other.record([version(1, created(widget("theirs", widget_id=uid(9)), 1))])
    with opened(tmp_path) as ledger:
        ledger.prepare(KINDS)
        first, then = (widget("a", widget_id=uid(1), ratio=ratio) for ratio in (0.1, 0.25))
        ledger.record([version(1, created(first, 1)), version(2, updated(then, 1, 2))])
        event = HostEvent(1, START, "applied", sha(1), "0" * 64, 1.5, {"rows": 1}, str(uid(7)))
        ledger.record_events("desk", [event])
    return tmp_path


def test_the_file_outlives_its_process_and_is_its_owners_alone(filled: Path) -> None:
    with opened(filled) as ledger:
        assert ledger.recorded_commits() == {sha(1): True, sha(2): True}
    assert [file.name for file in filled.iterdir()] == [DUCKDB_FILE]
    if sys.platform != "win32":
        assert stat.S_IMODE((filled / DUCKDB_FILE).stat().st_mode) == 0o600


def test_two_ledgers_of_one_process_share_the_file(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as other:
        one.prepare(KINDS)
        one.record([version(1)])
        assert sha(1) in other.recorded_commits([sha(1)])


def test_the_engine_tells_its_version(filled: Path) -> None:
    answer = probe(filled)
    assert answer.version == f"DuckDB {duckdb.__version__}"
    assert answer.place == f"the history in {filled / DUCKDB_FILE}"


@pytest.mark.slow
def test_a_file_that_another_process_has_is_for_later(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / DUCKDB_FILE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RetryLater, match=f"the history in .* is in use by process {process.pid}"):
            opened(tmp_path)
        process.stdin.close()
    with opened(tmp_path) as ledger:
        assert ledger.recorded_commits() == {}


@pytest.mark.parametrize("content", [b"no DuckDB file, and longer than its header is" * 400, b"short"])
def test_a_damaged_file_needs_a_human_and_stays(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DUCKDB_FILE).write_bytes(content)
    with pytest.raises(NeedsHuman, match="the history in ") as caught:
        opened(tmp_path)
    assert caught.value.hint
    assert (tmp_path / DUCKDB_FILE).read_bytes() == content


def use_all(folder: Path) -> None:
    with opened(folder) as ledger:
        ledger.prepare(KINDS)
        ledger.recorded_commits()
        ledger.versions(limit=10)
        ledger.row_counts(KINDS, [sha(1), sha(2)])
        ledger.events(limit=10)
        ledger.query("SELECT * FROM widget_config", QueryLimits())
        ledger.record([version(9)])


@pytest.mark.slow
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_happened_to_the_bytes_each_question_ends_in_words(filled: Path, data: st.DataObject) -> None:
    content = bytearray((filled / DUCKDB_FILE).read_bytes())
    at, length = data.draw(st.integers(0, len(content) - 1)), data.draw(st.sampled_from((1, 64, 9_000)))
    how = data.draw(st.sampled_from(("cut", "flip", "zero")))
    if how == "cut":
        del content[at:]
    for place in range(at, min(at + length, len(content))):
        content[place] = content[place] ^ 129 if how == "flip" else 0
    with TemporaryDirectory() as folder:
        (Path(folder) / DUCKDB_FILE).write_bytes(content)
        try:
            use_all(Path(folder))
        except ReconcilerError as error:
            said = f"{error} {error.hint}"
        else:
            said = "keep"
    assert ("keep" in said, "delete" in said) == (True, False), said


@pytest.mark.slow
def test_a_disk_that_refuses_is_no_damage(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 40_000) as disk:
        use_all(disk.folder)
        disk.protect()
        with pytest.raises(NeedsHuman, match="its disk is read-only"):
            use_all(disk.folder)
        disk.release()
        disk.fill()
        with pytest.raises(RetryLater, match="the disk is full"):
            record_much(disk.folder)
        disk.empty()
        use_all(disk.folder)


def record_much(folder: Path) -> None:
    with opened(folder) as ledger:
        for start in range(100, 50_000, 500):
            ledger.record([version(number) for number in range(start, start + 500)])


def test_a_folder_that_cannot_be_made_needs_a_human(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(NeedsHuman, match="cannot be made"):
        opened(tmp_path / "state")


def test_a_newer_format_is_not_touched(filled: Path) -> None:
    with duckdb.connect(str(filled / DUCKDB_FILE)) as outside:
        outside.execute("COMMENT ON TABLE config_versions IS 'reconciler history, format 99'")
    before = (filled / DUCKDB_FILE).read_bytes()
    with pytest.raises(NeedsHuman, match="has format 99, this version of reconciler"):
        opened(filled)
    assert (filled / DUCKDB_FILE).read_bytes() == before


def test_half_a_character_does_not_stop_the_history(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.prepare(KINDS)
        ledger.record([version(1, created(widget("a", path="caf\udce9.yaml"), 1))])
        (row,) = state_at(ledger, WIDGET, 1)
        assert str(row["path"]).replace("\N{REPLACEMENT CHARACTER}", "") == "caf.yaml"


def test_another_key_column_needs_a_human(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.prepare(KINDS)
        moved = make_kind("Gadget", (Column("other_id", SqlType.UUID), *GADGET.columns))
        ledger.prepare(Kinds((moved,)))  # nothing was recorded, so nothing is lost
        ledger.prepare(KINDS)
        ledger.record([version(1, created(gadget("g"), 1))])
        with pytest.raises(NeedsHuman, match="kind Gadget: the key of its history table gadget_config is not other_id"):
            ledger.prepare(Kinds((moved,)))


def test_rows_from_before_a_column_have_what_clickhouse_would_give_them(filled: Path) -> None:
    types = ("String", "UInt64", "Bool", "UUID", "DateTime64(6, 'UTC')", "Array(String)", "Float64", "Nullable(Int64)")
    with opened(filled) as ledger:
        connection = ledger._connection
        for number, type_ in enumerate(types):
            connection.alter("host_events", ColumnChange(f"new{number}", type_, is_new=True))
        names = ", ".join(f"new{number}" for number in range(len(types)))
        (row,) = connection.ask(f"SELECT {names} FROM {{database:Identifier}}.host_events")
        assert row == ("", 0, False, UUID(int=0), datetime(1970, 1, 1), [], 0.0, None)  # noqa: DTZ001
        assert ledger.events(limit=9)


def test_what_fails_half_way_is_not_written(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.prepare(KINDS)
        good, bad = created(widget("a"), 1), created(widget("b", weight="heavy"), 1)
        with pytest.raises(NeedsHuman):
            ledger.record([version(1, good, bad)])
        assert ledger.recorded_commits() == {}
        ledger.record([version(1, good)])
        assert [row["name"] for row in state_at(ledger, WIDGET, 1)] == ["a"]


def test_what_a_statement_says_in_other_words() -> None:
    statement = "SELECT `a``b` FROM {t:Identifier} AS x FINAL WHERE y IN {z:Array(String)} AND n = {n:UInt32}"
    text, bound = translate(statement.replace("``", "\\`"), {"t": 'o"dd', "z": ["1"], "n": 2, "unused": 3})
    assert " ".join(text.split()) == (
        'SELECT "a`b" FROM "o""dd" AS x WHERE y IN (SELECT unnest(CAST($z AS VARCHAR[]))) AND n = CAST($n AS UINTEGER)'
    )
    assert bound == {"z": ["1"], "n": 2}


def test_a_query_sees_our_rows_once(filled: Path) -> None:
    with opened(filled) as ledger:
        sql = """
            SELECT op, w.height, name, ratio, parents, author_name, host FROM widget_config AS w
            JOIN config_versions AS v USING (commit_sha) LEFT JOIN host_events AS e USING (commit_sha) ORDER BY w.height
        """
        assert ledger.query(sql, QueryLimits()).rows == (
            ("create", 1, "a", 0.1, [], "Ann", "desk"),
            ("update", 2, "a", 0.25, [sha(1)], "Ann", None),
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "why", "hint"),
    [
        ("SELECT * FROM widgets", "Table with name widgets does not exist", "versions, host_events"),
        ("SELECT v.height FROM versions AS v FINAL", "", "leave out FINAL"),
        ("DELETE FROM versions", "this is a statement of type DELETE", "one SELECT"),
        ("FROM read_text('/etc/hostname')", "Cannot access file", "versions, host_events"),
    ],
)
def test_why_a_query_is_not_run_is_told(filled: Path, sql: str, why: str, hint: str) -> None:
    with opened(filled) as ledger:
        with pytest.raises(UsageError, match=f"^the query (cannot be|was not) run: .*{why}") as caught:
            ledger.query(sql, QueryLimits())
        assert hint in caught.value.hint
        assert ledger.versions(limit=9)


def test_nothing_of_this_is_run(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("secrets") / "secret.csv"
    secret.write_text("x\n", encoding="utf-8")
    inside = Database()  # what the process has, without waiting for one each time
    with opened(filled) as ledger:
        for fill in ledger._copy(ledger.offered(), "versions widget_config"):
            assert child.fill_table(inside.connection, fill) == {}
    for sql in REFUSED:
        asked = sql.replace("live", "versions").replace("{file}", str(secret))
        seen = child.run_query(inside.connection, QueryRequest(asked, 10, 10, 1_000))
        assert seen.keys() & {"error", "refused"}, f"{asked} found {seen}"
    assert [tuple(row) for row in child.run_query(inside.connection, COUNT)["rows"]] == [(2,)]
    assert list(secret.parent.iterdir()) == [secret]
    inside.connection.close()


COUNT = QueryRequest("SELECT count(*) FROM versions", 10, 10, 1_000)


def test_before_anything_is_recorded(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger, pytest.raises(UsageError, match="the history is empty"):
        ledger.query("SELECT 1", QueryLimits())
