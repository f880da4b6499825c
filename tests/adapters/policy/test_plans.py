"""A plan that is kept finds what a plan made for the rows finds, or tells nothing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.sandbox import engine, plans
from reconciler.adapters.sandbox.database import Database
from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.adapters.sandbox.plans import KeptPlans
from tests.adapters.policy.conftest import policy
from tests.support.kinds import KINDS, gadget, row, tombstone, widget
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.change import Row

NAMES = frozenset({"Widget", "Gadget"})
QUERIES = [
    "SELECT name FROM desired.widget_config WHERE weight > 2",
    "SELECT new.name FROM desired.widget_config AS new JOIN main.widget_config AS old USING (widget_id) "
    "WHERE new.weight IS DISTINCT FROM old.weight",
    "SELECT new.name FROM desired.widget_config AS new LEFT JOIN main.widget_config AS old USING (widget_id) "
    "WHERE old.widget_id IS NULL",
    "SELECT a.name FROM desired.widget_config AS a, desired.widget_config AS b WHERE a.weight = b.weight AND "
    "a.widget_id <> b.widget_id",
    "SELECT name FROM desired.widget_config AS w WHERE NOT EXISTS (FROM desired.gadget_config AS g WHERE "
    "g.name = w.note)",
    "SELECT name FROM desired.widget_config AS w WHERE weight > (SELECT avg(weight) FROM main.widget_config AS o WHERE "
    "o.pieces = w.pieces)",
    "WITH x AS (SELECT pieces, sum(weight) AS total FROM desired.widget_config GROUP BY ALL) FROM x WHERE total > 3",
    "SELECT name FROM desired.widget_config WHERE note <> '' AND note::INTEGER > 1",
    "SELECT unnest([{'field': 'weight', 'value': weight}], recursive := true) FROM desired.widget_config WHERE "
    "pieces > 1",
    "SELECT name FROM (FROM desired.gadget_config UNION ALL BY NAME FROM main.gadget_config) WHERE speed > 1",
    "SELECT name, row_number() OVER (PARTITION BY pieces ORDER BY name) AS n FROM desired.widget_config QUALIFY n > 1",
]
rows = st.dictionaries(
    st.integers(0, 5), st.tuples(st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from(["", "2", "g1"])) | st.none()
)


def touched(changes: dict[int, tuple[float, str] | None], height: int) -> Iterator[Row]:
    for number, what in changes.items():
        one = gadget(f"g{number}") if number % 2 else widget(f"w{number}")
        if what is None:
            yield tombstone(one, 1, height)
        elif number % 2:
            yield row(one, 1, height)
        else:
            weight, note = what
            yield row(widget(f"w{number}", weight=weight, note=note or None, pieces=int(weight)), 1, height)


def found(connection: duckdb.DuckDBPyConnection, query: str) -> bool | None:
    """Whether there is a row; None for an error."""
    try:
        return bool(connection.execute(query).fetchall())
    except duckdb.Error:
        return None


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(rows, st.booleans()), min_size=1, max_size=6))
def test_it_finds_what_the_rows_hold(history: list[tuple[dict[int, tuple[float, str] | None], bool]]) -> None:
    database = Database()
    kept = KeptPlans(database.plain)
    with closing(database.connection), closing(database.plain), pytest.MonkeyPatch.context() as patient:
        patient.setattr(plans, "SHORT", 15.0)
        database.load(engine.build_load(NAMES, KINDS, ()))
        for height, (changes, settled) in enumerate(history, 2):
            database.advance(engine.build_advance(NAMES, KINDS, touched(changes, height), settled=settled))
            for query in QUERIES:
                truth = found(database.connection, query)
                assert kept.finds_any(query, 15) in {truth, None}
        assert sum(kept.keeps(query) for query in QUERIES) >= len(QUERIES) - 1  # one of them may have failed


@pytest.fixture
def database() -> Iterator[Database]:
    one = Database()
    with closing(one.connection), closing(one.plain):
        one.load(engine.build_load(NAMES, KINDS, [row(widget("one", weight=1.0, note="no number"), 1)]))
        yield one


@pytest.mark.parametrize("query", ["SELECT nothing FROM nowhere", "SELECT $1", QUERIES[7]])
def test_what_fails_is_left_to_a_plan_for_the_rows(database: Database, query: str) -> None:
    kept = KeptPlans(database.plain)
    assert kept.finds_any(query, 15) is None
    assert kept.finds_any(QUERIES[0], 15) is False
    assert (kept.keeps(query), kept.keeps(QUERIES[0])) == (False, True)


def test_a_plan_that_takes_too_long_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptPlans(database.plain)
    endless = "SELECT 1 FROM range(1000000000) AS a, range(1000000000) AS b WHERE a.range + b.range < -1"
    assert kept.finds_any(endless, 15) is None
    assert not kept.keeps(endless)
    monkeypatch.setattr(plans, "WORTH", 0.0)
    monkeypatch.setattr(plans, "SHORT", 0.0)
    assert kept.finds_any(QUERIES[0], 15) is False
    assert not kept.keeps(QUERIES[0])


def test_not_too_many_are_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MAX_PLANS", 3)
    kept = KeptPlans(database.plain)
    for number in range(8):
        assert kept.finds_any(f"SELECT 1 FROM desired.widget_config WHERE weight = {number}", 15) is (number == 1)
    ((count,),) = database.plain.execute("SELECT count(*) FROM duckdb_prepared_statements()").fetchall()
    assert count <= 3


def test_a_join_that_only_an_optimiser_makes_one_has_its_time() -> None:
    sql = """SELECT a.name AS message
        FROM desired.widget_config AS a, main.widget_config AS b, desired.widget_config AS c
        WHERE a.widget_id = b.widget_id AND b.widget_id = c.widget_id AND a.weight <> c.weight"""
    many = [row(widget(f"w{number:04}", weight=4.0), 2) for number in range(2_000)]
    with Sandbox() as sandbox:
        (verdict,) = sandbox.run([policy(sql)], KINDS, many, many)
    assert (verdict.fault, verdict.violations) == (None, ())
