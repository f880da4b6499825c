"""Drift and healing, as every store does them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import canonical
from reconciler.model.change import RowId
from reconciler.model.rows import Drift, DriftFilter, Drifts, DriftType, is_same
from reconciler.values import replace
from tests.adapters.store.observing import observe, typed
from tests.adapters.store.tampering import change, delete, events, insert, real_step
from tests.support.cases import some
from tests.support.kinds import KINDS, WIDGET, FixedClock, gadget, row, stamp, step, tombstone, uid, widget
from tests.support.laws import examples
from tests.support.memory.drift import filter_drift_events
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from reconciler.ports import Store

A = widget("a", widget_id=uid(1))
B = widget("b", widget_id=uid(2), note=None)
GONE = widget("gone", widget_id=uid(3))
G = gadget("g", widget=("a",))
ROWS = (row(A, 1), row(B, 1, 2), tombstone(GONE, 1, 2), row(G, 1), tombstone(gadget("h"), 1, 2))
LATER = datetime(2027, 1, 1, tzinfo=UTC)

ODD: dict[str, tuple[str, Any]] = {
    "another number": ("weight", 99.5),
    "a tiny difference": ("ratio", math.nextafter(0.1, 1)),
    "nothing for something": ("ratio", None),
    "something for nothing": ("note", "by hand"),
    "an empty text for nothing": ("note", ""),
    "another whole number": ("pieces", 4),
    "another truth": ("fragile", False),
    "another UUID": ("maker_id", uid(77)),
    "other JSON": ("parts", {"screws": [1, 2.5, 0], "ä": "ö"}),
    "no JSON": ("parts", None),
    "another word": ("status", "INACTIVE"),
    "another beginning": ("created_at", LATER),
    "another end": ("updated_at", LATER),
}


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with something of everything, which nobody has tampered with."""
    store.replace(KINDS, real_step(2, *ROWS))
    return store


def test_a_store_that_nobody_touched_has_no_drift(filled: Store, store: Store) -> None:
    assert filled.drift(KINDS) == Drifts((), {})
    assert filled.heal(KINDS).total == filled.record_drift(KINDS).total == 0
    assert events(filled) == []


def test_a_new_store_has_none_either(store: Store) -> None:
    assert (store.drift(KINDS).total, store.heal(KINDS).total, events(store)) == (0, 0, [])


@pytest.mark.parametrize("how", some([*ODD], 5))
def test_a_changed_row_is_found_and_healed(filled: Store, how: str) -> None:
    before = observe(filled, KINDS)
    column, value = ODD[how]
    values = filled.live(WIDGET, "b")[0].values
    change(filled, B, **{column: value})
    (drift,) = filled.drift(KINDS).reported
    found = {**values, column: value}
    assert typed(drift) == typed(Drift("Widget", B.id, "b", DriftType.CHANGED, found, dict(values), (column,)))
    assert filled.heal(KINDS) == Drifts((drift,), {"Widget": 1})
    assert observe(filled, KINDS) == before
    assert filled.drift(KINDS).total == 0


def test_a_missing_row_comes_back(filled: Store) -> None:
    before = observe(filled, KINDS)
    delete(filled, A, G)
    found = filled.drift(KINDS)
    assert [(one.kind, one.id, one.name, one.what, one.before, one.fields) for one in found.reported] == [
        ("Gadget", G.id, "g", DriftType.MISSING, None, ()),
        ("Widget", A.id, "a", DriftType.MISSING, None, ()),
    ]
    assert found.reported[1].after == {**A.values, "created_at": stamp(1).time, "updated_at": stamp(1).time}
    assert found.counts == {"Gadget": 1, "Widget": 1}
    assert filled.heal(KINDS) == found
    assert observe(filled, KINDS) == before


def test_an_extra_row_goes(filled: Store) -> None:
    before = observe(filled, KINDS)
    insert(filled, RowId("Gadget", uid(9)), path="p", created_at=LATER, updated_at=LATER)
    (drift,) = filled.drift(KINDS).reported
    values = {"gadget_id": uid(9), "path": "p", "speed": None, "created_at": LATER, "updated_at": LATER}
    assert typed(drift) == typed(Drift("Gadget", uid(9), None, DriftType.EXTRA, values, None))
    assert [one.name for one in filled.live(KINDS.by_name["Gadget"])] == [uid(9), "g"]
    assert filled.heal(KINDS).reported == (drift,)
    assert observe(filled, KINDS) == before


def test_what_left_git_is_part_of_what_should_be(filled: Store) -> None:
    before = observe(filled, KINDS)
    change(filled, GONE, status="ACTIVE")
    (drift,) = filled.heal(KINDS).reported
    assert (drift.name, drift.fields) == ("gone", ("status",))
    delete(filled, GONE)
    assert [one.what for one in filled.heal(KINDS).reported] == [DriftType.MISSING]
    insert(filled, gadget("h").row_id, path="p", created_at=LATER, updated_at=LATER)
    assert [one.what for one in filled.heal(KINDS).reported] == [DriftType.EXTRA]
    assert observe(filled, KINDS) == before


def test_what_was_done_and_undone_is_no_drift(filled: Store) -> None:
    change(filled, A, weight=1.0)
    change(filled, A, weight=30.0)
    assert filled.drift(KINDS).total == 0


def test_minus_zero_is_zero(store: Store) -> None:
    one = replace(G, values={**G.values, "speed": 0.0})
    store.replace(KINDS, real_step(1, row(one, 1)))
    change(store, one, speed=-0.0)
    assert store.drift(KINDS).total == 0


@pytest.mark.parametrize("value", some([math.nan, math.inf, -math.inf], 1))
def test_numbers_that_are_none_are_told_and_healed(filled: Store, value: float) -> None:
    before = observe(filled, KINDS)
    change(filled, G, speed=value)
    (drift,) = filled.heal(KINDS).reported
    assert drift.before is not None
    assert is_same(drift.before["speed"], value)
    (event,) = events(filled)
    (told,) = event.detail["rows"]
    assert isinstance(told, dict)
    assert told["before"]["speed"] in ("NaN", "Infinity", "-Infinity")
    assert told["after"]["speed"] == 1
    assert observe(filled, KINDS) == before


def test_healing_is_on_record(filled: Store) -> None:
    change(filled, A, weight=99.0, note="ä\n")
    delete(filled, G)
    filled.heal(KINDS)
    (event,) = events(filled)
    applied = filled.applied()
    assert applied is not None
    assert (event.event, event.commit, event.digest) == ("drift-healed", stamp(2).commit, applied.digest)
    assert event.detail["counts"] == {"Gadget": 1, "Widget": 1}
    missing, changed = event.detail["rows"]
    assert isinstance(missing, dict)
    assert isinstance(changed, dict)
    assert (missing["what"], missing["before"], missing["after"]["path"]) == ("missing", None, r"C:\gadgets")
    assert (changed["kind"], changed["id"], changed["name"], changed["fields"]) == (
        "Widget",
        A.id,
        "a",
        ["weight", "note"],
    )
    assert (changed["before"]["weight"], changed["before"]["note"]) == (99, "ä\n")
    assert (changed["after"]["weight"], changed["after"]["note"]) == (30, None)
    assert changed["before"]["created_at"] == "2026-01-05T09:00:00Z"


def test_drift_that_stays_is_noted_once(filled: Store) -> None:
    change(filled, A, weight=99.0)
    first = filled.record_drift(KINDS)
    assert filled.record_drift(KINDS) == first
    assert [event.event for event in events(filled)] == ["drift-found"]
    change(filled, A, weight=98.0)
    filled.record_drift(KINDS)
    change(filled, A, weight=30.0)
    filled.record_drift(KINDS)
    filled.record_drift(KINDS)
    change(filled, A, weight=98.0)
    filled.record_drift(KINDS)
    filled.heal(KINDS)
    filled.record_drift(KINDS)
    change(filled, A, weight=98.0)
    filled.record_drift(KINDS)
    assert [event.event.removeprefix("drift-") for event in events(filled)] == [
        *("found", "found", "gone", "found", "healed", "found")
    ]
    (told,) = events(filled)[0].detail["rows"]
    assert told["before"]["weight"] == 99
    assert filled.live(WIDGET, "a")[0].values["weight"] == 98.0


def test_some_rows_are_left_alone(filled: Store) -> None:
    change(filled, A, weight=99.0)
    change(filled, B, weight=98.0)
    delete(filled, G)
    leaving = {A.row_id, RowId("Gadget", "")}
    assert [one.name for one in filled.drift(KINDS, leaving=leaving).reported] == ["b"]
    assert [one.name for one in filled.heal(KINDS, leaving=leaving).reported] == ["b"]
    assert [one.name for one in filled.drift(KINDS).reported] == ["g", "a"]
    assert filled.heal(KINDS).counts == {"Gadget": 1, "Widget": 1}


def test_so_many_at_a_time(store: Store) -> None:
    found = [widget(f"w{number}", widget_id=uid(number)) for number in range(10)]
    store.replace(KINDS, real_step(1, row(G, 1), *(row(one, 1) for one in found)))
    before = observe(store, KINDS)
    delete(store, *found[:5], G)
    for one in found[5:]:
        change(store, one, weight=1.0)
    some = store.drift(KINDS, limit=4)
    assert [one.name for one in some.reported] == ["g", "w0", "w1", "w2"]
    assert (some.total, some.counts) == (11, {"Gadget": 1, "Widget": 10})
    assert some.digest != store.drift(KINDS, limit=3).digest
    healed = [store.heal(KINDS, limit=4) for _ in range(4)]
    assert [(len(one.reported), one.total) for one in healed] == [(4, 11), (4, 7), (3, 3), (0, 0)]
    assert observe(store, KINDS) == before


@pytest.mark.parametrize("updated", [1, 3])
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
def test_rows_that_a_commit_touches_are_written_and_others_stay_as_they_are(
    filled: Store, status: str, updated: int
) -> None:
    change(filled, A, weight=99.0, status=status)
    change(filled, B, weight=98.0)
    filled.apply(KINDS, step(3, row(replace(A, path="elsewhere.yaml"), 1, updated)))
    assert [one.name for one in filled.drift(KINDS).reported] == ["b"]
    filled.replace(KINDS, real_step(4, *ROWS))
    assert filled.drift(KINDS).total == 0


floats = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0])


@given(floats, floats)
def test_sameness_of_numbers_is_an_equivalence(one: float, other: float) -> None:
    assert is_same(one, one)
    assert is_same(one, other) == is_same(other, one)
    assert is_same(one, other) == (one == other or (math.isnan(one) and math.isnan(other)))


def test_values_of_two_types_are_never_the_same() -> None:
    assert not is_same(1, True)
    assert not is_same(1, 1.0)
    assert not is_same(None, False)
    assert is_same(None, None)


@settings(max_examples=examples(25))
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "g", "x"]), st.sampled_from([None, 1.0, 30.0, math.nan]))))
def test_heal_leaves_nothing_to_heal(edits: list[tuple[str, float | None]]) -> None:
    store = MemoryStore(FixedClock())
    store.replace(KINDS, real_step(2, *ROWS))
    before = observe(store, KINDS)
    for name, number in edits:
        one = {"a": A, "b": B, "g": G}.get(name)
        if one is None:
            insert(store, RowId("Gadget", uid(50)), path="p", speed=number, created_at=LATER, updated_at=LATER)
        elif number is None:
            delete(store, one)
        else:
            insert(store, one.row_id, **{**one.values, "created_at": LATER, "updated_at": LATER})
    found = store.drift(KINDS)
    assert store.heal(KINDS) == found
    assert store.drift(KINDS).total == 0
    assert observe(store, KINDS) == before


def test_events_about_drift_are_found_again(filled: Store) -> None:
    """As `filter_drift_events` takes them out of all events."""
    change(filled, A, weight=99.0, note="ä")
    filled.record_drift(KINDS)
    delete(filled, G)
    change(filled, B, weight=3.0)
    filled.heal(KINDS, limit=2, checked=LATER)
    filled.heal(KINDS)
    filled.record_event("restored", {"file": "x"})
    change(filled, A, weight=98.0)
    filled.record_drift(KINDS)
    every = filled.events_after(0, 100)
    commit = stamp(2).commit
    for only in (
        DriftFilter(LATER),
        DriftFilter(LATER, "Widget"),
        DriftFilter(LATER, "Widget", [A.id]),
        DriftFilter(LATER, "Gadget", [uid(77)]),
        DriftFilter(LATER, "Widget", [B.id], limit=2),
        DriftFilter(every[-1].at, commits=[commit]),
        DriftFilter(LATER, commits=["f" * 40]),
        DriftFilter(LATER, commits=[]),
    ):
        found = filled.drift_events(only)
        assert found == filter_drift_events(every, only), only
    told = filled.drift_events(DriftFilter(LATER, "Widget", [A.id]))
    assert [(one.event, len(one.detail["rows"])) for one in told] == [  # type: ignore[arg-type]
        ("drift-found", 1),
        ("drift-healed", 1),
        ("restored", 0),
        ("drift-found", 1),
    ]


def test_what_others_wrote_is_kept_within_bounds(filled: Store) -> None:
    change(filled, A, note="x" * 100_000)
    filled.heal(KINDS)
    (event,) = events(filled)
    assert len(canonical.dumps(event.detail)) < 20_000
    (row,) = event.detail["rows"]  # type: ignore[misc]
    assert row["before"]["note"] == "x" * 4_000 + "…"  # type: ignore[index,call-overload]
    many = tuple(
        Drift("Widget", uid(number), "w", DriftType.CHANGED, {"note": "y" * 3_000}, {}) for number in range(999)
    )
    detail = Drifts(many, {"Widget": 999}).detail()
    assert len(canonical.dumps(detail)) < 1_100_000
    assert detail["counts"] == {"Widget": 999}


def test_a_heal_that_leaves_a_row_says_nothing_of_that_row(filled: Store) -> None:
    """The row that is left alone is recorded once, and that it is right again."""
    change(filled, A, weight=99.0)
    change(filled, B, weight=99.0)
    filled.heal(KINDS, leaving={A.row_id})
    filled.record_drift(KINDS)
    filled.record_drift(KINDS)
    change(filled, B, weight=98.0)
    filled.heal(KINDS, leaving={A.row_id})
    change(filled, A, weight=30.0)
    filled.record_drift(KINDS)
    assert [one.event.removeprefix("drift-") for one in events(filled)] == ["healed", "found", "healed", "gone"]
