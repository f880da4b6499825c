"""Somebody's own queries on the live rows: they see copies, and whatever they do ends with their process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.duckdb.query import NO_FINAL, _hint, run_query
from reconciler.adapters.duckdb.rows import copy_for_query
from reconciler.adapters.sandbox import child
from reconciler.adapters.sandbox.database import Database
from reconciler.adapters.sandbox.protocol import QueryRequest
from reconciler.errors import UsageError
from reconciler.model.rows import CutBy, QueryLimits
from tests.support.patience import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.rows import QueryResult

HOSTILE = ("<script>", "' OR 1=1 --", "\N{RIGHT-TO-LEFT OVERRIDE}evil", "\x1b[31mred", "x" * 10_240, "a\x00b", "{}")
REFUSED = (
    "",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE live",
    "DELETE FROM live",
    "INSERT INTO live VALUES (1)",
    "UPDATE live SET size = 1",
    "CREATE TABLE t (a INT)",
    "WITH gone AS (DELETE FROM live RETURNING *) FROM gone",
    "COPY (SELECT 1) TO '{file}.out'",
    "COPY live TO '{file}.out'",
    "EXPORT DATABASE '{file}.out'",
    "ATTACH '{file}.out'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "PRAGMA version",
    "CALL pragma_version()",
    "CHECKPOINT",
    "FROM '{file}'",
    "FROM read_csv('{file}')",
    "FROM read_text('{file}')",
    "FROM read_blob('{file}')",
    "FROM glob('/etc/*')",
    "FROM query('DELETE FROM live')",
    "SELECT getenv('PATH')",
    "SELECT nothing FROM live",
    "SELECT sleep_ms(1)",
    "SELECT system.main.SLEEP_MS(1)",
    'SELECT "sleep_ms"/**/(1) FROM live',
    "SELECT pg_sleep(0.001)",
    "SELECT list_transform([1], lambda x: sleep_ms(x))",
    "FROM query('SELECT sleep' || '_ms(1)')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT sleep_ms(1)'))",
    "FROM (DESCRIBE SELECT sleep_ms(1))",
    "WITH t AS (SELECT sleep_ms(1)) FROM t",
)


@pytest.fixture(scope="module")
def store() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE SCHEMA desired")
        connection.execute(
            "CREATE TABLE live (id UUID PRIMARY KEY, size DOUBLE, note VARCHAR(20), moment TIMESTAMP, j JSON)"
        )
        connection.execute("CREATE TABLE desired.live AS FROM live")
        connection.execute(
            'CREATE TABLE "the ""other"" one" (price DECIMAL(9, 2), moment TIMESTAMPTZ, tags VARCHAR[], d DATE)'
        )
        connection.execute(
            "INSERT INTO live SELECT uuid(), n / 4, 'note ' || n, TIMESTAMP '2026-11-22 15:00:00', '{\"a\": 1}' "
            "FROM range(12000) AS t(n)"
        )
        connection.execute(
            """INSERT INTO "the ""other"" one" VALUES (1.50, '2026-11-22 15:00:00+00', ['a'], '2026-01-01')"""
        )
        yield connection


def ask(store: duckdb.DuckDBPyConnection, sql: str, **limits: float) -> QueryResult:
    return run_query(lambda: copy_for_query(store, sql), sql, QueryLimits(**limits))  # type: ignore[arg-type]


def test_rows_are_what_they_are_in_the_store(store: duckdb.DuckDBPyConnection) -> None:
    found = ask(store, "SELECT size, note, moment, j FROM main.live WHERE size < 0.6 ORDER BY size DESC;")
    assert found.rows == (
        (0.5, "note 2", "2026-11-22T15:00:00Z", '{"a": 1}'),
        (0.25, "note 1", "2026-11-22T15:00:00Z", '{"a": 1}'),
        (0, "note 0", "2026-11-22T15:00:00Z", '{"a": 1}'),
    )
    assert found.columns == (("size", "DOUBLE"), ("note", "VARCHAR"), ("moment", "TIMESTAMP"), ("j", "JSON"))
    assert not found.cut


def test_all_rows_are_copied_of_what_is_named(store: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "SELECT (SELECT count(*) FROM LIVE), (SELECT count(*) FROM desired.live), (SELECT count(DISTINCT id) FROM live)"
    )
    assert ask(store, sql).rows == ((12_000, 0, 12_000),)


def test_types_and_names_that_no_kind_has(store: duckdb.DuckDBPyConnection) -> None:
    sql = """SELECT *, now() > moment AS past, 'x' AS d, NULL, 'nan'::DOUBLE FROM "THE ""other"" one" """
    ((price, at, tags, day, *rest),) = ask(store, sql).rows
    assert (price, at, tags, day) == (1.5, "2026-11-22T15:00:00Z", ["a"], "2026-01-01")
    assert rest == [True, "x", None, "NaN"]


def test_the_order_stays_where_a_type_has_to_be_another_one(store: duckdb.DuckDBPyConnection) -> None:
    rows = ask(store, "SELECT n, now() FROM range(2000) AS t(n) ORDER BY n DESC -- the highest first", rows=3).rows
    assert [number for number, _ in rows] == [1999, 1998, 1997]


def test_values_come_as_they_are(store: duckdb.DuckDBPyConnection) -> None:
    store.execute("CREATE TABLE hostile (n INTEGER, text VARCHAR)")
    store.executemany("INSERT INTO hostile VALUES (?, ?)", list(enumerate(HOSTILE)))
    assert [text for (text,) in ask(store, "SELECT text FROM hostile ORDER BY n").rows] == list(HOSTILE)


def test_what_there_is_can_be_asked(store: duckdb.DuckDBPyConnection) -> None:
    assert ("live",) in ask(store, "SHOW TABLES").rows
    assert ask(store, "SELECT column_name FROM (DESCRIBE live)").rows[0] == ("id",)


def test_nothing_of_this_is_run(store: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("x\n", encoding="utf-8")
    inside = Database()  # what the process has, without waiting for one each time
    for fill in copy_for_query(store, "live"):
        assert child.fill_table(inside.connection, fill) == {}
    for sql in REFUSED:
        seen = child.run_query(inside.connection, QueryRequest(sql.replace("{file}", str(secret)), 10, 10, 1_000))
        assert seen.keys() & {"error", "refused"}, f"{sql} found {seen}"
    count = child.run_query(inside.connection, QueryRequest("SELECT count(*) FROM live", 10, 10, 1_000))
    assert [tuple(row) for row in count["rows"]] == [(12_000,)]
    assert list(tmp_path.iterdir()) == [secret]
    inside.connection.close()


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DELETE FROM live", "was not run: this is a statement of type DELETE"),
        ("SELECT 1; SELECT 2", "was not run: there are 2 statements"),
        ("FROM read_text('/etc/hostname')", "cannot be run: line 1, column 6: Cannot access file"),
    ],
)
def test_why_it_is_not_run_is_told(store: duckdb.DuckDBPyConnection, sql: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"^the query {why}") as caught:
        ask(store, sql)
    assert caught.value.hint


@pytest.mark.slow
def test_more_rows_than_are_told(store: duckdb.DuckDBPyConnection) -> None:
    assert ask(store, "FROM live", rows=100).cut
    assert not ask(store, "FROM live LIMIT 100", rows=100).cut
    large = ask(store, "SELECT repeat('x', 100000) FROM range(1000)")
    assert (0 < len(large.rows) < 200, large.cut) == (True, CutBy.BYTES)


@pytest.mark.slow
def test_what_takes_too_long_is_stopped(store: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT count(*) FROM range(1000000) AS a(n), range(1000000) AS b(m) WHERE n * m % 7 = 3"
    with pytest.raises(UsageError, match=r"took more than 0\.3 s and was stopped"):
        ask(store, sql, seconds=0.3)


@pytest.mark.slow
def test_what_takes_too_much_is_stopped(store: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError, match=r"more memory than there is for it \(512MB"):
        ask(store, "SELECT list(n) FROM range(1000000000) AS t(n)", seconds=NEVER)


@pytest.mark.slow
def test_what_does_not_hear_that_it_shall_stop_is_ended(store: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError, match="did not stop"):
        ask(store, "SELECT lpad('x', 2000000000::BIGINT::INT, 'y')", seconds=0.3)


def test_an_error_is_told_with_its_place(store: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError, match='line 2, column 3: Referenced column "sizes" not found') as caught:
        ask(store, "SELECT\n  sizes FROM live")
    assert "size" in caught.value.hint


@pytest.mark.parametrize(
    ("query", "is_of_final"),
    [
        ("SELECT live.size FROM live FINAL", True),
        ("SELECT main.live.size FROM live FINAL", True),
        ("SELECT l.size FROM live AS l FINAL", True),
        ("SELECT live.size FROM live final JOIN live b USING (size)", True),
        ("SELECT * FROM live FINAL, live FINAL", True),
        ("SELECT nothing FROM live FINAL", False),
        ("SELECT final FROM live", False),
        ("SELECT 'FINAL' FROM nowhere", False),
        ("SELECT nothing AS final FROM live", False),
        ("SELECT other.size FROM live -- FINAL", False),
    ],
)
def test_final_is_blamed_where_it_is_why_a_query_failed(query: str, *, is_of_final: bool) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE live (size INT)")
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(query)
    assert (_hint(str(caught.value), query) == NO_FINAL) is is_of_final
