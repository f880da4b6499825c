"""Drift as only a database has it: altered tables, odd values, and tables of ours that are not for the public."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.duckdb.store import DuckDBStore, open_reader, open_store
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import Kinds
from reconciler.model.change import RowId
from reconciler.model.rows import DriftType
from reconciler.values import replace
from tests.adapters.store.observing import observe
from tests.adapters.store.tampering import change, events, real_step
from tests.support.cases import some
from tests.support.kinds import GADGET, ODD, WIDGET, FixedClock, gadget, resource, row, tombstone, uid, widget

if TYPE_CHECKING:
    from pathlib import Path

ALL = Kinds((GADGET, ODD, WIDGET))
A = widget("a", widget_id=uid(1))
ROWS = (
    row(A, 1),
    row(widget("b", widget_id=uid(2), parts=None), 1, 2),
    tombstone(widget("gone", widget_id=uid(3)), 1, 2),
    row(gadget("g", widget=("a",)), 1),
    row(resource(ODD, "o", {'the "key"': uid(4), "select": "it's", "ÄÖ.x": 0.5}), 1),
)
ODD_TABLE = '"odd. ""table""; --"'


@pytest.fixture
def filled(duckdb_store: DuckDBStore) -> DuckDBStore:
    """A store with something of everything."""
    duckdb_store.replace(ALL, real_step(2, *ROWS))
    return duckdb_store


def run(store: DuckDBStore, *statements: str) -> None:
    """Do what somebody else does in the file."""
    for statement in statements:
        store._connection.execute(statement)


TABLE = "main.widget_config"
DROP_INDEX = "DROP INDEX main.widget_config_widget_id_status_index"
INDEX = "index widget_config_widget_id_status_index"
RENAMED = f"ALTER TABLE {TABLE} RENAME TO widgets"
ALTERED: dict[str, tuple[list[str], DriftType, set[str]]] = {
    "dropped": ([f"DROP TABLE {TABLE}"], DriftType.MISSING, set()),
    "renamed": ([DROP_INDEX, RENAMED], DriftType.MISSING, set()),
    "an index less": ([DROP_INDEX], DriftType.CHANGED, {INDEX}),
    "an index more": ([f"CREATE INDEX more ON {TABLE} (note)"], DriftType.CHANGED, {"index more"}),
    "a unique index": ([f"CREATE UNIQUE INDEX once ON {TABLE} (note, widget_id)"], DriftType.CHANGED, {"index once"}),
    "a column less": (
        [DROP_INDEX, f"ALTER TABLE {TABLE} DROP COLUMN note"],
        DriftType.CHANGED,
        {INDEX, "table", "column note"},
    ),
    "a column more": (
        [DROP_INDEX, f"ALTER TABLE {TABLE} ADD COLUMN mine INTEGER"],
        DriftType.CHANGED,
        {INDEX, "table", "column mine"},
    ),
    "a column renamed": (
        [DROP_INDEX, f"ALTER TABLE {TABLE} RENAME note TO notes"],
        DriftType.CHANGED,
        {INDEX, "table", "column note", "column notes"},
    ),
    "another type": (
        [DROP_INDEX, f"ALTER TABLE {TABLE} ALTER COLUMN note TYPE BLOB USING note::BLOB"],
        DriftType.CHANGED,
        {INDEX, "table", "column note"},
    ),
    "NULLs allowed": (
        [DROP_INDEX, f"ALTER TABLE {TABLE} ALTER COLUMN label DROP NOT NULL"],
        DriftType.CHANGED,
        {INDEX, "table"},
    ),
    "a default": (
        [DROP_INDEX, f"ALTER TABLE {TABLE} ALTER COLUMN label SET DEFAULT 'x'"],
        DriftType.CHANGED,
        {INDEX, "table"},
    ),
    "made anew without checks": (
        [f"CREATE TABLE main.o AS FROM {TABLE}", f"DROP TABLE {TABLE}", "ALTER TABLE main.o RENAME TO widget_config"],
        DriftType.CHANGED,
        {INDEX, "table"},
    ),
    "a view in its place": (
        [DROP_INDEX, RENAMED, "CREATE VIEW main.Widget_Config AS SELECT 1 AS one"],
        DriftType.CHANGED,
        {"table", "view", INDEX, "column one"},
    ),
}


@pytest.mark.parametrize("how", some([*ALTERED], 3))
def test_an_altered_table_is_found_and_made_anew(filled: DuckDBStore, how: str) -> None:
    before = observe(filled, ALL)
    statements, what, fields = ALTERED[how]
    run(filled, *statements)
    found = filled.drift(ALL)
    (drift,) = found.reported
    assert (drift.kind, drift.id, drift.name, drift.what) == ("Widget", "", "widget_config", what)
    assert fields <= set(drift.fields)
    assert drift.is_table
    assert filled.heal(ALL) == found
    assert filled.drift(ALL).total == 0
    assert observe(filled, ALL) == before
    (event,) = events(filled)
    assert event.detail["counts"] == {"Widget": 1}


def test_rows_of_an_altered_table_are_told_as_far_as_they_can_be_compared(filled: DuckDBStore) -> None:
    run(
        filled,
        f"CREATE TABLE main.o AS SELECT * EXCLUDE (note) REPLACE (weight::VARCHAR AS weight) FROM {TABLE}",
        f"DROP TABLE {TABLE}",
        "ALTER TABLE main.o RENAME TO widget_config",
        f"UPDATE main.widget_config SET pieces = 999, label = NULL WHERE widget_id = '{uid(1)}'",
        f"DELETE FROM main.widget_config WHERE widget_id = '{uid(2)}'",
        "INSERT INTO main.widget_config (widget_id, label) VALUES (NULL, 'nobody')",
    )
    found = filled.heal(ALL)
    table, changed, missing = found.reported
    assert table.is_table
    assert found.counts == {"Widget": 3}
    assert (changed.name, changed.fields) == ("a", ("label", "pieces"))
    assert changed.before is not None
    assert changed.before["pieces"] == 999
    assert not {"note", "weight"} & changed.before.keys()
    assert (missing.name, missing.what) == ("b", DriftType.MISSING)
    assert filled.drift(ALL).total == 0


def test_twice_the_same_id_is_an_altered_table(filled: DuckDBStore) -> None:
    before = observe(filled, ALL)
    run(filled, "CREATE TABLE main.o AS FROM main.gadget_config UNION ALL FROM main.gadget_config")
    run(filled, "DROP TABLE main.gadget_config", "ALTER TABLE main.o RENAME TO gadget_config")
    assert [one.is_table for one in filled.heal(ALL).reported] == [True]
    assert observe(filled, ALL) == before


def test_odd_names_are_made_anew(filled: DuckDBStore) -> None:
    before = observe(filled, ALL)
    run(filled, f'UPDATE main.{ODD_TABLE} SET "ÄÖ.x" = 7')
    assert [one.fields for one in filled.heal(ALL).reported] == [("ÄÖ.x",)]
    run(filled, f"DROP TABLE main.{ODD_TABLE}")
    assert [one.what for one in filled.heal(ALL).reported] == [DriftType.MISSING]
    assert filled.drift(ALL).total == 0
    assert observe(filled, ALL) == before


def test_a_table_that_is_left_alone_is_left_alone_with_its_rows(filled: DuckDBStore) -> None:
    change(filled, A, weight=1.0)
    run(filled, "CREATE INDEX more ON main.widget_config (note)")
    assert filled.heal(ALL, leaving=[RowId("Widget", "")]).total == 0
    assert filled.drift(ALL).counts == {"Widget": 2}


def test_somebodys_own_tables_are_not_our_business(filled: DuckDBStore) -> None:
    run(filled, "CREATE TABLE main.trades (id INTEGER)", "CREATE VIEW main.summary AS SELECT * FROM main.widget_config")
    run(filled, "INSERT INTO main.trades VALUES (1)", "CREATE TABLE desired.mine (id INTEGER)")
    assert filled.drift(ALL).total == 0
    run(filled, "CREATE INDEX more ON main.widget_config (note)")
    filled.heal(ALL)
    assert filled._connection.execute("SELECT count(*) FROM main.trades").fetchall() == [(1,)]
    assert filled._connection.execute("SELECT count(*) FROM main.summary").fetchall() == [(3,)]


def test_a_table_that_others_depend_on_needs_a_human(filled: DuckDBStore) -> None:
    run(filled, "CREATE TABLE main.orders (g UUID REFERENCES main.gadget_config (gadget_id))")
    run(filled, "CREATE INDEX more ON main.gadget_config (path)")
    with pytest.raises(NeedsHuman, match="something depends on it") as caught:
        filled.heal(ALL)
    assert "foreign key" in caught.value.hint
    assert events(filled) == []


def test_values_that_python_has_no_words_for(filled: DuckDBStore) -> None:
    written = {
        1: """updated_at = '20000-01-01', parts = '[1,]'""",
        2: """created_at = '0044-03-15 (BC)', parts = '{"a": NaN}'""",
        3: """updated_at = 'infinity', parts = '1e400'""",
    }
    run(filled, *(f"UPDATE {TABLE} SET {what} WHERE widget_id = '{uid(number)}'" for number, what in written.items()))
    first, second, third = filled.heal(ALL).reported
    assert [one.fields for one in (first, second, third)] == [
        ("parts", "updated_at"),
        ("parts", "created_at"),
        ("parts", "updated_at"),
    ]
    assert (first.before or {})["parts"] == "[1,]"
    (event,) = events(filled)
    told = event.detail["rows"]
    assert isinstance(told, list)
    assert [one["before"]["parts"] for one in told] == ["[1,]", {"a": "NaN"}, "Infinity"]
    assert filled.drift(ALL).total == 0


def test_json_counts_as_it_is_written(filled: DuckDBStore) -> None:
    """Programs that read the row see text: another spelling is put right, once."""
    run(
        filled,
        'UPDATE main.widget_config SET parts = \'{ "screws": [1, 2.5, null], "ä": "ö" }\' WHERE parts IS NOT NULL',
    )
    assert [one.fields for one in filled.heal(ALL).reported] == [("parts",), ("parts",)]
    assert filled.drift(ALL).total == 0


@pytest.mark.parametrize("statement", ["DROP TABLE desired.widget_config", "DELETE FROM desired.gadget_config"])
def test_what_git_says_is_mended_by_a_replay(filled: DuckDBStore, statement: str) -> None:
    before = observe(filled, ALL)
    run(filled, statement, "DROP TABLE main.gadget_config", "CREATE VIEW main.gadget_config AS SELECT 1 AS one")
    filled.replace(ALL, real_step(2, *ROWS))
    assert filled.drift(ALL).total == 0
    assert observe(filled, ALL) == before


def test_a_kind_that_somebody_struck_off_is_mended_by_a_replay(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.replace(ALL, real_step(2, *ROWS))
        before = observe(store, ALL)
        run(store, "DELETE FROM gitops.kinds WHERE name = 'Gadget'")
    with open_store(tmp_path, FixedClock()) as store:
        store.replace(ALL, real_step(2, *ROWS))
        assert observe(store, ALL) == before
        assert store.drift(ALL).total == 0


def test_nothing_is_compared_with_what_was_altered(filled: DuckDBStore) -> None:
    run(filled, "DROP TABLE desired.gadget_config")
    change(filled, A, weight=1.0)
    for ask in (filled.drift, filled.heal, filled.record_drift):
        with pytest.raises(NeedsHuman, match=r"desired\.gadget_config was altered"):
            ask(ALL)
    assert events(filled) == []


def test_what_does_not_fit_is_not_copied(filled: DuckDBStore) -> None:
    run(filled, "UPDATE desired.widget_config SET weight = 1000 WHERE name = 'a'")
    with pytest.raises(NeedsHuman, match="somebody wrote there"):
        filled.heal(ALL)
    assert filled.live(WIDGET, "a")[0].values["weight"] == 30.0
    assert events(filled) == []


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE main.widget_config", "ALTER TABLE main.widget_config RENAME note TO notes"],
)
def test_an_altered_table_does_not_keep_commits_from_going_live(filled: DuckDBStore, statement: str) -> None:
    run(filled, DROP_INDEX, statement)
    filled.apply(ALL, replace(real_step(3, row(widget("c"), 3))))
    assert [one.name for one in filled.live(WIDGET)] == ["a", "b", "c", "gone"]
    assert filled.drift(ALL).total == 0
    assert [event.event for event in filled.events_after(0, 9)] == ["applied", "drift-healed", "applied"]


def test_drift_is_seen_in_a_file_that_was_written_elsewhere(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.replace(ALL, real_step(2, *ROWS))
    with duckdb.connect(str(tmp_path / "state.duckdb")) as beside:
        beside.execute("UPDATE main.widget_config SET weight = 99 WHERE label = 'plain'")
        beside.execute("DROP INDEX main.gadget_config_gadget_id_index")
    reader = open_reader(tmp_path)
    assert reader is not None
    with reader:
        assert reader.drift(ALL).counts == {"Gadget": 1, "Widget": 3}
    with open_store(tmp_path, FixedClock()) as store:
        store.heal(ALL)
    with open_store(tmp_path, FixedClock()) as store:
        assert store.drift(ALL).total == 0
