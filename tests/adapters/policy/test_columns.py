"""The columns of a policy, told by its text: they are DuckDB's, or the text says that it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.bundled import load_example_files
from reconciler.adapters.sandbox.database import connect
from reconciler.adapters.sandbox.screen import ScreenedPolicy, screen_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

PLAIN = """
SELECT 'x' AS message
SELECT message, u.name FROM desired.u AS u
SELECT MESSAGE, Name FROM desired.u
SELECT "message" AS "Message" FROM desired.u
(SELECT 'x' AS message, 1 AS "at most")
SELECT concat('x', name) AS message, count(*) AS field FROM desired.u GROUP BY ALL ORDER BY 1 LIMIT 3
WITH x AS (SELECT * FROM desired.u) SELECT message, name AS kind FROM x
SELECT message FROM desired.u UNION ALL SELECT name FROM desired.u
SELECT message AS a FROM desired.u UNION SELECT name FROM desired.u UNION ALL SELECT 'x' AS b
SELECT message FROM desired.u EXCEPT SELECT name FROM desired.u
SELECT message FROM desired.u INTERSECT SELECT name FROM desired.u
FROM desired.u SELECT message
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n AS message FROM r
SELECT s.b AS message, s.a FROM desired.u
""".strip().splitlines()
UNKNOWN = """
SELECT * FROM desired.u
FROM desired.u
SELECT message, * FROM desired.u
SELECT u.* FROM desired.u AS u
SELECT s.* FROM desired.u
SELECT COLUMNS('message|name') AS message FROM desired.u
SELECT COLUMNS('message|name') || 'x' AS message FROM desired.u
SELECT upper(COLUMNS(*)::VARCHAR) AS message FROM desired.u
SELECT unnest(s) AS message FROM desired.u
SELECT unnest([s], recursive := true) AS message FROM desired.u
SELECT 'x', message FROM desired.u
SELECT message, name AS message FROM desired.u
SELECT message, name AS "MESSAGE" FROM desired.u
SELECT message FROM desired.u UNION BY NAME SELECT name FROM desired.u
VALUES ('x')
SELECT #1 FROM desired.u
""".strip().splitlines()
RULES = {path: data.decode() for path, data in load_example_files().items() if path.endswith(".sql")}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as database:
        database.execute("CREATE SCHEMA desired")
        database.execute("CREATE TABLE desired.u (message VARCHAR, name VARCHAR, s STRUCT(a INTEGER, b VARCHAR))")
        yield database


def screened(connection: duckdb.DuckDBPyConnection, sql: str) -> ScreenedPolicy:
    found = screen_policy(connection, sql)
    assert isinstance(found, ScreenedPolicy), found
    return found


@pytest.mark.parametrize("sql", PLAIN)
def test_columns_that_the_text_tells_are_those_that_duckdb_gives(
    connection: duckdb.DuckDBPyConnection, sql: str
) -> None:
    given = connection.execute(f"SELECT * FROM (\n{sql}\n) AS found LIMIT 0").description
    columns = screened(connection, sql).columns
    assert columns is not None
    assert [column.lower() for column in columns] == [column[0].lower() for column in given]


@pytest.mark.parametrize("sql", UNKNOWN)
def test_columns_that_the_tables_tell_are_asked_for(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert connection.execute(f"SELECT * FROM (\n{sql}\n) AS found LIMIT 0").description
    assert screened(connection, sql).columns is None


@pytest.mark.parametrize("path", sorted(RULES))
def test_the_examples_rules_tell_theirs(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    columns = screened(connection, RULES[path]).columns
    assert columns is not None
    assert {"message", "value"} & set(columns)
