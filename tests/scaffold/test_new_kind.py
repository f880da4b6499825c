"""A kind from a sample, or from a JSON Schema of values: it is sound, and its first resource is valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.decode.document import decode
from reconciler.errors import UsageError
from reconciler.importing.samples import (
    sample_of_documents,
    sample_of_records,
    sample_of_settings,
    sample_of_table,
)
from reconciler.kinds.check import find_draft_fault
from reconciler.kinds.kind import Kinds
from reconciler.scaffold.files import NewFiles
from reconciler.scaffold.newkind import NewKind, Sample, derive_kind, kind_name, wrap_schema
from reconciler.validate.validator import Validator
from tests.kinds.loading import load, shipped
from tests.scaffold.kinds import ROW
from tests.support.laws import examples

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind

SETTINGS = """; saved on 2026.01.05
;
; Lots of each trade
InpLots=0.10||0.1||0.01||1.0||N

; Whether the stop follows
InpTrailingStop=false
InpComment=Gold; robot
InpLots,F=1
InpTimeFrame=16385||0||0||49153||Y
"""


def load_made(made: NewKind) -> Kind:
    kinds, problems = load({"schemas/venue.schema.json": made.text.encode()}, shipped())
    assert problems == (), made.text
    return kinds.by_name["Venue"]


def _files(kind: Kind) -> NewFiles:
    return NewFiles("", Kinds((kind,)), frozenset(), (), {}, counts=lambda _: True, exists=lambda _: False)


def first_of(sample: Sample) -> tuple[Kind, dict[str, Any]]:
    """The kind of a sample, and the values of its first resource, which is valid."""
    made = derive_kind("Venue", sample)
    kind = load_made(made)
    path, text = _files(kind).write_resource(kind, made.name, {kind.key: ROW, **made.spec})
    entry = Validator(Kinds((kind,))).check(path, decode(path, text.encode()))
    assert entry.problems == (), text
    (resource,) = entry.resources
    return kind, {name: value for name, value in resource.values.items() if name != kind.key}


def test_a_document_becomes_a_kind_and_its_first_resource() -> None:
    text = (
        b"name: London 1\nMaxSpread: 1.5\ncount: 3\non: true\ntiers: [1, 2.5]\nlimits: {a: 1}\nnothing:\nnote: 'x: y'\n"
    )
    sample = sample_of_documents(decode("a.yaml", text), "a.yaml", "a")
    kind, values = first_of(sample)
    types = {column.name: (str(column.type), column.required) for column in kind.columns}
    assert types == {
        "venue_id": ("UUID", True),
        "max_spread": ("FLOAT", True),
        "count": ("INTEGER", True),
        "on": ("BOOLEAN", True),
        "tiers": ("JSON", True),
        "limits": ("JSON", True),
        "nothing": ("VARCHAR", False),
        "note": ("VARCHAR", True),
    }
    assert values["max_spread"] == 1.5
    assert derive_kind("Venue", sample).name == "london-1"
    assert derive_kind("Venue", sample).notes == ("MaxSpread is called max_spread",)


def test_a_resource_gives_its_spec_and_its_name() -> None:
    text = b"apiVersion: v1\nkind: X\nmetadata: {name: fx}\nspec: {a: 1}\n"
    made = derive_kind("Venue", sample_of_documents(decode("a.yaml", text), "a.yaml", "a"))
    assert (made.name, made.spec) == ("fx", {"a": 1})


def test_a_table_is_typed_by_all_of_its_rows() -> None:
    rows = [["A", "007", "1", "true", ""], ["B", "8", "2.5", "false", "x"], ["C", "", "3", "true", ""]]
    kind, values = first_of(sample_of_table(["name", "code", "size", "live", "note"], rows, "t.csv", "t"))
    assert [str(column.type) for column in kind.columns] == ["UUID", "VARCHAR", "FLOAT", "BOOLEAN", "VARCHAR"]
    assert [column.required for column in kind.columns] == [True, False, True, True, False]
    assert values == {"code": "007", "size": 1, "live": True, "note": None}


def test_settings_of_metatrader_keep_their_comments() -> None:
    kind, values = first_of(sample_of_settings(SETTINGS, "ea.set", "ea"))
    assert values == {
        "inp_lots": 0.1,
        "inp_trailing_stop": False,
        "inp_comment": "Gold; robot",
        "inp_time_frame": 16385,
    }
    column = kind.column("inp_trailing_stop")
    assert column is not None
    assert column.description == "Whether the stop follows"


@pytest.mark.parametrize(
    "record",
    [
        {"password": "x", "a": {"api_token": "y", "b": 1}, "created_at": "2020", "c": [{"secret": 1}]},
        {"A": 1, "a": 2, "A b": 3, "a_b": 4},
        {"Ä": 1, "9x": 2, "": 3, "x" * 300: 4},
        {"venue_id": 5, "VenueId": ROW},
        {"big": 10**12, "small": -(2**31), "list": [1, "a"], "empty": [], "deep": {"a": {"b": [None, {}]}}},
        {"mixed": None, "text": "007", "date": "2026-01-05", "null": "null", "line": "a\nb\r\u2028c"},
    ],
    ids=str,
)
def test_odd_fields_still_make_a_valid_resource(record: dict[str, Any]) -> None:
    _, values = first_of(sample_of_records([record], "a.json", "a"))
    assert not {"password", "api_token", "created_at"} & {*values, *str(values).split("'")}


def test_fields_of_several_types_are_left_out_and_named() -> None:
    made = derive_kind("Venue", sample_of_records([[{"a": 1, "b": 1}, {"a": "x", "b": 2}]], "a.json", "a"))
    assert made.spec == {"b": 1}
    assert made.notes == ("a is left out: its values are of several types, and a column has one",)
    load_made(made)


KEYS = st.text(max_size=8)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), KEYS
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@settings(deadline=None, max_examples=examples(100))
@given(st.lists(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5), min_size=1, max_size=3))
def test_any_values_make_a_sound_kind(records: list[dict[str, Any]]) -> None:
    load_made(derive_kind("Venue", sample_of_records(records, "a.json", "a")))


@pytest.mark.parametrize(
    "bad",
    [b"- 1\n", b"text\n", b"{}\n", b"a: [\n", b"[]\n", b""],
    ids=["numbers", "text", "empty", "broken", "list", "no"],
)
def test_what_has_no_fields_is_refused(bad: bytes) -> None:
    with pytest.raises(UsageError):
        sample_of_documents(decode("a.yaml", bad), "a.yaml", "a")


@pytest.mark.parametrize("text", ["", "; only\n", "no line\n", "=1\n"])
def test_what_is_no_settings_file_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        sample_of_settings(text, "ea.set", "ea")


def test_names_of_kinds() -> None:
    words = {
        "venue": "Venue",
        "trading-venue": "TradingVenue",
        "FX_desk": "FXDesk",
        "9x": None,
        "": None,
        "x" * 41: None,
    }
    assert {word: kind_name(word) for word in words} == words


RAW: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "What a strategy may do.",
    "type": "object",
    "definitions": {"lot": {"type": "number", "minimum": 0.01}, "tree": {"items": {"$ref": "#/definitions/tree"}}},
    "properties": {
        "lots": {"$ref": "#/definitions/lot", "description": "Lots."},
        "mode": {"enum": ["A", "BBB"], "type": ["string", "null"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "child": {"$ref": "#"},
        "more": {"type": "array", "items": {"$ref": "#/properties/lots"}},
        "flag": {"type": "boolean", "default": False},
    },
    "required": ["lots", "mode", "either"],
    "if": {"properties": {"flag": {"const": True}}},
    "then": {"required": ["more"]},
}


def test_a_schema_of_values_is_wrapped() -> None:
    made = wrap_schema("Venue", RAW, "raw.schema.json")
    kind = load_made(made)
    assert [(column.name, str(column.type), column.length, column.required) for column in kind.columns] == [
        ("venue_id", "UUID", None, True),
        ("lots", "FLOAT", None, True),
        ("mode", "VARCHAR", 3, False),
        ("child", "JSON", None, False),
        ("more", "JSON", None, False),
        ("flag", "BOOLEAN", None, False),
    ]
    assert [column.description for column in kind.columns[1:3]] == ["Lots.", "mode in raw.schema.json."]
    assert made.notes == ("either is left out: it may be of several types, and a column has one",)
    draft = _files(kind).draft_resource(kind, "x", ROW)
    assert draft.problems == ()
    assert kind.schema["properties"]["spec"]["then"] == {"required": ["more"]}


def test_a_schema_of_values_says_how_it_becomes_a_kind() -> None:
    for raw in (
        b'{"$schema": "https://json-schema.org/draft/2020-12/schema"}',
        b'{"type": "object", "properties": {}}',
    ):
        _, (problem,) = load({"schemas/raw.schema.json": raw}, shipped())
        assert problem.code == "bad-schema"
        assert "reconciler schema new NAME --from schemas/raw.schema.json" in problem.hint


@pytest.mark.parametrize(
    ("schema", "columns"),
    [
        ({"$ref": "#/definitions/Root", "definitions": {"Root": {"properties": {"a": {"type": "number"}}}}}, ["a"]),
        ({"type": "object", "properties": {"aB": {"type": "integer"}, "a_b": {"type": "array"}}}, ["a_b", "a_b_2"]),
        ({"type": "object", "properties": {"a": {"$ref": "#/properties/a"}, "b": {"$ref": "#/nowhere"}}}, []),
        ({"type": "object", "properties": {"a": True, "b": {}, "c": {"properties": {}}}}, ["c"]),
        (
            {"type": "object", "properties": {"venue_id": {"type": "string"}, "token": {"type": "string"}}},
            ["venue_id_2"],
        ),
    ],
)
def test_schemas_of_all_shapes_are_wrapped(schema: dict[str, Any], columns: list[str]) -> None:
    assert find_draft_fault(schema) == ""
    kind = load_made(wrap_schema("Venue", schema, "raw.schema.json"))
    assert [column.name for column in kind.columns] == ["venue_id", *columns]


@pytest.mark.parametrize(
    "schema", [{"properties": []}, {"$schema": "http://json-schema.org/draft-07/schema#", "type": 1}]
)
def test_what_is_no_schema_is_told(schema: dict[str, Any]) -> None:
    assert find_draft_fault(schema)
