"""Wrong schemas are refused with file, place and pointer; good ones become kinds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.bundled import load_bundled_schemas
from reconciler.decode.document import decode
from reconciler.kinds.build import build_kind
from reconciler.kinds.kind import Kinds, SqlType
from reconciler.kinds.load import load_kinds
from tests.kinds.loading import example, load, meta, shipped
from tests.support.laws import examples

CASES = Path(__file__).parent.parent / "cases" / "schemas"
POSITIVE = sorted((CASES / "positive").glob("*.schema.json"))
NEGATIVE = sorted((CASES / "negative").glob("*.schema.json"))
DESK = (CASES / "positive" / "desk.schema.json").read_bytes()
SHIPPED = {path: json.loads(text) for path, text in load_bundled_schemas().items()}


def test_there_are_cases() -> None:
    assert len(POSITIVE) >= 7
    assert len(NEGATIVE) >= 50
    assert {file.name.removesuffix(".expect") for file in (CASES / "negative").glob("*.expect")} == {
        file.name.removesuffix(".schema.json") for file in NEGATIVE
    }


@pytest.mark.parametrize("file", POSITIVE, ids=lambda file: str(file.name))
def test_positive(file: Path) -> None:
    kinds, problems = load({f"schemas/{file.name}": file.read_bytes()}, shipped())
    assert problems == ()
    assert set(kinds.by_name) == {*shipped().by_name, "Desk"}
    assert kinds.by_name["Desk"].origin == f"schemas/{file.name}"


@pytest.mark.parametrize("file", NEGATIVE, ids=lambda file: str(file.name))
def test_negative(file: Path) -> None:
    """The `.expect` file has a line for each problem: LINE:COLUMN POINTER MESSAGE, with - for the empty pointer."""
    expected = file.with_name(file.name.replace(".schema.json", ".expect")).read_text().splitlines()
    path = f"schemas/{file.name}"
    kinds, problems = load({path: file.read_bytes()}, shipped())
    assert [f"{one.line}:{one.column} {one.pointer or '-'} {one.message}" for one in problems] == expected
    assert {(one.path, one.code) for one in problems} == {(path, "bad-schema")}
    assert kinds == shipped()


def test_the_kind_of_a_schema() -> None:
    kinds, _ = load({"schemas/desk.schema.json": DESK}, shipped())
    desk = kinds.by_name["Desk"]
    loss = desk.column("loss")
    assert (desk.table, desk.key, desk.indexes) == ("desk_config", "desk_id", (("desk_id", "city"),))
    assert [column.name for column in desk.columns] == ["desk_id", "city", "loss"]
    assert loss is not None
    assert (loss.type, loss.required, loss.bounds, loss.unit) == (SqlType.FLOAT, True, {"minimum": 0}, "USD")
    assert loss.description == "The most it may lose."
    assert build_kind(desk.schema, desk.origin) == desk


def test_a_unit_may_depend_on_another_column() -> None:
    size = shipped().by_name["User"].column("lot_size_value")
    assert size is not None
    assert size.unit == "lots or percent"
    units = [size.unit_in({"lot_size_type": word}) for word in ("FIXED", "PERCENTAGE", "OTHER", None)]
    assert units == ["lots", "percent", "lots or percent", "lots or percent"]


def test_the_key_column_comes_first_wherever_it_is_written() -> None:
    schema = json.loads(DESK)
    columns = schema["x-reconciler"]["columns"]
    columns["desk_id"] = columns.pop("desk_id")
    kinds, problems = load({"a.json": json.dumps(schema).encode()})
    assert problems == ()
    assert [column.name for column in kinds.by_name["Desk"].columns] == ["desk_id", "city", "loss"]


def test_one_wrong_file_does_not_hide_another() -> None:
    wrong = DESK.replace(b"maxLength", b"maxLenght")
    kinds, problems = load({"b.json": DESK, "a.json": wrong, "c.json": b"{]"}, shipped())
    assert [(one.path, one.code) for one in problems] == [("a.json", "bad-schema"), ("c.json", "yaml-syntax")]
    assert kinds.by_name["Desk"].origin == "b.json"


def test_of_two_that_clash_the_first_stays() -> None:
    kinds, problems = load({"b.json": DESK, "a.json": DESK}, shipped())
    assert kinds.by_name["Desk"].origin == "a.json"
    assert [(one.path, one.pointer) for one in problems] == [
        ("b.json", "/properties/kind/const"),
        ("b.json", "/x-reconciler/table"),
    ]


def test_a_reference_to_a_kind_that_is_wrong_is_not_told_as_well() -> None:
    room = json.loads(DESK)
    room["properties"]["kind"]["const"] = "Room"
    room["x-reconciler"]["table"] = "room_config"
    room["x-reconciler"]["references"]["lead"]["kind"] = "Desk"
    wrong = DESK.replace(b"maxLength", b"maxLenght")
    kinds, problems = load({"desk.json": wrong, "room.json": json.dumps(room).encode()}, shipped())
    assert [one.path for one in problems] == ["desk.json"]
    assert "Room" in kinds.by_name


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b"null", b"--- {}\n--- {}", b'{"a": no}', b"\xff"])
def test_no_schema_at_all(text: bytes) -> None:
    kinds, problems = load({"schemas/x.schema.json": text}, shipped())
    assert [one.path for one in problems][:1] == ["schemas/x.schema.json"]
    assert kinds == shipped()


def test_kinds_are_in_order_and_found_by_what_people_type() -> None:
    names = [kind.name for kind in example()]
    assert names == sorted(names)
    for word in ("user", "USERS", "user_config", "User"):
        found = example().find(word)
        assert found is not None
        assert found.name == "User"


def test_a_number_with_an_exponent_is_json_and_a_number_that_json_lacks_is_not() -> None:
    kinds, problems = load({"schemas/desk.schema.json": DESK.replace(b'"minimum": 0', b'"minimum": 1e3')}, shipped())
    assert problems == ()
    assert kinds.by_name["Desk"].schema["$defs"]["money"]["minimum"] == 1000
    _, problems = load({"schemas/desk.schema.json": DESK.replace(b'"minimum": 0', b'"minimum": .5e3')}, shipped())
    assert [problem.message for problem in problems] == [".5e3 is no JSON"]


def test_the_digest_follows_the_content_and_not_the_layout() -> None:
    (path, text), *_ = load_bundled_schemas().items()
    respaced, _ = load({path: json.dumps(json.loads(text)).encode()})
    changed, _ = load({path: text.replace(b"A trading account", b"An account")})
    kind = shipped().by_name["Account"]
    assert respaced.by_name["Account"].digest == kind.digest
    assert changed.by_name["Account"].digest != kind.digest
    assert changed.changed_from(Kinds((kind,))) == {"Account"}


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in members for place in _places(member, (*path, key)))]


@st.composite
def broken_schemas(draw: st.DrawFn) -> Any:
    """A shipped schema with a few of its parts replaced, dropped or renamed."""
    schema = copy.deepcopy(draw(st.sampled_from(sorted(SHIPPED.items())))[1])
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([place for place in _places(schema) if place]))
        target = schema
        for step in way:
            target = target[step]
        part = target[last]
        match draw(st.sampled_from(["replace", "drop", "rename"])):
            case "replace":
                odd = [None, True, 0, -1, 0.5, "", "x", "#", "#/$defs", [], ["x"], {}, {"$ref": "#"}, part, [part]]
                target[last] = draw(st.sampled_from(odd))
            case "rename" if isinstance(target, dict):
                target[f"{last}x"] = target.pop(last)
            case _:
                target.pop(last)
    return schema


@settings(deadline=None, max_examples=examples(300))
@given(broken_schemas())
def test_whatever_is_wrong_is_a_problem_and_never_an_exception(schema: Any) -> None:
    text = json.dumps(schema, indent=1).encode()
    kinds, problems = load_kinds({"schemas/x.schema.json": decode("schemas/x.schema.json", text)}, meta())
    assert len(kinds.members) + bool(problems) == 1
    lines = text.decode().splitlines()
    for one in problems:
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.column <= len(lines[one.line - 1]) + 1


@pytest.mark.parametrize(
    ("halt", "told"),
    [
        ({"status": "INACTIVE"}, ""),
        ({"status": "INACTIVE", "max_open_trades": 1, "risk_per_trade_percent": 0.5}, ""),
        ({"status": "OFF"}, 'sets status to "OFF"'),
        ({"status": "inactive"}, "which the field cannot be"),
        ({"status": True}, "which the field cannot be"),
        ({"risk_per_trade_percent": 5000}, "which the field cannot be"),
        ({"risk_per_trade_percent": "0.5"}, "which the field cannot be"),
        ({"max_open_trades": 1.5}, "which the field cannot be"),
        ({"max_open_trades": True}, "which the field cannot be"),
        ({"max_open_trades": 10**12}, "which the field cannot be"),
        ({"lot_size_type": "x" * 40}, "which the field cannot be"),
        ({"statuss": "INACTIVE"}, "no column (did you mean status?)"),
        ({"user_id": "x"}, "which is the key"),
        ({"status": None}, "null"),
        ({}, "not possible here"),
    ],
)
def test_a_halt_sets_only_what_the_field_can_be(halt: dict[str, Any], told: str) -> None:
    schema = copy.deepcopy(SHIPPED["schemas/user.schema.json"])
    schema["x-reconciler"]["halt"] = halt
    text = json.dumps(schema).replace('"User"', '"Robot"').replace("user_config", "robot_config").encode()
    kinds, problems = load({"schemas/robot.schema.json": text}, shipped())
    assert ("Robot" in kinds.by_name, bool(problems)) == (not told, bool(told))
    assert all(told in one.message and one.code == "bad-schema" for one in problems)
