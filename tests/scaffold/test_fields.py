"""The table of a kind's fields says what the schema says."""

from __future__ import annotations

from reconciler.scaffold.template import FieldDescription, describe_fields
from tests.scaffold.kinds import example_kinds, thing

KINDS = example_kinds().by_name


def test_a_row_for_each_column_and_reference() -> None:
    rows = {row.name: row for row in describe_fields(KINDS["Account"])}
    assert [*rows][:2] == ["account_id", "broker_id"]
    assert [*rows][-3:] == ["refs.broker", "refs.user", "refs.instance"]
    assert rows["refs.broker"].type == "name of Broker"
    assert not rows["refs.broker"].required
    commission = rows["commission"]
    assert (commission.type, commission.unit, commission.allowed) == ("FLOAT", "per lot", "0 to 50")
    assert rows["currency_pair"].allowed == "at most 10 characters"
    assert rows["status"].allowed == "ACTIVE or INACTIVE"
    assert rows["account_id"].required is False
    assert rows["leverage"].required is True


def test_a_list_of_names_is_told_as_one() -> None:
    assert describe_fields(KINDS["Signal"])[-1].type == "names of User"


def test_required_references_and_single_words() -> None:
    kind = thing({"mode": {"type": "string", "enum": ["ONLY"]}, "on": {"type": "boolean"}}, refs=("parent",))
    rows = describe_fields(kind)
    assert [row.allowed for row in rows] == ["", "ONLY", "true or false", ""]
    assert rows[-1] == FieldDescription("refs.parent", "name of Thing", "", "", True, "")
