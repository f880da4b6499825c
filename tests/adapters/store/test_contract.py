"""What every store does. A new one joins by a line in conftest.py."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import BugError, NeedsHuman
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.model.change import Key, RowId
from reconciler.model.commit import Attempt
from reconciler.model.problem import Problem, Severity
from reconciler.model.rows import LiveRow
from reconciler.values import replace
from tests.adapters.store.observing import observe, typed
from tests.support.kinds import (
    GADGET,
    KINDS,
    WIDGET,
    WIDGET_COLUMNS,
    commit,
    gadget,
    make_kind,
    owner,
    row,
    stamp,
    step,
    tombstone,
    uid,
    widget,
)

if TYPE_CHECKING:
    from reconciler.model.change import Resource
    from reconciler.ports import Store

WARNING = Problem("a.yaml", 3, 5, "policy/x", "/spec/a", "hm", "look", Severity.WARNING)
ERROR = Problem("a.yaml", 1, 1, "yaml-syntax", "", 'a "quoted" ä word')
TALLER = make_kind("Widget", (*WIDGET_COLUMNS, Column("height", SqlType.FLOAT, required=False)), indexes=WIDGET.indexes)
TALLER_KINDS = Kinds((GADGET, TALLER))


def names(found: tuple[Resource, ...]) -> list[str]:
    """Names of resources, in the order found."""
    return [one.name for one in found]


def test_a_row_is_the_same_when_its_resource_was_asked_for_before(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1), row(gadget("g"), 1)))
    store.apply(KINDS, step(2, row(widget("a", weight=2.0), 1, 2)))
    for resource in (widget("a"), gadget("g")):
        base = store.base(KINDS)
        assert [one.key for one in base.declared_in(resource.path)] == [resource.key]
        assert typed(base.row(resource.row_id)) == typed(store.base(KINDS).row(resource.row_id))


def test_a_new_store_is_empty(store: Store) -> None:
    assert (store.applied(), store.last_attempt(), store.kinds(), store.counts()) == (None, None, {}, {})
    assert store.live(WIDGET) == ()
    base = store.base(KINDS)
    assert list(base.rows()) == []
    assert (base.declared_in("a.yaml"), base.by_name(Key("Widget", "a")), base.paths(["Widget"])) == ((), (), ())
    assert (base.row(RowId("Widget", uid(1))), base.referrers_of(Key("Widget", "a"))) == (None, ())


def test_what_could_not_be_judged_is_known_by_version_of_the_program(store: Store) -> None:
    assert store.known_faults("1.0") == {}
    faults = {f"file users/ä b'{number}.yaml 0f": "KeyError" for number in range(200)}
    store.keep_faults("1.0", faults)
    assert (store.known_faults("1.0"), store.known_faults("1.1")) == (faults, {})
    store.keep_faults("1.1", {"step nothing..a in .": "it takes more than 60 s of CPU time"})
    assert (store.known_faults("1.0"), len(store.known_faults("1.1"))) == ({}, 1)
    store.keep_faults("1.1", {})
    assert store.known_faults("1.1") == {}


def test_applied_and_attempted_commit(store: Store) -> None:
    applied = step(3, row(widget("a"), 3), warnings=[WARNING])
    store.apply(KINDS, applied)
    found, attempt = store.applied(), store.last_attempt()
    assert found is not None
    assert attempt is not None
    assert (found.stamp, found.height, found.digest) == (stamp(3), 3, applied.digest)
    assert found.at.tzinfo is UTC
    assert found.stamp.time.tzinfo is UTC
    assert attempt == Attempt(stamp(3), found.at, refused=False, problems=(WARNING,))


def test_live_rows_have_the_columns_and_their_types(store: Store) -> None:
    one = widget(
        "a", widget_id=uid(1), maker_id=uid(2), note="it's \0 ä 🦆", weight=30.0, pieces=3, path="x/a.yaml", line=7
    )
    store.apply(KINDS, step(2, row(one, 1, 2)))
    values = {
        "widget_id": uid(1),
        "colour": "RED",
        "label": "plain",
        "weight": 30.0,
        "ratio": 0.1,
        "pieces": 3,
        "fragile": True,
        "note": "it's \0 ä 🦆",
        "parts": {"screws": [1, 2.5, None], "ä": "ö"},
        "maker_id": uid(2),
        "status": "ACTIVE",
        "created_at": stamp(1).time,
        "updated_at": stamp(2).time,
    }
    (found,) = store.live(WIDGET)
    assert typed(found) == typed(LiveRow("Widget", "a", values, "x/a.yaml", 7))
    assert list(found.values) == list(values)


def test_live_rows_come_in_order_of_name_and_by_name(store: Store) -> None:
    store.apply(KINDS, step(1, *(row(widget(name), 1) for name in ("b", "ä", "a", "B"))))
    assert [one.name for one in store.live(WIDGET)] == ["B", "a", "b", "ä"]
    assert [one.name for one in store.live(WIDGET, "b")] == ["b"]
    assert store.live(WIDGET, "c") == ()
    assert store.counts() == {"Gadget": 0, "Widget": 4}


def test_resources_come_back_as_they_went_in(store: Store) -> None:
    plain = widget("plain", ratio=None, fragile=None, parts=None, colour="GREEN", weight=100.0)
    odd = widget("odd \"'%\\", parts=[], note="", fragile=False, path="d/ü \n.yaml", line=12)
    linked = gadget("g", widget=("plain",), spares=("plain", "odd \"'%\\"), path="d/ü \n.yaml", line=3)
    bare = replace(widget("bare"), labels={}, annotations={}, refs={})
    rows = [row(plain, 1), row(odd, 1, 2), row(linked, 2), row(bare, 2)]
    store.apply(KINDS, step(2, *rows))
    base = store.base(KINDS)
    for one in rows:
        assert typed(base.row(one.row_id)) == typed(one)
        assert base.row(one.row_id) == one
        assert typed(base.by_name(one.resource.key)) == typed((one.resource,))
    assert base.declared_in("d/ü \n.yaml") == (linked, odd)
    assert sorted(map(repr, map(typed, base.rows()))) == sorted(map(repr, map(typed, rows)))


def test_look_ups_may_come_between_rows(store: Store) -> None:
    store.apply(KINDS, step(1, *(row(widget(f"w{number}"), 1) for number in range(5))))
    base = store.base(KINDS)
    assert [base.row(one.row_id) == one for one in base.rows()] == [True] * 5


def test_untouched_rows_stay(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1), row(gadget("g"), 1)))
    before = store.base(KINDS).row(widget("a").row_id)
    store.apply(KINDS, step(2, row(widget("b"), 2)))
    assert store.base(KINDS).row(widget("a").row_id) == before == row(widget("a"), 1)
    assert store.counts() == {"Gadget": 1, "Widget": 2}


def test_an_update_replaces_the_whole_row(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a", note="old"), 1)))
    new = widget("a", note=None, weight=5.0)
    store.apply(KINDS, step(2, row(new, 1, 2)))
    (live,) = store.live(WIDGET)
    assert (live.values["note"], live.values["weight"]) == (None, 5.0)
    assert (live.values["created_at"], live.values["updated_at"]) == (stamp(1).time, stamp(2).time)
    assert store.base(KINDS).by_name(new.key) == (new,)


def test_a_moved_file_takes_its_rows_along(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a", path="old.yaml"), 1)))
    store.apply(KINDS, step(2, row(widget("a", path="new.yaml", line=4), 1)))
    base = store.base(KINDS)
    assert (names(base.declared_in("old.yaml")), names(base.declared_in("new.yaml"))) == ([], ["a"])
    assert base.paths(["Widget", "Gadget"]) == ("new.yaml",)
    assert (store.live(WIDGET)[0].path, store.live(WIDGET)[0].line) == ("new.yaml", 4)


def test_what_left_git_stays_inactive(store: Store) -> None:
    one = widget("a", widget_id=uid(1))
    store.apply(KINDS, step(1, row(one, 1), row(gadget("g", widget=("a",)), 1)))
    store.apply(KINDS, step(3, tombstone(one, 1, 3, updated=2)))
    (live,) = store.live(WIDGET, "a")
    assert (live.values["status"], live.path, live.line) == ("INACTIVE", None, None)
    assert live.values["updated_at"] == stamp(3).time
    base = store.base(KINDS)
    assert base.by_name(one.key) == base.declared_in(one.path) == base.paths(["Widget"]) == ()
    assert typed(base.row(one.row_id)) == typed(tombstone(one, 1, 3, updated=2))
    assert names(base.referrers_of(one.key)) == ["g"]


def test_what_left_git_is_deleted_where_it_cannot_be_inactive(store: Store) -> None:
    one = gadget("g", twin=("h",))
    store.apply(KINDS, step(1, row(one, 1), row(gadget("h"), 1)))
    store.apply(KINDS, step(2, tombstone(one, 1, 2)))
    assert [live.name for live in store.live(GADGET)] == ["h"]
    base = store.base(KINDS)
    assert base.row(one.row_id) == tombstone(one, 1, 2)
    assert base.referrers_of(Key("Gadget", "h")) == ()


@pytest.mark.parametrize("one", [widget("a"), gadget("a")], ids=["inactive", "deleted"])
def test_what_comes_back_is_no_tombstone_any_more(store: Store, one: Resource) -> None:
    store.apply(KINDS, step(1, row(one, 1)))
    store.apply(KINDS, step(2, tombstone(one, 1, 2)))
    store.apply(KINDS, step(3, row(one, 1, 3)))
    base = store.base(KINDS)
    assert list(base.rows()) == [row(one, 1, 3)]
    assert base.by_name(one.key) == (one,)
    store.apply(KINDS, step(4, tombstone(one, 1, 4)))
    assert list(store.base(KINDS).rows()) == [tombstone(one, 1, 4)]


def test_a_name_may_be_taken_over_from_what_left(store: Store) -> None:
    old, new = widget("a", widget_id=uid(2)), widget("a", widget_id=uid(1))
    store.apply(KINDS, step(1, row(old, 1)))
    store.apply(KINDS, step(2, tombstone(old, 1, 2), row(new, 2)))
    assert [(one.values["widget_id"], one.path is None) for one in store.live(WIDGET, "a")] == [
        (uid(1), False),
        (uid(2), True),
    ]
    assert store.base(KINDS).by_name(new.key) == (new,)


def test_names_change_hands_within_a_step(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("x", widget_id=uid(1)), 1), row(widget("y", widget_id=uid(2)), 1)))
    swapped = [widget("y", widget_id=uid(1)), widget("x", widget_id=uid(2))]
    store.apply(KINDS, step(2, *(row(one, 1, 2) for one in swapped)))
    base = store.base(KINDS)
    assert [one.id for name in "xy" for one in base.by_name(Key("Widget", name))] == [uid(2), uid(1)]
    assert store.counts()["Widget"] == 2


def test_referring_goes_by_role_kind_and_the_whole_name(store: Store) -> None:
    name = 'w1"\\ä'
    found = [
        gadget("by-role", widget=(name,)),
        gadget("by-list", spares=("other", name)),
        gadget("longer", widget=(f"{name}0",)),
        gadget("other-kind", twin=(name,)),
        gadget("none"),
    ]
    store.apply(KINDS, step(1, *(row(one, 1) for one in found)))
    base = store.base(KINDS)
    assert names(base.referrers_of(Key("Widget", name))) == ["by-list", "by-role"]
    assert names(base.referrers_of(Key("Gadget", name))) == ["other-kind"]
    assert base.referrers_of(Key("Nothing", name)) == ()


def test_paths_are_those_of_the_kinds_asked_for(store: Store) -> None:
    both = [
        widget("a", path="2.yaml"),
        widget("b", path="2.yaml"),
        gadget("g", path="1.yaml"),
        widget("c", path="0.yaml"),
    ]
    store.apply(KINDS, step(1, *(row(one, 1) for one in both)))
    base = store.base(KINDS)
    assert base.paths(["Widget"]) == ("0.yaml", "2.yaml")
    assert base.paths(["Widget", "Gadget"]) == ("0.yaml", "1.yaml", "2.yaml")
    assert base.paths(["Nothing"]) == base.paths([]) == ()


def test_replace_leaves_nothing_else(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1), row(gadget("g"), 1)))
    store.apply(KINDS, step(2, tombstone(widget("a"), 1, 2), tombstone(gadget("g"), 1, 2)))
    rows = [row(widget("b"), 1), tombstone(widget("c"), 1, 2), tombstone(gadget("h"), 1, 2)]
    store.replace(KINDS, step(5, *rows))
    assert sorted(one.resource.name for one in store.base(KINDS).rows()) == ["b", "c", "h"]
    assert [one.name for one in store.live(WIDGET)] == ["b", "c"]
    assert store.live(GADGET) == ()
    applied = store.applied()
    assert applied is not None
    assert applied.stamp == stamp(5)
    store.replace(KINDS, step(6, *rows))
    assert len(list(store.base(KINDS).rows())) == 3


def test_kinds_come_back_with_their_keys_in_order(store: Store) -> None:
    store.apply(KINDS, step(1))
    found = store.kinds()
    assert found == {"Gadget": GADGET.schema, "Widget": WIDGET.schema}
    assert list(found["Widget"]["about"]) == ["z", "a"]
    assert store.counts() == {"Gadget": 0, "Widget": 0}


def test_a_kind_may_join(store: Store) -> None:
    store.apply(Kinds((WIDGET,)), step(1, row(widget("a"), 1)))
    assert store.live(GADGET) == ()
    store.apply(KINDS, step(2, row(gadget("g", widget=("a",)), 2)))
    assert [one.name for one in store.live(WIDGET)] == ["a"]
    assert names(store.base(KINDS).referrers_of(Key("Widget", "a"))) == ["g"]


def test_rows_stay_when_their_kind_gains_a_field(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1), row(widget("b"), 1), row(widget("gone"), 1)))
    store.apply(KINDS, step(2, tombstone(widget("gone"), 1, 2)))
    new = widget("b", kind=TALLER, height=1.5)
    store.apply(TALLER_KINDS, step(3, row(new, 1, 3)))
    assert [(one.name, one.values["height"], one.values["status"]) for one in store.live(TALLER)] == [
        ("a", None, "ACTIVE"),
        ("b", 1.5, "ACTIVE"),
        ("gone", None, "INACTIVE"),
    ]
    assert store.kinds()["Widget"] == TALLER.schema
    base = store.base(TALLER_KINDS)
    assert base.row(new.row_id) == row(new, 1, 3)
    assert base.row(widget("gone").row_id) == tombstone(widget("gone"), 1, 2)
    stayed = base.row(widget("a").row_id)
    assert stayed is not None
    assert (stayed.created, stayed.updated, stayed.resource.digest) == (stamp(1), stamp(1), widget("a").digest)


def test_the_base_can_be_read_with_kinds_that_come_next(store: Store) -> None:
    store.apply(Kinds((WIDGET,)), step(1, row(widget("a"), 1)))
    base = store.base(TALLER_KINDS)
    assert base.row(widget("a").row_id) == row(widget("a"), 1)
    assert base.by_name(Key("Gadget", "a")) == base.referrers_of(Key("Widget", "a")) == ()


def test_a_kind_may_go_with_its_last_row(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1), row(widget("b"), 1)))
    store.apply(KINDS, step(2, tombstone(widget("b"), 1, 2)))
    store.apply(Kinds((GADGET,)), step(3, tombstone(widget("a"), 1, 3)))
    assert store.counts() == {"Gadget": 0}
    assert store.live(WIDGET) == ()


def test_a_kind_stays_while_anything_of_it_is_declared(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1), row(widget("b"), 1)))
    before = observe(store, KINDS)
    with pytest.raises(NeedsHuman, match="the kind Widget is gone"):
        store.apply(Kinds((GADGET,)), step(2, tombstone(widget("a"), 1, 2)))
    assert observe(store, KINDS) == before


def test_replace_drops_kinds_without_asking(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1)))
    store.replace(Kinds((GADGET,)), step(2, row(gadget("g"), 2)))
    assert store.counts() == {"Gadget": 1}
    assert list(store.kinds()) == ["Gadget"]


def test_a_refusal_changes_no_row(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1)))
    before, applied = observe(store, KINDS), store.applied()
    attempt = Attempt(stamp(2), commit(9).stamp.time, refused=True, problems=(ERROR, WARNING))
    store.refuse(attempt)
    assert store.last_attempt() == attempt
    assert (observe(store, KINDS), store.applied()) == (before, applied)
    store.apply(KINDS, step(3))
    after = store.last_attempt()
    assert after is not None
    assert (after.stamp, after.refused, after.problems) == (stamp(3), False, ())


def test_a_refusal_may_come_first(store: Store) -> None:
    attempt = Attempt(stamp(1), stamp(1).time, refused=True, problems=(ERROR,))
    store.refuse(attempt)
    assert (store.applied(), store.last_attempt()) == (None, attempt)


def test_only_refused_attempts_are_refusals(store: Store) -> None:
    with pytest.raises(BugError):
        store.refuse(Attempt(stamp(1), stamp(1).time, refused=False, problems=()))


@pytest.mark.parametrize("how", ["apply", "replace"])
def test_a_step_that_makes_no_sense_changes_nothing(store: Store, how: str) -> None:
    store.apply(KINDS, step(1, row(widget("a"), 1)))
    before, applied = observe(store, KINDS), store.applied()
    with pytest.raises(BugError, match="twice"):
        getattr(store, how)(KINDS, step(2, row(widget("b"), 2), tombstone(widget("b"), 1, 2)))
    with pytest.raises(BugError, match="no kind Gadget"):
        getattr(store, how)(Kinds((WIDGET,)), step(2, row(gadget("g"), 2)))
    assert (observe(store, KINDS), store.applied()) == (before, applied)


def test_a_store_tells_its_owner(store: Store) -> None:
    desk = owner("git@example.org:desk.git", "main")
    once = replace(desk, branch="trial", url="https://example.org/desk", bound=False)
    moved = replace(desk, url="https://example.org/desk", folder="fx", roots=frozenset({"1" * 40, "2" * 40}))
    steps = [desk, desk, replace(desk, branch="next"), moved, replace(moved, roots=frozenset()), once]
    assert store.owner() is None
    for step_ in steps:
        store.bind(step_)
        assert store.owner() == step_
    assert [(event.event, event.detail.get("before")) for event in store.events_after(0, 9)] == [
        ("bound", None),
        ("bound", "main"),
        ("bound", "next"),
        ("repository-moved", "git@example.org:desk.git"),
        ("bound", "main"),
    ]
    assert (desk.bound_branch, once.bound_branch) == ("main", None)


def test_what_the_ledger_was_last_seen_to_have_is_kept_by_branch(store: Store) -> None:
    assert store.recorded_versions("main") == 0
    for versions in (7, 3):
        store.note_recorded_versions("main", versions)
    assert (store.recorded_versions("main"), store.recorded_versions("next")) == (3, 0)
