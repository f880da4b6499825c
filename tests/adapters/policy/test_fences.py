"""Policies read two states and do nothing else. Each wall is tried by itself: what is refused before it runs, what
DuckDB refuses, and what the system does."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psutil
import pytest

from reconciler.adapters.sandbox import engine, runner
from reconciler.adapters.sandbox.database import Database
from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.adapters.sandbox.process import Process
from reconciler.adapters.sandbox.protocol import Batch, PolicyRequest
from reconciler.adapters.sandbox.screen import AGE, REFUSED_FUNCTIONS, TABLE_FUNCTIONS
from reconciler.errors import RetryLater
from tests.adapters.policy.conftest import policy
from tests.support.kinds import KINDS, row, widget
from tests.support.patience import DEADLINE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.problem import Verdict

    Run = Callable[..., Verdict]

SECRET = "the-contents-of-a-file"
ROWS = [row(widget("one"), 1)]
COUNT = "SELECT count(*)::VARCHAR AS message FROM desired.widget_config"


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A folder with one file; whatever is tried, it stays as it is."""
    folder = tmp_path / "canary"
    folder.mkdir()
    (folder / "x.csv").write_text(f"message\n{SECRET}\n", encoding="utf-8")
    yield folder
    assert [one.name for one in folder.iterdir()] == ["x.csv"]
    assert (folder / "x.csv").read_text(encoding="utf-8") == f"message\n{SECRET}\n"


READING = """
SELECT content AS message FROM read_text('{file}')
SELECT content::VARCHAR AS message FROM read_blob('{file}')
SELECT message FROM read_csv('{file}')
SELECT message FROM read_csv_auto('{file}')
SELECT message FROM '{file}'
SELECT * FROM read_json('{file}')
SELECT * FROM read_parquet('{file}')
SELECT * FROM parquet_metadata('{file}')
SELECT Columns::VARCHAR AS message FROM sniff_csv('{file}')
SELECT file AS message FROM glob('{folder}/*')
SELECT name AS message FROM duckdb_secrets()
SELECT message FROM query('FROM ''{file}''')
SELECT message FROM query_table('{file}')
SELECT message FROM query_table(['{file}'])
SELECT message FROM json_execute_serialized_sql(json_serialize_sql('FROM ''{file}'''))
SELECT (SELECT message FROM '{file}') AS message
WITH x AS (FROM read_csv('{file}')) SELECT message FROM x
SELECT message FROM (FROM read_csv('{file}')) UNION ALL SELECT 'x'
""".strip().splitlines()

DOING = """
COPY (SELECT 1) TO '{folder}/out.csv'
COPY desired.widget_config FROM '{file}'
EXPORT DATABASE '{folder}/out'
IMPORT DATABASE '{folder}'
ATTACH '{folder}/out.db'
ATTACH ':memory:' AS other
DETACH memory
USE desired
INSTALL httpfs
LOAD httpfs
SET memory_limit = '8GB'
SET enable_external_access = true
RESET memory_limit
SET VARIABLE x = 1
PRAGMA threads=8
PRAGMA database_list
CALL pragma_version()
CHECKPOINT
VACUUM
ANALYZE
BEGIN
COMMIT
CREATE TABLE x AS SELECT 1
CREATE TEMP TABLE x AS SELECT 1
CREATE SEQUENCE x
CREATE MACRO x() AS 1
CREATE SECRET (TYPE s3)
INSERT INTO desired.widget_config (name) VALUES ('x')
UPDATE desired.widget_config SET name = 'x'
DELETE FROM desired.widget_config
TRUNCATE desired.widget_config
DROP TABLE desired.widget_config
ALTER TABLE desired.widget_config DROP COLUMN name
PREPARE x AS SELECT 1
EXECUTE x
DEALLOCATE x
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT 1
PIVOT desired.widget_config ON name USING count(*)
SELECT 'x' AS message; DELETE FROM desired.widget_config
SELECT 1 INTO x
WITH gone AS (DELETE FROM desired.widget_config RETURNING name) SELECT name AS message FROM gone
WITH more AS (INSERT INTO desired.widget_config (name) VALUES ('x') RETURNING name) SELECT name AS message FROM more
WITH set AS (UPDATE desired.widget_config SET name = 'x' RETURNING name) SELECT name AS message FROM set
SELECT * FROM enable_logging()
SELECT * FROM force_checkpoint()
SELECT write_log('x') AS message
SELECT setseed(0.5) AS message
SELECT nextval('x') AS message
SELECT getvariable('x') AS message
SELECT 'x' AS message FROM test_all_types()
DESCRIBE desired.widget_config
SHOW TABLES
SUMMARIZE desired.widget_config
VALUES (1)
""".strip().splitlines()


@pytest.mark.parametrize("sql", [*READING, *DOING])
def test_nothing_is_read_and_nothing_done(run: Run, canary: Path, sql: str) -> None:
    verdict = run(sql.format(file=canary / "x.csv", folder=canary), (), ROWS)
    assert verdict.fault is not None
    assert verdict.violations == ()
    assert SECRET not in verdict.fault.message + verdict.fault.hint
    after = run(COUNT, (), ROWS)
    assert [one.message for one in after.violations] == ["1"]


def test_one_policy_leaves_nothing_to_the_next(sandbox: Sandbox) -> None:
    tried = [policy(sql.format(file="x", folder="x")) for sql in DOING]
    verdicts = sandbox.run([*tried, policy(COUNT)], KINDS, (), ROWS)
    assert [one.message for one in verdicts[-1].violations] == ["1"]


@pytest.mark.parametrize("sql", READING)
def test_duckdb_itself_would_not_read(sql: str, canary: Path) -> None:
    asked = sql.format(file=canary / "x.csv", folder=canary)
    with closing(Database().connection) as connection:
        assert not any(word in _told(connection, asked) for word in (SECRET, "x.csv'"))


def test_without_its_fences_it_would(canary: Path) -> None:
    with duckdb.connect() as connection:
        told = [_told(connection, sql.format(file=canary / "x.csv", folder=canary)) for sql in READING]
    assert sum(SECRET in one for one in told) > len(READING) / 2


def test_duckdb_itself_would_not_change_a_row() -> None:
    gone = "WITH gone AS (DELETE FROM kept RETURNING i) SELECT i::VARCHAR, '', '', '', 'error' FROM gone"
    with closing(Database().connection) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS i")
        with closing(connection.cursor()) as cursor, pytest.raises(duckdb.Error, match="read-only"):
            runner._rows(cursor, gone, runner._bad_row)
        assert connection.execute("FROM kept").fetchall() == [(1,)]


def _told(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    try:
        return str(connection.execute(sql).fetchall())
    except duckdb.Error as error:
        return str(error)


@pytest.mark.parametrize(
    "sql", [one for one in DOING if one.startswith(("COPY (", "EXPORT", "IMPORT", "INSTALL", "LOAD", "SET m", "SET e"))]
)
def test_duckdb_itself_would_not_write(sql: str, canary: Path) -> None:
    with closing(Database().connection) as connection, pytest.raises(duckdb.Error, match=r"disabled|locked"):
        connection.execute(sql.format(file=canary / "x.csv", folder=canary)).fetchall()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_the_system_would_not_let_it_either(canary: Path) -> None:
    code = """
import os
import signal
import sys
from reconciler.adapters.sandbox import child
child.limit_memory()
held = open(sys.argv[1], "a")
child.close_doors()
def tried(what):
    try:
        return f"done: {what()}"
    except (OSError, MemoryError) as error:
        return type(error).__name__
def write():
    held.write("x" * 100)
    held.flush()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
print(tried(lambda: open(sys.argv[1]).read()), tried(write), tried(lambda: len(bytearray(3 << 30))))
sys.stdout.flush()
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(canary / "x.csv")], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == ["OSError", "OSError", "MemoryError"]


@pytest.mark.parametrize("name", sorted(REFUSED_FUNCTIONS))
def test_time_chance_and_the_machine_are_not_asked(run: Run, name: str) -> None:
    bare = name.startswith(("current_date", "current_timestamp", "local"))
    arguments = {"setseed": "0.5", "sleep_ms": "1", "pg_sleep": "0.001"}.get(name, "")
    sql = f"SELECT 'x' AS message\nFROM desired.widget_config WHERE {name if bare else f'{name}({arguments})'} IS NULL"
    fault = run(sql).fault
    assert fault is not None
    assert fault.message.startswith(f"{name} {REFUSED_FUNCTIONS[name]}")
    assert (fault.line, fault.column) == (2, 34)


def test_the_age_of_a_row_is_the_time_but_not_the_age_between_two() -> None:
    with Sandbox() as engine:
        now, between = engine.run(
            [
                policy(f"SELECT 'x' AS message FROM desired.widget_config WHERE {AGE}(created_at) > INTERVAL 1 YEAR"),
                policy(f"SELECT {AGE}(updated_at, created_at)::VARCHAR AS message FROM desired.widget_config"),
            ],
            KINDS,
            (),
            ROWS,
        )
    assert now.fault is not None
    assert between.fault is None


def test_a_column_may_have_the_name_of_such_a_function(run: Run) -> None:
    sql = "WITH x AS (SELECT 'x' AS version, 1 AS random) SELECT version AS message FROM x WHERE random = 1"
    assert [one.message for one in run(sql).violations] == ["x"]


def test_the_list_is_that_of_this_duckdb() -> None:
    """Another release may bring a function that gives two answers to one question."""
    with duckdb.connect() as connection:
        query = """SELECT DISTINCT function_name FROM duckdb_functions()
            WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')"""
        unsteady = {name for (name,) in connection.execute(query).fetchall()}
    alike_everywhere = {"error", "current_database", "current_schema", "current_schemas", "in_search_path"}
    assert unsteady - alike_everywhere <= set(REFUSED_FUNCTIONS)


def test_what_may_stand_in_a_from_clause_runs(run: Run) -> None:
    sql = """SELECT concat_ws(' ', a.unnest, b.range, c.generate_series, d.key, e.key) AS message FROM unnest([1]) AS a,
        range(1) AS b, generate_series(0, 0) AS c, json_each('{"k": 1}') AS d, json_tree('{"t": 1}') AS e
        WHERE e.key IS NOT NULL"""
    assert [one.message for one in run(sql).violations] == ["1 0 0 k t"]
    assert len(TABLE_FUNCTIONS) == 5


ENDLESS = """
SELECT 'x' AS message FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range < -1
SELECT count(*)::VARCHAR AS message FROM range(100000000) a, range(100000000) b
WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT 'x' AS message FROM t
WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n FROM t) SELECT count(*)::VARCHAR AS message FROM t
SELECT 'x' AS message FROM range(1000000000) ORDER BY hash(range)
SELECT list(range)::VARCHAR AS message FROM range(1000000000)
SELECT string_agg(repeat('y', 1000), '') AS message FROM range(10000000)
SELECT repeat('x', 1000000000000) AS message
SELECT repeat('x', (3000000000 + range)::BIGINT) AS message FROM range(1000)
SELECT range(1000000000000)::VARCHAR AS message
SELECT list_sum(range(1000000000))::VARCHAR AS message
SELECT lpad('x', 2147483647, 'y') AS message
SELECT format('{:>2000000000}', 'x') AS message
SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))::VARCHAR AS message
SELECT bitstring('1', 2000000000)::VARCHAR AS message
""".strip().splitlines()


OTHER_ENDLESS = [sql for number, sql in enumerate(ENDLESS) if number % 4]


@pytest.fixture(scope="module")
def hasty() -> Iterator[Sandbox]:
    with Sandbox(seconds=0.2) as engine:
        yield engine


@pytest.mark.parametrize("sql", [*ENDLESS[::4], *(pytest.param(sql, marks=pytest.mark.slow) for sql in OTHER_ENDLESS)])
def test_what_has_no_end_is_ended(hasty: Sandbox, sql: str) -> None:
    endless, after = hasty.run([policy(sql), policy(COUNT)], KINDS, (), ROWS)
    assert endless.fault is not None
    assert [one.message for one in after.violations] == ["1"]


@pytest.mark.slow
def test_a_policy_has_two_seconds() -> None:
    with Sandbox() as engine:
        (verdict,) = engine.run([policy(ENDLESS[3])], KINDS, (), ())
    assert verdict.fault is not None
    assert "took more than 2 seconds of CPU time" in verdict.fault.message


@pytest.mark.slow
def test_all_of_them_together_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(seconds=0.3) as engine:
        engine.run([policy(COUNT)], KINDS, (), ())
        monkeypatch.setattr("reconciler.adapters.sandbox.engine.SECONDS_FOR_ALL", 0.5)
        verdicts = engine.run([policy(ENDLESS[3])] * 6, KINDS, (), ())
    assert "took more than" in str(verdicts[0].fault)
    assert "was not run" in str(verdicts[-1].fault)


@pytest.mark.slow
def test_nothing_is_left_running(canary: Path) -> None:
    with Sandbox(seconds=0.2) as engine:
        engine.run([policy(ENDLESS[11]), policy(COUNT)], KINDS, (), ROWS)
        assert engine._process is not None
        process = engine._process._process
    assert process.returncode is not None
    assert [one.name for one in threading.enumerate() if one.name.startswith("policy")] == []


@pytest.mark.slow
def test_it_ends_itself_when_nobody_is_left_to_end_it() -> None:
    started = Process()
    started.hold(engine.build_load((), KINDS, ()))
    inside = started._process
    assert inside.stdin is not None
    inside.stdin.write(pickle.dumps(PolicyRequest(ENDLESS[11], 0.2)))
    inside.stdin.flush()
    assert inside.wait(DEADLINE) == 1
    started.close()


def test_the_process_knows_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_HISTORY_URL", f"clickhouse://trader:{SECRET}@db")
    with Sandbox() as engine:
        engine.run([policy(COUNT)], KINDS, (), ())
        assert engine._process is not None
        if sys.platform == "linux":
            environment = Path(f"/proc/{engine._process._process.pid}/environ").read_bytes()
            assert SECRET.encode() not in environment
            assert b"PYTHONPATH=" in environment


def test_modules_of_the_working_directory_are_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("duckdb.py", "json.py", "reconciler.py"):
        (tmp_path / name).write_text("raise SystemExit('taken over')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with Sandbox() as engine:
        assert engine.run([policy(COUNT)], KINDS, (), ())[0].fault is None


@pytest.mark.slow
def test_a_process_that_was_killed_is_replaced(sandbox: Sandbox) -> None:
    sandbox.run([policy(COUNT)], KINDS, (), ())
    assert sandbox._process is not None
    sandbox._process._process.kill()
    sandbox._process._process.wait()
    (after,) = sandbox.run([policy(COUNT)], KINDS, (), ROWS)
    assert [one.message for one in after.violations] == ["1"]


LONG = "SELECT count(*)::VARCHAR AS message FROM range(400000000) WHERE hash(range) > 0"
"""About a second of CPU time."""
signals = pytest.mark.skipif(sys.platform == "win32", reason="processes are stopped and killed by signals")


def process_of(engine: Sandbox) -> psutil.Process:
    assert engine._process is not None
    return psutil.Process(engine._process._process.pid)


def cpu_seconds(process: psutil.Process) -> float:
    return process.cpu_times().user


@pytest.mark.slow
@signals
def test_a_process_that_gets_no_cpu_time_has_not_taken_any() -> None:
    with Sandbox(seconds=3) as engine, ThreadPoolExecutor() as other:
        engine.run([policy(COUNT)], KINDS, (), ())
        process = process_of(engine)
        before = cpu_seconds(process)
        judged = other.submit(engine.run, [policy(LONG)], KINDS, (), ())
        until(lambda: cpu_seconds(process) > before + 0.1)
        process.suspend()
        assert not wait([judged], timeout=5).done
        process.resume()
        (verdict,) = judged.result(DEADLINE)
        assert (verdict.fault, len(verdict.violations)) == (None, 1)
        assert process_of(engine) == process


@signals
def test_a_process_that_never_gets_cpu_time_is_the_machines_fault() -> None:
    with closing(Process()) as process:
        process.hold(engine.build_load((), KINDS, ()))
        psutil.Process(process._process.pid).suspend()
        with pytest.raises(RetryLater, match="too little CPU time"):
            list(process.ask(Batch((PolicyRequest(COUNT),), 20), 0.3))


@pytest.mark.slow
@signals
def test_after_it_was_given_up_another_process_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(seconds=15) as engine:
        engine.run([policy(COUNT)], KINDS, (), ())
        process_of(engine).suspend()
        with monkeypatch.context() as hurried:
            hurried.setattr("reconciler.adapters.sandbox.process.LOAD_SECONDS", 0.3)
            with pytest.raises(RetryLater, match="too little CPU time"):
                engine.run([policy(COUNT)], KINDS, (), ())
        assert engine.run([policy(COUNT)], KINDS, (), ())[0].fault is None


@pytest.mark.slow
@signals
def test_a_policy_whose_process_is_killed_has_a_second_try() -> None:
    with Sandbox(seconds=15) as engine, ThreadPoolExecutor() as other:
        engine.run([policy(COUNT)], KINDS, (), ())
        process = process_of(engine)
        before = cpu_seconds(process)
        judged = other.submit(engine.run, [policy(LONG)], KINDS, (), ())
        until(lambda: cpu_seconds(process) > before + 0.1)
        process.kill()
        (verdict,) = judged.result(DEADLINE)
        assert (verdict.fault, len(verdict.violations)) == (None, 1)
        assert process_of(engine) != process


@pytest.mark.slow
@signals
def test_a_process_that_is_killed_twice_is_the_machines_fault() -> None:
    with Sandbox(seconds=60) as engine, ThreadPoolExecutor() as other:
        engine.run([policy(COUNT)], KINDS, (), ())
        first = process_of(engine)
        judged = other.submit(engine.run, [policy(ENDLESS[3])], KINDS, (), ())
        until(lambda: cpu_seconds(first) > 2)  # starting and loading takes a quarter of it
        first.kill()
        until(lambda: (present := engine._process) is not None and present._process.pid != first.pid)
        second = process_of(engine)
        until(lambda: cpu_seconds(second) > 2)
        second.kill()
        with pytest.raises(RetryLater, match=r"killed twice, while it ran policies/rule\.sql"):
            judged.result(DEADLINE)


LARGE = [
    "repeat('x', 20000000)",
    "repeat(chr(27), 2000)",
    "repeat('ü', 5000)",
    "concat('a', chr(0), 'b', chr(10), 'c')",
]


@pytest.mark.parametrize("text", LARGE)
def test_a_message_is_short_and_on_one_line(run: Run, text: str) -> None:
    (violation,) = run(f"SELECT {text} AS message, {text} AS name, {text} AS kind, {text} AS field").violations
    for said in (violation.message, violation.name, violation.kind, violation.field):
        assert 0 < len(said) <= 1000
        assert said.isprintable()
