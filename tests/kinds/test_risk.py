"""Whether a change loosens or tightens: what is not said loosens, and what is said holds both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.bundled import load_bundled_schemas
from reconciler.kinds.risk import (
    Direction,
    FieldRisk,
    combine,
    fields_without_rule,
    find_rule,
    judge_change,
    judge_field,
)
from reconciler.model.change import Change, FieldChange, Op, Prune, Resource
from tests.kinds.loading import example, load, shipped
from tests.support.laws import examples

LOOSEN, TIGHTEN, NEUTRAL = Direction.LOOSEN, Direction.TIGHTEN, Direction.NEUTRAL
USER = {
    "user_id": "6a3c2f0e-0000-4000-8000-000000000001",
    "lot_size_type": "FIXED",
    "lot_size_value": 0.1,
    "risk_per_trade_percent": 0.75,
    "stop_loss_type": "ATR",
    "take_profit_type": "ATR",
    "max_open_trades": 3,
    "trade_direction": "BUY",
    "status": "ACTIVE",
}


def resource(kind: str = "User", labels: dict[str, str] | None = None, **values: Any) -> Resource:
    return Resource(kind, "ann", "1", {**USER, **values}, labels or {}, {}, {}, "users/ann.yaml", 1, repr(values))


def change(old: dict[str, Any], new: dict[str, Any]) -> Change:
    return Change(Op.UPDATE, resource(**old), resource(**new))


@pytest.mark.parametrize(
    ("field", "old", "new", "expected", "factor"),
    [
        ("risk_per_trade_percent", 0.75, 60, LOOSEN, 80),
        ("risk_per_trade_percent", 60, 0.75, TIGHTEN, 0.0125),
        ("max_open_trades", 3, 2, TIGHTEN, 0.666667),
        ("max_open_trades", 0, 2, LOOSEN, None),
        ("status", "ACTIVE", "INACTIVE", TIGHTEN, None),
        ("status", "INACTIVE", "ACTIVE", LOOSEN, None),
        ("trade_direction", "BUY", "BOTH", LOOSEN, None),
        ("trade_direction", "BOTH", "SELL", TIGHTEN, None),
        ("trade_direction", "BUY", "SELL", LOOSEN, None),  # neither is less than the other
        ("stop_loss_type", "ATR", "FIXED", LOOSEN, None),  # nothing is said of it
        ("risk_per_trade_percent", 0.75, None, LOOSEN, None),
        ("risk_per_trade_percent", None, 0.75, LOOSEN, None),
        ("risk_per_trade_percent", 0.75, "0.5", LOOSEN, None),
        ("risk_per_trade_percent", 0.75, True, LOOSEN, None),
        ("risk_per_trade_percent", 1e-300, 1e300, LOOSEN, None),
    ],
)
def test_what_a_field_does(field: str, old: Any, new: Any, expected: Direction, factor: float | None) -> None:
    one = change({field: old}, {field: new})
    [told] = one.fields
    assert judge_field(one, told, shipped().by_name["User"]) == FieldRisk(expected, factor)
    assert judge_change(one, shipped()) is expected


@pytest.mark.parametrize(("old", "new", "expected"), [(1.0, 3.0, TIGHTEN), (3.0, 1.0, LOOSEN)])
def test_of_some_numbers_less_loosens(old: float, new: float, expected: Direction) -> None:
    one = Change(Op.UPDATE, resource("Account", margin_requirement=old), resource("Account", margin_requirement=new))
    assert judge_change(one, shipped()) is expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (FieldChange("labels.desk", "fx", "gold"), LOOSEN),
        (FieldChange("annotations.contact", "ann", "ben"), NEUTRAL),
        (FieldChange("name", "ann", "ben"), LOOSEN),
        (FieldChange("refs.broker", "a", "b"), LOOSEN),
        (FieldChange("no_field", 1, 2), LOOSEN),
        (FieldChange("annotations", 1, 2), NEUTRAL),
    ],
)
def test_what_metadata_does(field: FieldChange, expected: Direction) -> None:
    assert judge_field(change({}, {}), field, shipped().by_name["User"]).direction is expected


def test_a_number_in_json_has_no_factor() -> None:
    """It may be larger than any float."""
    [broker] = [kind for kind in example() if kind.name == "Broker"]
    field = FieldChange("leverage_cap", 3, 10**400)
    assert judge_field(change({}, {}), field, broker) == FieldRisk(LOOSEN)


def test_a_value_that_means_another_thing_loosens_whatever_becomes_of_its_number() -> None:
    """2 lots become 0.1 percent: the number is smaller, and nobody can say whether the risk is."""
    for new in (0.1, 2.0):
        one = change({"lot_size_value": 2.0}, {"lot_size_value": new, "lot_size_type": "PERCENTAGE"})
        assert judge_change(one, shipped()) is LOOSEN
        smaller = FieldChange("lot_size_value", 2.0, 0.1)
        assert judge_field(one, smaller, shipped().by_name["User"]) == FieldRisk(LOOSEN)
    schema = with_risk({"lot_size_value": "up", "lot_size_type": {"FIXED": "up"}, "status": {"ACTIVE": "up"}})
    [kinds, _] = load({"schemas/robot.schema.json": schema}, shipped())
    one = Change(
        Op.UPDATE,
        resource("Robot", lot_size_type="FIXED", lot_size_value=2.0),
        resource("Robot", lot_size_type="PERCENTAGE", lot_size_value=2.0),
    )
    assert judge_change(one, kinds) is LOOSEN  # though of its type alone it tightens


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (Change(Op.CREATE, None, resource()), LOOSEN),
        (Change(Op.CREATE, None, resource(status="INACTIVE")), NEUTRAL),
        (Change(Op.CREATE, None, resource("System")), LOOSEN),
        (Change(Op.DELETE, resource(), None, Prune.DELETE), TIGHTEN),
        (Change(Op.DELETE, resource(), None, Prune.DEACTIVATE), TIGHTEN),
        (Change(Op.DELETE, resource(), None, Prune.OFF), NEUTRAL),
        (Change(Op.DELETE, resource(status="INACTIVE"), None, Prune.DELETE), NEUTRAL),
        (Change(Op.DELETE, resource("System"), None, Prune.DELETE), LOOSEN),
        (Change(Op.DELETE, resource("Unknown"), None, Prune.DELETE), LOOSEN),
        (change({}, {"max_open_trades": 1, "risk_per_trade_percent": 5.0}), LOOSEN),
        (change({}, {"max_open_trades": 1, "risk_per_trade_percent": 0.5}), TIGHTEN),
    ],
)
def test_what_a_resource_does(one: Change, expected: Direction) -> None:
    assert judge_change(one, shipped()) is expected


numbers = st.one_of(st.integers(-1000, 1000), st.floats(-1000, 1000, allow_nan=False))


@given(st.sampled_from(["risk_per_trade_percent", "max_open_trades", "lot_size_value"]), numbers, numbers)
@settings(max_examples=examples(200))
def test_what_loosens_tightens_the_other_way_round(field: str, old: float, new: float) -> None:
    kind = shipped().by_name["User"]
    there, back = FieldChange(field, old, new), FieldChange(field, new, old)
    told = {judge_field(change({}, {}), one, kind).direction for one in (there, back)}
    assert told == ({LOOSEN, TIGHTEN} if old != new else told)


@given(st.lists(st.sampled_from(Direction), max_size=6))
@settings(max_examples=examples(100))
def test_one_that_loosens_is_not_made_good(directions: list[Direction]) -> None:
    together = combine(directions)
    assert (together is LOOSEN) == (LOOSEN in directions)
    assert (together is NEUTRAL) == (not {LOOSEN, TIGHTEN} & {*directions})


@given(st.data())
@settings(max_examples=examples(200))
def test_nothing_but_what_a_schema_says_is_harmless(data: st.DataObject) -> None:
    """Any value to any other, of any field of any kind: it loosens unless the schema has a rule for the field."""
    kind = data.draw(st.sampled_from(list(example())))
    field = data.draw(st.sampled_from([column.name for column in kind.columns]))
    value = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=4), st.sampled_from(["ACTIVE", "INACTIVE"]))
    old, new = data.draw(value), data.draw(value)
    one = Change(Op.UPDATE, resource(kind.name), resource(kind.name))
    told = judge_field(one, FieldChange(field, old, new), kind).direction
    assert told is LOOSEN or find_rule(kind, field) is not None


def with_risk(risk: object) -> bytes:
    schema = json.loads(load_bundled_schemas()["schemas/user.schema.json"])
    schema["x-reconciler"]["risk"] = risk
    return json.dumps(schema).replace('"User"', '"Robot"').replace("user_config", "robot_config").encode()


@pytest.mark.parametrize(
    ("risk", "told"),
    [
        ({"status": {"ACTIVE": "up"}, "annotations": "neutral", "labels": "neutral", "name": "neutral"}, ""),
        ({"risk_per_trade_percent": "down"}, ""),
        ({"statuss": "neutral"}, "no field (did you mean status?)"),
        ({"user_id": "neutral"}, "no field"),
        ({"refs.broker": "neutral"}, "no field"),
        ({"labels": "up"}, "has no order"),
        ({"status": "up"}, "is no number"),
        ({"status": {"ACTIV": "up"}}, "is never ACTIV (did you mean ACTIVE?)"),
        ({"max_open_trades": {"1": "up"}}, "has no list of values"),
        ({"max_open_trades": "upp"}, ""),
        ({"max_open_trades": 1}, ""),
    ],
)
def test_a_schema_says_only_what_can_be(risk: dict[str, Any], told: str) -> None:
    kinds, problems = load({"schemas/robot.schema.json": with_risk(risk)}, shipped())
    is_sound = not told and risk.get("max_open_trades") not in ("upp", 1)
    assert ("Robot" in kinds.by_name, not problems) == (is_sound, is_sound)
    assert all(told in one.message and one.code == "bad-schema" for one in problems)


def test_shipped_kinds_say_what_loosens() -> None:
    silent = {kind.name: fields_without_rule(kind) for kind in shipped()}
    assert silent == {
        "Account": ("broker_id", "spread_type", "commission", "currency_pair"),
        "Instance": ("path", "cpu_limit_percent", "memory_limit_mb", "connection_timeout_sec"),
        "Signal": ("entry_strategy", "exit_strategy", "lot_size_type"),
        "System": (),
        "User": ("lot_size_type", "stop_loss_type", "take_profit_type"),
    }
