"""What a rollback skips does not come back by itself, whatever is declared after it: against a tiny model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Change, Key, Op, Resource, Row, RowId, Stamp, content_digest
from reconciler.model.rollback import Skipped
from reconciler.reconcile.rollback import Candidate, skipped_values, still_held, without_target
from reconciler.snapshot.snapshot import change_between

State: TypeAlias = dict[str, dict[str, int | None]]
"""The fields of each resource by its id, which is its name, too."""
STAMP = Stamp("c" * 40, datetime(2026, 3, 1, tzinfo=UTC))
FIELDS = st.fixed_dictionaries({"lots": st.sampled_from([None, 1, 2]), "risk": st.sampled_from([0, 1])})
STATES = st.dictionaries(st.sampled_from("abc"), FIELDS, max_size=3)


def resource(id_: str, name: str, values: dict[str, int | None]) -> Resource:
    own = {"id": id_, **values}
    return Resource("User", name, id_, own, {}, {}, {}, "a.yaml", 1, content_digest(Key("User", name), own, {}, {}, {}))


def resources(state: State) -> list[Resource]:
    return [resource(name, name, values) for name, values in state.items()]


def candidate(declared: list[Resource]) -> Candidate:
    return Candidate(
        lambda row_id: [one for one in declared if one.row_id == row_id],
        lambda key: [one for one in declared if one.key == key],
        {},
    )


def skip(target: State, head: State) -> Skipped:
    old, new = ({one.row_id: Row(one, STAMP, STAMP) for one in resources(state)} for state in (target, head))
    changes: list[Change] = []
    for row_id in {**old, **new}:
        gone = Change(Op.DELETE, old[row_id].resource, None) if row_id not in new else None
        change = gone or change_between(old.get(row_id), new[row_id])
        if change is not None:
            changes.append(change)
    return skipped_values(changes)


def passes(target: State, head: State, newer: State) -> bool:
    """Whether a newer state may go live by itself, said in the fewest words."""
    for name in {*target, *head}:
        was, bad, now = target.get(name), head.get(name), newer.get(name)
        if was == bad:
            continue
        if bad is None:
            if now is None:
                return False
        elif now is not None and any(
            now[field] == bad[field] for field in bad if (was[field] != bad[field] if was else bad[field] is not None)
        ):
            return False
    return True


@given(STATES, STATES, STATES)
def test_what_is_held_is_what_the_model_holds(target: State, head: State, newer: State) -> None:
    held = still_held(skip(target, head), candidate(resources(newer)))
    assert (not held) == passes(target, head, newer)


@given(STATES, STATES)
def test_a_revert_goes_live_and_the_skipped_head_does_not(target: State, head: State) -> None:
    skipped = skip(target, head)
    assert not still_held(skipped, candidate(resources(target)))
    assert bool(still_held(skipped, candidate(resources(head)))) == (target != head)


@given(STATES, STATES, st.sampled_from("xyz"), FIELDS)
def test_a_commit_about_something_else_changes_nothing(
    target: State, head: State, name: str, values: dict[str, int | None]
) -> None:
    skipped = skip(target, head)
    unrelated = candidate(resources({**head, name: values}))
    assert still_held(skipped, unrelated) == still_held(skipped, candidate(resources(head)))


@given(STATES, STATES)
def test_neither_a_new_id_nor_a_new_name_lets_a_value_through(target: State, head: State) -> None:
    skipped = skip(target, head)
    renamed = candidate([resource(one.id, f"{one.name}2", dict(head[one.name])) for one in resources(head)])
    anew = candidate([resource(f"{one.id}2", one.name, dict(head[one.name])) for one in resources(head)])
    for disguised in (renamed, anew):
        assert bool(still_held(skipped, disguised)) == (target != head)


@given(STATES, STATES, STATES)
def test_what_the_target_of_a_newer_rollback_says_is_no_longer_skipped(first: State, head: State, older: State) -> None:
    """From the head to the first, then to the older one: a revert to that goes live, and nothing else is let go."""
    before, at_older = skip(first, head), candidate(resources(older))
    both = skip(older, first) + without_target(before, at_older)
    assert not still_held(both, at_older)
    if not still_held(before, at_older):
        assert still_held(both, candidate(resources(head))) or older == head


def test_it_is_kept_as_json() -> None:
    skipped = skip({"a": {"lots": 1, "risk": 0}, "b": {"lots": None, "risk": 1}}, {"a": {"lots": None, "risk": 0}})
    assert Skipped.decode(skipped.encode()) == skipped
    assert list(skipped.names()) == ["User a lots", "User b"]
    assert RowId("User", "a") in {RowId(one.kind, one.id) for one in skipped.resources}
