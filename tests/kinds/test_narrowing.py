"""Which changes of a schema could make rows impossible that are already written."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.kinds.load import find_narrowings
from tests.kinds.loading import load, shipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.kinds.kind import Kind

    Edit = Callable[[dict[str, Any], dict[str, Any], dict[str, str]], Any]

CASES = Path(__file__).parent.parent / "cases" / "schemas"
DESK: dict[str, Any] = json.loads((CASES / "positive" / "desk.schema.json").read_text())
DESK["properties"]["spec"]["properties"]["city"]["enum"] = ["LONDON", "TOKYO"]
FLOOR = {"description": "Which floor it is on.", "type": "integer", "minimum": 0, "exclusiveMaximum": 90}


def _kind(schema: dict[str, Any]) -> Kind:
    kinds, problems = load({"desk.json": json.dumps(schema).encode()})
    assert problems == ()
    return kinds.by_name["Desk"]


def _base() -> dict[str, Any]:
    schema = copy.deepcopy(DESK)
    schema["properties"]["spec"]["properties"]["floor"] = dict(FLOOR)
    schema["x-reconciler"]["columns"]["floor"] = "INTEGER"
    schema["properties"]["spec"]["properties"]["note"] = {"description": "Anything.", "type": "string"}
    schema["x-reconciler"]["columns"]["note"] = "VARCHAR"
    return schema


def _edited(edit: Edit) -> Kind:
    schema = _base()
    edit(schema, schema["properties"]["spec"], schema["x-reconciler"]["columns"])
    return _kind(schema)


def _drop(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    del spec["properties"]["floor"], columns["floor"]


def _retype(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    spec["properties"]["floor"]["type"], columns["floor"] = "number", "FLOAT"


def _shorten(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    spec["properties"]["city"]["maxLength"], columns["city"] = 10, "VARCHAR(10)"


def _lengthen(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    spec["properties"]["city"]["maxLength"], columns["city"] = 40, "VARCHAR(40)"


def _limit(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    spec["properties"]["note"]["maxLength"], columns["note"] = 500, "VARCHAR(500)"


def _add(_: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    spec["properties"]["phone"], columns["phone"] = {"description": "Its phone.", "type": "string"}, "VARCHAR"


def _add_required(schema: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    _add(schema, spec, columns)
    spec["required"].append("phone")


def _rekey(schema: dict[str, Any], spec: dict[str, Any], columns: dict[str, str]) -> None:
    spec["properties"]["other_id"], columns["other_id"] = spec["properties"]["desk_id"], "UUID"
    schema["x-reconciler"]["key"] = "other_id"


def _set(field: str, **keywords: Any) -> Edit:
    return lambda _schema, spec, _columns: spec["properties"][field].update(keywords)


FIELD = "/properties/spec/properties"


@pytest.mark.parametrize(
    ("edit", "pointers"),
    [
        (_drop, ["/x-reconciler/columns/floor"]),
        (_retype, ["/x-reconciler/columns/floor"]),
        (_shorten, ["/x-reconciler/columns/city"]),
        (_limit, ["/x-reconciler/columns/note"]),
        (_add_required, [f"{FIELD}/phone"]),
        (_rekey, ["/x-reconciler/key", f"{FIELD}/other_id"]),
        (lambda schema, _, __: schema["x-reconciler"].update(table="desks2"), ["/x-reconciler/table"]),
        (lambda _, spec, __: spec["required"].append("floor"), [f"{FIELD}/floor"]),
        (_set("city", enum=["LONDON"]), [f"{FIELD}/city/enum"]),
        (_set("note", enum=["A"]), [f"{FIELD}/note/enum"]),
        (_set("floor", minimum=1), [f"{FIELD}/floor"]),
        (_set("floor", exclusiveMinimum=0), [f"{FIELD}/floor"]),
        (_set("floor", maximum=80), [f"{FIELD}/floor"]),
        (_set("floor", exclusiveMaximum=89), [f"{FIELD}/floor"]),
    ],
)
def test_narrowing(edit: Edit, pointers: list[str]) -> None:
    found = find_narrowings(_kind(_base()), _edited(edit))
    assert [one.pointer for one in found] == pointers
    assert all(one.message and one.hint for one in found)


@pytest.mark.parametrize(
    "edit",
    [
        lambda *_: None,
        _add,
        _lengthen,
        lambda _, spec, __: spec["required"].remove("loss"),
        lambda _, spec, __: spec["properties"]["city"].pop("enum"),
        lambda schema, *_: schema["x-reconciler"].update(indexes=[]),
        lambda schema, *_: schema.update(description="Another one."),
        _set("city", enum=["TOKYO", "LONDON", "PARIS"]),
        _set("floor", minimum=-3),
        _set("floor", maximum=90),
        _set("floor", exclusiveMinimum=-1),
        _set("floor", exclusiveMaximum=91),
    ],
)
def test_widening(edit: Edit) -> None:
    assert find_narrowings(_kind(_base()), _edited(edit)) == ()


def test_the_message_names_the_limit() -> None:
    (found,) = find_narrowings(_kind(_base()), _edited(_set("floor", exclusiveMaximum=50)))
    assert found.message == "floor must now be less than 50"
    assert "policy" in found.hint


@pytest.mark.parametrize("kind", shipped().members, ids=lambda kind: str(kind.name))
def test_nothing_is_narrower_than_itself(kind: Kind) -> None:
    assert find_narrowings(kind, kind) == ()
