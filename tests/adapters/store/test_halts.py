"""Halts: what they cover is off in every table and for every follower, and what git says of it is not lost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from reconciler.kinds.kind import Kinds
from reconciler.model.change import Prune
from reconciler.model.halt import Halt, Halts, HaltSelector
from reconciler.model.intervals import IntervalEnd
from reconciler.model.selection import Condition
from reconciler.report.sync import build_drift, drifted_row_lines
from reconciler.tables.rows import live_values, rows_under
from reconciler.values import replace
from tests.adapters.store.tampering import change
from tests.support.kinds import GADGET, START, WIDGET, gadget, row, step, tombstone, uid, widget
from tests.support.laws import examples
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.model.change import Row
    from reconciler.ports import Store

HALTED = replace(WIDGET, halt={"status": "INACTIVE", "weight": 0.5, "fragile": True, "note": "halted"})
KINDS = Kinds((GADGET, HALTED))
ALL = HaltSelector()


def halt(selector: HaltSelector, halts: Halts | None = None) -> Halts:
    halts = halts or Halts()
    return halts.add(Halt(f"{halts.number:08}", selector, "why", "me", START + timedelta(minutes=halts.number)))


def release(selector: HaltSelector, halts: Halts) -> Halts:
    return halts.release(selector, "over", "me", START + timedelta(minutes=halts.number))


def said(store: Store) -> dict[str, object]:
    """The live rows."""
    return {live.name: dict(live.values) for kind in KINDS for live in store.live(kind)}


ANN, BEN = (widget(name, widget_id=uid(number), status="ACTIVE") for number, name in enumerate(("ann", "ben"), 1))
BY_NAME = HaltSelector("Widget", ("ann",), (uid(1),))


def test_a_halt_sets_what_the_schema_says_and_a_release_brings_git_back(store: Store) -> None:
    store.apply(KINDS, step(1, row(ANN, 1), row(BEN, 1), row(gadget("g"), 1)))
    before, base = said(store), store.applied()
    done = store.obey(KINDS, halt(BY_NAME))
    assert done is not None
    assert (done.base, done.applied, done.counts) == (base, store.applied(), {"Widget": 1})
    assert done.rows is not None
    assert [one.resource.values["status"] for one in done.rows] == ["ACTIVE"], "as git has it"
    assert dict(done.rows[0].halted or {}) == {"status": "INACTIVE", "weight": 0.5, "note": "halted"}
    assert {name for name, values in said(store).items() if values != before[name]} == {"ann"}
    ann = store.live(HALTED, "ann")[0].values
    assert (ann["status"], ann["weight"], ann["note"]) == ("INACTIVE", 0.5, "halted")
    assert (store.halted_rows(), store.drift(KINDS).total) == ({"Widget": 1}, 0)
    assert store.obey(KINDS, store.halts()) is None
    assert store.obey(KINDS, release(BY_NAME, store.halts())) is not None
    assert (said(store), store.halted_rows(), store.applied()) == (before, {}, base)


def test_what_a_later_commit_declares_comes_halted(store: Store) -> None:
    store.apply(KINDS, step(1, row(ANN, 1)))
    store.obey(KINDS, halt(HaltSelector(labels=(Condition("host", ("a",)),))))
    store.apply(KINDS, step(2, row(BEN, 2), row(replace(ANN, values={**ANN.values, "pieces": 9}), 1, 2)))
    assert {live.name: live.values["status"] for live in store.live(HALTED)} == {"ann": "INACTIVE", "ben": "INACTIVE"}
    assert store.live(HALTED, "ann")[0].values["pieces"] == 9
    assert [one.values["status"] for one in store.base(KINDS).by_name(ANN.key)] == ["ACTIVE"]
    store.obey(KINDS, release(ALL, store.halts()))
    assert {live.name: live.values["status"] for live in store.live(HALTED)} == {"ann": "ACTIVE", "ben": "ACTIVE"}
    assert store.drift(KINDS).total == 0


def test_each_change_is_an_event_and_ends_the_interval(store: Store) -> None:
    store.apply(KINDS, step(1, row(ANN, 1)))
    halts = halt(BY_NAME)
    store.obey(KINDS, release(ALL, halt(HaltSelector("Gadget"), halts)))
    store.obey(KINDS, halt(BY_NAME, store.halts()))
    events = [one for one in store.events_after(0, 100) if one.event in ("halted", "released")]
    told = [(one.event, one.detail["selector"]) for one in events]
    assert told == [
        ("halted", "Widget ann"),
        ("halted", "Gadget --all"),
        ("released", "--all"),
        ("halted", "Widget ann"),
    ]
    assert {(one.detail["reason"], one.detail["actor"]) for one in events} == {("why", "me"), ("over", "me")}
    stood = [store.halts_at(START + timedelta(minutes=minute)) for minute in (-1, 0, 2, 9)]
    assert [one and Halts.of_event(one) for one in stood[:1] + stood[3:]] == [None, store.halts()]
    first, second = store.intervals_of([step(1).commit.sha])
    assert (first.ended, second.ended) == (IntervalEnd.HALT_CHANGED, None)


def test_what_something_else_switched_on_is_off_too(duckdb_store: DuckDBStore) -> None:
    duckdb_store.apply(KINDS, step(1, row(replace(ANN, values={**ANN.values, "status": "INACTIVE"}), 1)))
    duckdb_store._connection.execute("UPDATE widget_config SET status = 'ACTIVE'")
    duckdb_store.obey(KINDS, halt(BY_NAME))
    assert duckdb_store.live(HALTED, "ann")[0].values["status"] == "INACTIVE"


def test_drift_of_a_halted_row_names_what_the_halt_says(store: Store) -> None:
    store.apply(KINDS, step(1, row(ANN, 1), row(BEN, 1)))
    store.obey(KINDS, halt(BY_NAME))
    change(store, ANN, status="ACTIVE", pieces=9)
    change(store, BEN, status="INACTIVE")
    ann, ben = build_drift(store.drift(KINDS)).drift
    assert (ann.halted, ben.halted) == (("status",), UNSET)
    said = [line.strip() for line in drifted_row_lines(ann)]
    assert "status: live ACTIVE, the halt says INACTIVE" in said
    assert any(line.startswith("pieces: live 9, git says") for line in said)
    assert not any("the halt" in line for line in drifted_row_lines(ben))


def test_halts_outlive_the_store(duckdb_store: DuckDBStore) -> None:
    store = duckdb_store
    store.apply(KINDS, step(1, row(ANN, 1)))
    store.obey(KINDS, halt(BY_NAME))
    store.replace(KINDS, step(2, row(ANN, 1), row(BEN, 2)))
    assert {live.name: live.values["status"] for live in store.live(HALTED)} == {"ann": "INACTIVE", "ben": "ACTIVE"}
    other = replace(HALTED, columns=HALTED.columns[:-3] + HALTED.columns[-2:], schema={"title": "other"}, digest="o")
    store.apply(Kinds((GADGET, other)), step(3))  # the kind has lost a column that the halt had set
    assert store.live(other, "ann")[0].values["status"] == "INACTIVE"
    store.obey(Kinds((GADGET, other)), release(ALL, store.halts()))
    assert store.live(other, "ann")[0].values["status"] == "ACTIVE"


NAMES = ("ann", "ben", "cleo")
ROWS = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(
        st.sampled_from(["ACTIVE", "INACTIVE"]),
        st.sampled_from([0.5, 1.0, 30.0]),
        st.sampled_from([None, "halted", "x"]),
        st.sampled_from(["here", *Prune]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=3,
)
SELECTORS = st.sampled_from(
    [
        ALL,
        HaltSelector("Widget"),
        HaltSelector("Gadget"),
        BY_NAME,
        HaltSelector("Widget", ("ben", "cleo")),
        HaltSelector(labels=(Condition("host", ("a",)),)),
        HaltSelector(labels=(Condition("host", ("a",), negated=True),)),
        HaltSelector("Widget", labels=(Condition("desk", ()), Condition("host", ("a", "b")))),
        HaltSelector(labels=(Condition("desk", (), negated=True),)),
    ]
)
ACTS = st.lists(st.one_of(ROWS, st.tuples(st.sampled_from(["halt", "release"]), SELECTORS)), min_size=1, max_size=8)


def _rows(rows: dict[str, tuple[str, float, str | None, str, str]], number: int) -> list[Row]:
    made = []
    for name, (status, weight, note, fate, label) in rows.items():
        value = widget(name, widget_id=uid(NAMES.index(name) + 1), status=status, weight=weight, note=note)
        value = replace(value, labels={"host": label}, digest=f"{status} {weight} {note} {label}")
        made.append(row(value, 1, number) if fate == "here" else tombstone(value, 1, number, prune=Prune(fate)))
    return made


@settings(max_examples=examples(40, quick=3), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_nothing_covered_is_on_and_nothing_else_differs(duckdb_store: DuckDBStore, acts: list[object]) -> None:
    """The store in DuckDB is the one in dictionaries, after whatever commits, halts and releases."""
    duckdb_store.obey(KINDS, release(ALL, duckdb_store.halts()))
    first = step(1, row(ANN, 1), row(gadget("g"), 1))
    memory = MemoryStore(duckdb_store._clock)
    memory.obey(KINDS, duckdb_store.halts())
    for store in (memory, duckdb_store):
        store.replace(KINDS, first)
    for number, act in enumerate(acts, 2):
        if isinstance(act, dict):
            update = step(number, *_rows(act, number))
            for store in (memory, duckdb_store):
                store.apply(KINDS, update)
        else:
            word, selector = act
            halts = halt(selector, memory.halts()) if word == "halt" else release(selector, memory.halts())
            steps = [store.obey(KINDS, halts) for store in (memory, duckdb_store)]
            assert len({one is None for one in steps}) == 1
        assert len({one and one.live_digest for one in (memory.applied(), duckdb_store.applied())}) == 1
        assert said(duckdb_store) == said(memory)
        assert duckdb_store.halted_rows() == memory.halted_rows()
        for kind in KINDS:
            assert duckdb_store.said_by_git(kind, duckdb_store.live(kind)) == memory.said_by_git(
                kind, memory.live(kind)
            )
        assert duckdb_store.drift(KINDS).total == 0
        ours, theirs = (
            sorted(store.base(KINDS).rows(), key=lambda one: one.row_id) for store in (duckdb_store, memory)
        )
        assert ours == theirs, "git's state, whatever is halted"
        for one in rows_under(memory.halts(), KINDS, ours):
            if one.resource.kind == "Widget" and memory.halts().of(one.resource):
                values = dict(zip((column.name for column in HALTED.columns), live_values(HALTED, one), strict=False))
                assert {name: values[name] for name in HALTED.halt} == HALTED.halt


def test_another_schema_may_let_a_standing_halt_set_more(store: Store) -> None:
    plain, more = (
        replace(WIDGET, halt=halt, schema={**WIDGET.schema, "x-reconciler": {"halt": halt}}, digest=str(halt))
        for halt in ({}, {"status": "INACTIVE", "weight": 0.5})
    )
    store.apply(Kinds((plain,)), step(1, row(ANN, 1), row(BEN, 1)))
    store.obey(Kinds((plain,)), halt(ALL))
    assert {one.values["status"] for one in store.live(plain)} == {"ACTIVE"}
    store.apply(Kinds((more,)), step(2, row(BEN, 1, 2)))
    assert {(one.values["status"], one.values["weight"]) for one in store.live(more)} == {("INACTIVE", 0.5)}
    assert store.drift(Kinds((more,))).total == 0
    store.obey(Kinds((more,)), release(ALL, store.halts()))
    assert {one.values["status"] for one in store.live(more)} == {"ACTIVE"}


def test_what_is_switched_on_by_somebody_is_off_again_where_drift_is_only_told(duckdb_store: DuckDBStore) -> None:
    duckdb_store.apply(KINDS, step(1, row(ANN, 1)))
    duckdb_store.obey(KINDS, halt(ALL))
    duckdb_store._connection.execute("UPDATE widget_config SET status = 'ACTIVE', pieces = 77")
    left = duckdb_store.record_drift(KINDS)
    live = duckdb_store.live(HALTED, "ann")[0].values
    assert (live["status"], live["pieces"], left.total) == ("INACTIVE", 77, 1)
    assert "drift-healed" in [one.event for one in duckdb_store.events_after(0, 100)]
