"""Tables follow their kinds, or everything stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.adapters.duckdb.connection import CONFIG
from reconciler.adapters.duckdb.store import open_store
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.tables.rows import is_live
from reconciler.values import replace
from tests.adapters.store.observing import observe
from tests.support.cases import some
from tests.support.kinds import (
    GADGET,
    KINDS,
    ODD,
    WIDGET,
    WIDGET_COLUMNS,
    FixedClock,
    gadget,
    make_kind,
    resource,
    row,
    step,
    tombstone,
    uid,
    widget,
)

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.kinds.kind import Kind


def changed(**columns: dict[str, Any]) -> Kind:
    """Widgets with some columns changed."""
    return make_kind(
        "Widget",
        (replace(column, **columns.get(column.name, {})) for column in WIDGET_COLUMNS),
        indexes=WIDGET.indexes,
    )


def catalog(file: Path) -> list[tuple[str, ...]]:
    """Every statement behind the tables and indexes of a store, as the database has them."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            "SELECT sql FROM duckdb_tables() UNION ALL SELECT sql FROM duckdb_indexes() ORDER BY sql"
        ).fetchall()


WIDER = [
    changed(label={"length": 40}),
    changed(colour={"enum": ("RED", "GREEN", "BLUE")}),
    changed(weight={"bounds": {"exclusiveMinimum": 0, "maximum": 500}}),
    changed(pieces={"required": False, "bounds": {}}),
    changed(pieces={"type": SqlType.FLOAT}),
    make_kind("Widget", WIDGET_COLUMNS, indexes=(("status", "colour"), ("label",))),
    make_kind("Widget", (*WIDGET_COLUMNS[:4], Column("size", SqlType.JSON, required=False), *WIDGET_COLUMNS[4:])),
    make_kind("Widget", WIDGET_COLUMNS, table="widgets"),
]


@pytest.mark.parametrize("wider", some(WIDER, 1), ids=range(len(WIDER)))
def test_a_migrated_store_is_like_one_that_was_always_so(tmp_path: Path, wider: Kind) -> None:
    rows = [row(widget("a"), 1), row(gadget("g"), 1), tombstone(widget("b"), 1, 1), tombstone(gadget("h"), 1, 1)]
    kinds = Kinds((GADGET, wider))
    with open_store(tmp_path / "migrated", FixedClock()) as store:
        store.apply(KINDS, step(1, *rows))
        store.apply(kinds, step(2))
        migrated = observe(store, kinds)
    with open_store(tmp_path / "fresh", FixedClock()) as store:
        store.replace(kinds, step(2, *rows))
        fresh = observe(store, kinds)
    assert {**migrated, "rows": [], "row": [], "named": {}, "in_file": {}} == {
        **fresh,
        "rows": [],
        "row": [],
        "named": {},
        "in_file": {},
    }
    assert catalog(tmp_path / "migrated" / "state.duckdb") == catalog(tmp_path / "fresh" / "state.duckdb")


NARROWER = [
    changed(label={"length": 4}),
    changed(colour={"enum": ("GREEN",)}),
    changed(weight={"bounds": {"maximum": 29}}),
    changed(note={"required": True}),
    changed(label={"type": SqlType.INTEGER, "length": None}),
    make_kind("Widget", (*WIDGET_COLUMNS, Column("size", SqlType.INTEGER))),
]


@pytest.mark.parametrize("narrower", some({str(number): kind for number, kind in enumerate(NARROWER)}, 3))
def test_a_schema_that_rows_do_not_fit_changes_nothing(duckdb_store: DuckDBStore, narrower: Kind) -> None:
    duckdb_store.apply(KINDS, step(1, row(widget("a"), 1), row(gadget("g"), 1)))
    before, applied = observe(duckdb_store, KINDS), duckdb_store.applied()
    with pytest.raises(NeedsHuman, match="rows of Widget do not fit") as caught:
        duckdb_store.apply(Kinds((GADGET, narrower)), step(2, row(gadget("h"), 2)))
    assert "the schema of Widget" in caught.value.hint
    assert (observe(duckdb_store, KINDS), duckdb_store.applied()) == (before, applied)
    duckdb_store.apply(KINDS, step(3, row(widget("b"), 3)))
    assert duckdb_store.counts() == {"Gadget": 1, "Widget": 2}


def test_what_somebody_wrote_into_a_live_row_is_not_in_the_way(duckdb_store: DuckDBStore, tmp_path: Path) -> None:
    duckdb_store.apply(KINDS, step(1, row(widget("a"), 1), row(gadget("g"), 1)))
    with duckdb.connect(str(tmp_path / "state" / "state.duckdb"), config=CONFIG) as beside:
        beside.execute("UPDATE main.widget_config SET weight = 99")
    kinds = Kinds((GADGET, changed(weight={"bounds": {"maximum": 50}})))
    duckdb_store.apply(kinds, step(2))
    assert [one.values["weight"] for one in duckdb_store.live(kinds.by_name["Widget"])] == [30.0]
    assert "drift-healed" in [event.event for event in duckdb_store.events_after(0, 99)]


TYPES = (SqlType.UUID, SqlType.VARCHAR, SqlType.FLOAT, SqlType.INTEGER, SqlType.BOOLEAN, SqlType.JSON)
VALUES = (uid(1), "a", "7", 7, 7.0, 7.5, -(2**31) - 1, True, {"x": 1}, None)


@pytest.mark.parametrize("sql_type", some(TYPES, 3))
def test_a_tombstone_has_a_row_exactly_where_the_table_takes_it(duckdb_store: DuckDBStore, sql_type: SqlType) -> None:
    """The database agrees with what is said of a value without it: `is_live` has to be right for every host."""
    length = 3 if sql_type is SqlType.VARCHAR else None
    kind = make_kind("Widget", (*WIDGET_COLUMNS, Column("odd", sql_type, length=length, required=True)))
    rows = [
        tombstone(replace(one, values={**one.values, "odd": value}), 1, 2)
        for one, value in ((widget(f"w{number}"), value) for number, value in enumerate(VALUES))
    ]
    duckdb_store.replace(Kinds((GADGET, kind)), step(2, *rows))
    fitting = [one for one in rows if is_live(kind, one)]
    assert 0 < len(fitting) < len(rows)
    live = duckdb_store.live(kind)
    assert {one.name: one.values["odd"] for one in live} == {
        one.resource.name: one.resource.values["odd"] for one in fitting
    }


def test_rows_may_come_to_fit_in_the_same_step(duckdb_store: DuckDBStore) -> None:
    duckdb_store.apply(KINDS, step(1, row(widget("a"), 1), row(widget("b", colour="GREEN"), 1)))
    kinds = Kinds((GADGET, changed(colour={"enum": ("GREEN",)})))
    duckdb_store.apply(kinds, step(2, row(widget("a", colour="GREEN"), 1, 2)))
    assert [one.values["colour"] for one in duckdb_store.live(kinds.by_name["Widget"])] == ["GREEN", "GREEN"]


def test_tombstones_look_as_the_new_schema_has_them(duckdb_store: DuckDBStore) -> None:
    """What was deleted for want of a status stands as INACTIVE once there is one, as in a rebuilt store."""
    status = Column("status", SqlType.VARCHAR, length=20, required=False, enum=("ACTIVE", "INACTIVE"))
    statused = make_kind("Gadget", (*GADGET.columns, status), references=GADGET.references)
    duckdb_store.apply(KINDS, step(1, row(gadget("g"), 1)))
    duckdb_store.apply(KINDS, step(2, tombstone(gadget("g"), 1, 2)))
    assert duckdb_store.live(GADGET) == ()
    duckdb_store.apply(Kinds((statused, WIDGET)), step(3))
    assert [one.values["status"] for one in duckdb_store.live(statused)] == ["INACTIVE"]


def test_what_comes_back_with_a_new_schema_is_no_tombstone_any_more(duckdb_store: DuckDBStore) -> None:
    duckdb_store.apply(KINDS, step(1, row(widget("a"), 1)))
    duckdb_store.apply(KINDS, step(2, tombstone(widget("a"), 1, 2)))
    kinds = Kinds((GADGET, WIDER[0]))
    duckdb_store.apply(kinds, step(3, row(widget("a"), 1, 3)))
    assert [found.removed for found in duckdb_store.base(kinds).rows()] == [None]


def test_tables_may_swap_their_names(duckdb_store: DuckDBStore) -> None:
    duckdb_store.apply(KINDS, step(1, row(widget("a"), 1), row(gadget("g"), 1)))
    swapped = Kinds((replace(GADGET, table=WIDGET.table), replace(WIDGET, table=GADGET.table)))
    duckdb_store.apply(swapped, step(2))
    assert [one.name for one in duckdb_store.live(swapped.by_name["Widget"])] == ["a"]
    assert [one.values["path"] for one in duckdb_store.live(swapped.by_name["Gadget"])] == [r"C:\gadgets"]


def test_a_column_may_take_a_name_of_the_declaration(duckdb_store: DuckDBStore) -> None:
    duckdb_store.apply(KINDS, step(1, row(widget("a"), 1)))
    named = make_kind("Widget", (*WIDGET_COLUMNS, Column("name", SqlType.VARCHAR, required=False)))
    kinds = Kinds((GADGET, named))
    duckdb_store.apply(kinds, step(2, row(widget("b", kind=named, name_=1), 2)))
    assert [(one.name, one.values["name"]) for one in duckdb_store.live(named)] == [("a", None), ("b", None)]
    assert [one.id for one in duckdb_store.base(kinds).by_name(widget("a").key)] == [widget("a").id]


def test_odd_names_live_through_everything(duckdb_store: DuckDBStore) -> None:
    kinds = Kinds((*KINDS, ODD))
    one = resource(ODD, "x", {"select": "it's", "ÄÖ.x": 0.5})
    duckdb_store.apply(kinds, step(1, row(one, 1)))
    duckdb_store.apply(kinds, step(2, row(replace(one, path="y.yaml"), 1)))
    wider = make_kind(ODD.name, (*ODD.columns, Column("more", SqlType.FLOAT, required=False)), table=ODD.table)
    duckdb_store.apply(Kinds((*KINDS, wider)), step(3, row(resource(wider, "z", {"select": "it's", "ÄÖ.x": 1.0}), 3)))
    assert [found.name for found in duckdb_store.live(wider)] == ["x", "z"]
    base = duckdb_store.base(Kinds((wider,)))
    assert [found.name for found in base.declared_in("y.yaml")] == ["x"]
    duckdb_store.apply(
        KINDS, step(4, tombstone(one, 1, 4), tombstone(resource(wider, "z", {"select": "it's", "ÄÖ.x": 1.0}), 3, 4))
    )
    assert duckdb_store.counts() == {"Gadget": 0, "Widget": 0}


def test_many_rows_are_written_like_few(duckdb_store: DuckDBStore, tmp_path: Path) -> None:
    """Over a thousand rows, tables are made anew: rows, indexes and what drifted must not show it."""
    first = [row(widget(f"w{number}", widget_id=uid(number)), 1) for number in range(1500)]
    duckdb_store.apply(KINDS, step(1, *first))
    with duckdb.connect(str(tmp_path / "state" / "state.duckdb"), config=CONFIG) as beside:
        beside.execute("UPDATE main.widget_config SET weight = 99 WHERE widget_id = ?", [uid(1499)])
        beside.execute("DELETE FROM main.widget_config WHERE widget_id = ?", [uid(1498)])
    later = [row(widget(f"w{number}", widget_id=uid(number), weight=1.0), 1, 2) for number in range(1200)]
    gone = [tombstone(one.resource, 1, 2) for one in first[1200:1210]]
    duckdb_store.apply(KINDS, step(2, *later, *gone))
    live = {one.values["widget_id"]: one for one in duckdb_store.live(WIDGET)}
    assert len(live) == 1499
    assert {live[uid(number)].values["weight"] for number in range(1200)} == {1.0}
    assert {live[uid(number)].values["status"] for number in range(1200, 1210)} == {"INACTIVE"}
    assert {live[uid(number)].values["weight"] for number in range(1210, 1498)} == {30.0}
    assert live[uid(1499)].values["weight"] == 99.0
    base = duckdb_store.base(KINDS)
    assert [one.id for one in base.by_name(later[7].resource.key)] == [uid(7)]
    assert [one.id for one in base.declared_in(first[1400].resource.path)] == [uid(1400)]
    assert base.row(first[1200].row_id) == gone[0]
    assert len(catalog_indexes(tmp_path)) == 6


def test_many_rows_of_a_larger_table_are_written_in_place(duckdb_store: DuckDBStore) -> None:
    """A thousand rows are not worth making a table anew when it has more than four times as many."""
    rows = [row(gadget(f"g{number}"), 1) for number in range(4100)]
    duckdb_store.replace(KINDS, step(1, *rows))
    moved = [row(replace(one.resource, path="new.yaml"), 1) for one in rows[:1001]]
    duckdb_store.apply(KINDS, step(2, *moved))
    base = duckdb_store.base(KINDS)
    assert len(base.declared_in("new.yaml")) == 1001
    assert base.row(rows[1001].row_id) == rows[1001]
    assert duckdb_store.counts() == {"Gadget": 4100, "Widget": 0}


def catalog_indexes(tmp_path: Path) -> list[tuple[str, ...]]:
    """The indexes of the store that is open."""
    with duckdb.connect(str(tmp_path / "state" / "state.duckdb"), config=CONFIG) as beside:
        return beside.execute("SELECT index_name FROM duckdb_indexes()").fetchall()
