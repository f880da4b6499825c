"""Patterns and schemas that one engine or another chokes on: a problem of the schema, or a verdict that is right."""

from __future__ import annotations

import json
import re
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example as instance
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.decode.errors import MAX_DEPTH as MAX_LEVELS
from reconciler.decode.errors import MAX_KEY
from reconciler.kinds.engine import compile_schema, find_pattern_fault
from reconciler.kinds.kind import Kinds
from reconciler.kinds.parts import list_parts
from reconciler.kinds.references import MAX_DATA_DEPTH, MAX_DEPTH, MAX_OVERLAP, find_reference_flaws
from reconciler.model.change import Decoded, Document
from reconciler.model.problem import Mark
from reconciler.validate import validator
from reconciler.validate.validator import Validator
from reconciler.validate.violations import CUT_SHORT, MAX_STEPS, find_violations
from reconciler.values import replace
from tests.support.laws import examples
from tests.validate.samples import CASES
from tests.validate.wrapping import DESK, LIST, MAP, PATH, TEXT, described, judge, load_schema, with_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.problem import Problem

POISON = CASES.parent / "poison"
PATTERNS: list[dict[str, Any]] = json.loads((POISON / "patterns.json").read_text())
SOUND = [row for row in PATTERNS if "values" in row]
FAULTY = [row for row in PATTERNS if "fault" in row]


PLACES: dict[str, Callable[[Any], Any]] = {
    "field": lambda part: with_part(TEXT, described({"type": "string", **part})),
    "items": lambda part: with_part(LIST, described({"type": "array", "items": part})),
    "prefixItems": lambda part: with_part(LIST, described({"type": "array", "prefixItems": [{}, part]})),
    "contains": lambda part: with_part(LIST, described({"type": "array", "contains": part})),
    "propertyNames": lambda part: with_part(MAP, described({"type": "object", "propertyNames": part})),
    "additionalProperties": lambda part: with_part(MAP, described({"type": "object", "additionalProperties": part})),
    "patternProperties": lambda part: with_part(MAP, described({"type": "object", "patternProperties": {"^a": part}})),
    "dependentSchemas": lambda part: with_part(("properties", "spec", "dependentSchemas"), {"const": part}),
    "if": lambda part: with_part(("properties", "spec", "if"), part),
    "then": lambda part: with_part(("properties", "spec", "then"), {"properties": {"const": part}}),
    "else": lambda part: with_part(("properties", "spec", "else"), {"not": part}),
    "allOf": lambda part: with_part(("properties", "spec", "allOf"), [{"anyOf": [{"oneOf": [part]}]}]),
    "a definition called const": lambda part: with_part(("$defs", "const"), part),
    "a definition called enum": lambda part: with_part(("$defs", "enum"), {"properties": {"enum": part}}),
    "labels": lambda part: with_part(
        ("properties", "metadata", "properties", "labels", "additionalProperties"), {"type": "string", **part}
    ),
}
WAYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "value": lambda pattern: {"pattern": pattern},
    "key": lambda pattern: {"patternProperties": {pattern: True}},
}


def _assert_told(problems: tuple[Problem, ...], lines: list[str]) -> None:
    for one in problems:
        assert (one.code, one.path) == ("bad-schema", PATH)
        assert one.message
        assert one.hint
        assert lines[one.line - 1][one.column - 1 :].strip()


def test_there_are_enough_cases() -> None:
    assert len(PATTERNS) >= 35
    assert all(len(row["values"]) == 5 for row in SOUND)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", FAULTY, ids=lambda row: row["pattern"][:20])
def test_what_the_engine_refuses_is_a_problem_of_the_schema(row: dict[str, Any], way: str) -> None:
    part = WAYS[way](row["pattern"])
    schema = PLACES["patternProperties"](part)
    kinds, problems = load_schema(schema)
    assert kinds.members == ()
    if way == "key" and len(row["pattern"]) > MAX_KEY:  # no key may be as long
        assert problems
        return
    (problem,) = problems
    _assert_told(problems, json.dumps(schema, indent=1).splitlines())
    assert row["fault"] in problem.message


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS)
def test_a_pattern_is_checked_wherever_it_stands(place: str, way: str) -> None:
    kinds, problems = load_schema(PLACES[place](WAYS[way]("^(?=a)")))
    assert [one.pointer.rpartition("/")[2] for one in problems] == ["pattern" if way == "value" else "^(?=a)"]
    assert kinds.members == ()
    kinds, problems = load_schema(PLACES[place](WAYS[way]("^a")))
    assert problems == ()


def test_a_pattern_in_a_value_is_a_value() -> None:
    for keyword, value in (("const", {"pattern": "["}), ("enum", [{"$ref": "#/nowhere", "pattern": "["}])):
        _, problems = load_schema(with_part((*MAP, keyword), value))
        assert problems == ()


@pytest.mark.parametrize("row", SOUND, ids=lambda row: row["pattern"][:20])
def test_what_the_engine_takes_is_judged_rightly_as_value_and_as_key(row: dict[str, Any]) -> None:
    value, value_problems = load_schema(with_part((*TEXT, "pattern"), row["pattern"]))
    keyed = {"type": "object", "patternProperties": {row["pattern"]: True}, "additionalProperties": False}
    key, key_problems = load_schema(with_part(MAP, described(keyed)))
    assert value_problems == key_problems == ()
    for text, matches in row["values"].items():
        for entry, code in (
            (judge(value, {"some_text": text}), "bad-format"),
            (judge(key, {"some_map": {text: 1}}), "unknown-field"),
        ):
            assert [one.code for one in entry.problems] == ([] if matches else [code]), text[:40]


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "^",
        "$",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\b",
        r"\.",
        "[a-c]",
        "[^a]",
        r"[\]$]",
        r"\p{Lu}",
        r"[\P{N}]",
        r"\cA",
        "é",
        "-",
        r"\u0061",
        "]",
        "}",
    ]
)
BEYOND_PYTHON = re.compile(r"\\(?:[pP]\{\w+\}|c[A-Za-z])")
PIECES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,3}", "*?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: f"({'|'.join(some)})"),
    ),
    max_leaves=8,
)
ODD = st.text(alphabet="ab01(){}[]\\^$.|*+?,-&~:=!<>PiudpxZ \n", max_size=12)
TEXTS = st.text(alphabet="abc$.-]1 \né٣😀_", max_size=8)


@settings(deadline=None, max_examples=examples(600))
@given(PIECES | ODD, st.lists(TEXTS, max_size=3))
@instance("(?u)^a+$", ["a"])
@instance("[]$]", ["]"])
@instance("(" * 3000, [])
def test_verdict_and_explanation_of_any_pattern_agree(pattern: str, texts: list[str]) -> None:
    """And what is accepted has a meaning in Python as well, without a warning, but for classes that it lacks."""
    fault = find_pattern_fault(pattern)
    if fault is not None:
        assert all(fault)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        re.compile(BEYOND_PYTHON.sub("a", pattern))
    value, closed = (
        {"pattern": pattern},
        {"patternProperties": {pattern: {"type": "integer"}}, "additionalProperties": False},
    )
    for schema in (value, closed, {"patternProperties": {pattern: False}}, {"propertyNames": value}, {"not": value}):
        for document in (*texts, *({text: 1} for text in texts), dict.fromkeys(texts, "")):
            assert compile_schema(schema).is_valid(document) is (not find_violations(schema, document))


NUMBERS = st.sampled_from([0.01, 0.1, 1e-320, 1e308, 3, 2**53, 2**64, 10**30, 10**400, 0.3])
VALUES = st.sampled_from(
    [0, 0.07, 1e300, -5, 2**53 + 1, 10**308, "aa", "", True, None, [1, 1.0], [{}, {}], [0, False], {"a": 1}]
)


@settings(deadline=None, max_examples=examples(300))
@given(
    st.sampled_from(["multipleOf", "minimum", "exclusiveMaximum", "minLength", "maxItems", "minProperties", "const"]),
    NUMBERS,
    VALUES,
)
def test_verdict_and_explanation_of_any_number_agree(keyword: str, limit: float, value: Any) -> None:
    whole = keyword not in {"multipleOf", "minimum", "exclusiveMaximum", "const"}
    schema = {keyword: int(limit) if whole else limit, "uniqueItems": True, "enum": [value, 1]}
    assert compile_schema(schema).is_valid(value) is (not find_violations(schema, value))


def _fan(levels: int, width: int) -> dict[str, Any]:
    """Each definition is two or more times the next one: 2 ** levels in all."""
    steps = {f"l{step}": {"anyOf": [{"$ref": f"#/$defs/l{step + 1}"}] * width} for step in range(levels)}
    return {**steps, f"l{levels}": {"type": "integer"}}


def _unevaluated(levels: int) -> dict[str, Any]:
    """Each asks its inner one twice: what is wrong, and which members it is about."""
    part: dict[str, Any] = {}
    for _ in range(levels):
        part = {"anyOf": [part], "unevaluatedProperties": False}
    return {"l0": part}


REFERENCES: dict[str, tuple[dict[str, Any], str, str]] = {
    "fan of 25": (_fan(25, 2), "#/$defs/l0", "compared with more than"),
    "fan of many fields": (
        {
            f"l{step}": {"properties": {"a": {"$ref": f"#/$defs/l{step + 1}"}, "b": {"$ref": f"#/$defs/l{step + 1}"}}}
            for step in range(20)
        }
        | {"l20": {}},
        "#/$defs/l0",
        "there are more than",
    ),
    "chain": (_fan(MAX_DEPTH, 1), "#/$defs/l0", "nested more than"),
    "long chain": (_fan(5_000, 1), "#/$defs/l0", "nested more than"),
    "circle": ({"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "#/$defs/a", "back to itself"),
    "long circle": (
        {f"a{n}": {"$ref": f"#/$defs/a{(n + 1) % 3_000}"} for n in range(3_000)},
        "#/$defs/a0",
        "back to itself",
    ),
    "many circles through a value": (
        {"a": {"additionalProperties": {"anyOf": [{"$ref": "#/$defs/a"}] * 9}}},
        "#/$defs/a",
        "compared with more than",
    ),
    "circles through a value and a name": (
        {"a": {"patternProperties": {f"{n}": {"$ref": "#/$defs/a"} for n in range(9)}}},
        "#/$defs/a",
        "compared with more than",
    ),
    "too much that leads back to itself": (
        {f"a{n}": {"items": {"$ref": f"#/$defs/a{(n + 1) % 2_000}"}} for n in range(2_000)},
        "#/$defs/a0",
        "lead back to themselves",
    ),
    "a dynamic circle": (
        {"a": {"$dynamicAnchor": "x", "allOf": [{"$dynamicRef": "#x"}]}},
        "#/$defs/a",
        "back to itself",
    ),
    "unevaluated inside of unevaluated": (_unevaluated(20), "#/$defs/l0", "compared with more than"),
    "into const": ({"a": {"const": {"type": "string"}}}, "#/$defs/a/const", "no schema"),
    "into const that refers to itself": ({"a": {"const": {"$ref": "#/$defs/a/const"}}}, "#/$defs/a/const", "no schema"),
    "into enum": ({"a": {"enum": [{"type": "string"}]}}, "#/$defs/a/enum/0", "no schema"),
    "into required": ({"a": {"required": ["b"]}}, "#/$defs/a/required", "no schema"),
    "into all definitions": ({"a": {}}, "#/$defs", "no schema"),
    "into the annotation": ({}, "#/x-reconciler", "no schema"),
    "nowhere": ({}, "#/$defs/a", "nowhere"),
    "a list's place written oddly": ({"a": {"allOf": [{}]}}, "#/$defs/a/allOf/00", "no schema"),
    "percent": ({"a b": {}, "a%20b": {}}, "#/$defs/a%20b", "characters"),
    "no anchor": ({"a": {"$anchor": "b"}}, "#a", "no such $anchor"),
    "out of a part with a name": ({"a": {"$id": "a", "$ref": "#/$defs/b"}, "b": {}}, "a", "leads nowhere"),
    "another file": ({"a": {}}, "a", "leads out of this file"),
    "space": ({"a b": {}}, "#/$defs/a b", "characters"),
    "umlaut": ({"ä": {}}, "#/$defs/ä", "characters"),
}


@pytest.mark.parametrize("case", REFERENCES)
def test_references_that_lead_to_trouble_are_problems_of_the_schema(case: str) -> None:
    definitions, target, message = REFERENCES[case]
    schema = with_part(MAP, described({"type": "object", "properties": {"x": {"$ref": target}}}))
    schema["$defs"] |= definitions
    kinds, problems = load_schema(schema)
    assert kinds.members == ()
    assert problems
    _assert_told(problems, json.dumps(schema, indent=1).splitlines())
    assert all(message in one.message for one in problems)


def test_references_within_the_limits_are_fine() -> None:
    for definitions in (
        _fan(7, 2),
        _fan(MAX_DEPTH // 2 - 5, 1),
        _fan(1, MAX_OVERLAP // 3),
        {"a~b/c": {}, "l0": {"$ref": "#/$defs/a~0b~1c"}},
        {"a b": {}, "l0": {"$ref": "#/$defs/a%20b"}},
        {"yes": True, "l0": {"$ref": "#/$defs/yes"}},
        {"l0": {"$id": "urn:x", "$ref": "#a", "$defs": {"b": {"$anchor": "a"}}}},
    ):
        schema = with_part(MAP, described({"type": "object", "properties": {"x": {"$ref": "#/$defs/l0"}}}))
        schema["$defs"] |= definitions
        kinds, problems = load_schema(schema)
        assert problems == ()
        entry = judge(kinds, {"some_map": {"x": "no number"}})
        assert bool(entry.problems) is ("l1" in definitions)


STEP = {"$ref": "#/$defs/a"}
RECURSIVE: dict[str, tuple[dict[str, Any], int, int]] = {
    "tree": ({"properties": {"x": STEP}, "additionalProperties": False}, MAX_DATA_DEPTH - 4, MAX_DATA_DEPTH - 4),
    "anything": (
        {"anyOf": [{"type": ["integer", "null"]}, {"items": STEP, "type": "array"}, {"additionalProperties": STEP}]},
        MAX_DATA_DEPTH - 4,
        MAX_DATA_DEPTH - 4,
    ),
    "closed": ({"allOf": [{"properties": {"x": STEP}}], "unevaluatedProperties": False}, 4, 30),
    "twice": ({"oneOf": [{"properties": {"x": STEP}}, {"properties": {"x": STEP}, "required": ["y"]}]}, 4, 30),
}
"""A schema that leads back to itself; how deep a document may certainly be, and from where on it need not be judged."""


@pytest.mark.parametrize("case", RECURSIVE)
def test_a_schema_may_lead_back_to_itself_through_a_value(case: str) -> None:
    part, judged, limit = RECURSIVE[case]
    schema = with_part(MAP, described({"type": "object", "additionalProperties": STEP}))
    schema["$defs"] |= {"a": {**part, "not": {"required": ["wrong"]}}}
    kinds, problems = load_schema(schema)
    assert problems == ()
    for depth in (1, judged):
        assert judge(kinds, {"some_map": _nest(depth, {})}).problems == ()
    for depth in (1, judged, limit, MAX_DATA_DEPTH - 4):
        for wrong in ({"wrong": 1}, {"wrong": [{"wrong": 1}] * 20}):
            assert judge(kinds, {"some_map": _nest(depth, wrong)}).problems


def _nest(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = {"x": value}
    return value


def test_the_depth_of_documents_is_what_the_reader_allows() -> None:
    assert MAX_DATA_DEPTH == MAX_LEVELS


def test_a_wide_schema_is_not_too_large() -> None:
    schema = {"properties": {f"field_{number}": {"type": "integer", "minimum": 0} for number in range(10_000)}}
    assert not [*find_reference_flaws(schema, list_parts(schema))]


@pytest.mark.slow
def test_an_explanation_ends() -> None:
    """What one value is compared with 900 times is explained up to a limit; a few wrong values of many are in full."""
    schema = {"items": {"anyOf": [{"type": "string"}] * 900}}
    found = find_violations(schema, [0] * (MAX_STEPS // 900 * 2))
    assert found[-1].keyword == CUT_SHORT
    assert len(found) > 1
    assert len(find_violations({"items": {"enum": ["a"]}}, ["b"] * 9_000)) == 9_000
    assert len(find_violations({"uniqueItems": True}, [{"a": number} for number in range(9_000)] * 2)) == 1


def test_every_field_that_is_missing_is_a_step() -> None:
    """A file of a kilobyte may lack thousands of fields in each of hundreds of places."""
    names = [f"field_{number}" for number in range(9_000)]
    for keyword, needed in (("required", names), ("dependentRequired", {"a": names})):
        found = find_violations({"items": {keyword: needed}}, [{"a": 1}] * 200)
        assert found[-1].keyword == CUT_SHORT
        assert 1 < len(found) < 20


def test_looking_for_what_was_meant_ends() -> None:
    """A hundred lists of a hundred unknown fields each, beside hundreds of known ones."""
    known = {f"known_field_{number}": True for number in range(400)}
    part = {"type": "array", "items": {"type": "object", "properties": known, "additionalProperties": False}}
    kinds, problems = load_schema(with_part(LIST, described(part)))
    assert problems == ()
    unknown = {f"knwon_field_{number}": 1 for number in range(100)}
    entry = judge(kinds, {"some_list": [unknown] * 30})
    assert len(entry.problems) == 3_000
    assert 1 < sum("did you mean" in one.message for one in entry.problems) < 100
    assert all(one.hint or "did you mean" in one.message for one in entry.problems)


def test_a_long_description_is_not_repeated_in_every_hint() -> None:
    part = {"type": "array", "items": {"minimum": 1, "description": "long " * 100_000}}
    kinds, problems = load_schema(with_part(LIST, described(part)))
    assert problems == ()
    entry = judge(kinds, {"some_list": [0] * 100})
    assert len(entry.problems) == 100
    assert max(len(one.hint) for one in entry.problems) < 2_000


def test_a_file_with_too_many_problems_is_not_looked_at_any_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "MAX_PROBLEMS", 3)
    kinds, _ = load_schema(DESK)
    wrong = {"apiVersion": "reconciler/v1", "kind": "Desk", "metadata": {"name": "fx"}, "spec": {"a": 1, "b": 2}}
    entry = Validator(kinds).check("a.yaml", Decoded(tuple(Document(wrong, {}) for _ in range(9))))
    assert "more than 3 problems" in entry.problems[-1].message or "more than 3" in entry.problems[0].message
    assert len(entry.problems) < 9
    assert entry.unreadable


def deep_inside(value: Any) -> Any:
    """A value behind so many long keys that to say where it stands takes 8 KB."""
    for _ in range(30):
        value = {"k" * MAX_KEY: value}
    return value


def check_deep(kinds: Kinds, value: Any) -> tuple[Problem, ...]:
    wrong = {"apiVersion": "reconciler/v1", "kind": "Desk", "metadata": {"name": "fx"}, "spec": {"some_map": value}}
    return Validator(kinds).check("a.yaml", Decoded((Document(wrong, {"": Mark(1, 1)}),))).problems


def test_what_is_told_of_a_file_is_bounded_however_deep_it_stands() -> None:
    schema = with_part(MAP, described({"type": "object", "additionalProperties": {"$ref": "#/$defs/deep"}}))
    schema["$defs"]["deep"] = {"additionalProperties": {"$ref": "#/$defs/deep"}, "items": {"type": "string"}}
    kinds, problems = load_schema(schema)
    assert problems == ()
    (kind,) = kinds.by_name.values()
    found = find_violations(kind.schema, {"spec": {"some_map": deep_inside([1] * 2_000)}})
    assert sum(len(one.pointer) for one in found) < MAX_STEPS * 100
    told = check_deep(kinds, deep_inside([1] * 2_000))
    assert 10 < len(told) < 2_000
    assert sum(problem.size for problem in told) < 2 * validator.MAX_TOLD


def test_secrets_behind_the_last_one_told_are_in_no_message() -> None:
    kinds, _ = load_schema(DESK)
    told = check_deep(kinds, [deep_inside([{"password": "hunter2"}]) for _ in range(200)])
    assert {problem.code for problem in told} <= {"secret", "unsafe-yaml"}
    assert sum(problem.size for problem in told) < 2 * validator.MAX_TOLD
    assert "hunter2" not in str(told)


@pytest.mark.slow
def test_an_explanation_that_is_cut_short_says_so() -> None:
    part = {"type": "array", "items": {"anyOf": [{"type": "string"}] * 900}}
    kinds, problems = load_schema(with_part(LIST, described(part)))
    assert problems == ()
    entry = judge(kinds, {"some_list": [0] * 500})
    assert any("more wrong here" in one.message for one in entry.problems)
    assert len(entry.problems) > 1


def test_many_unknown_fields_are_all_told() -> None:
    kinds, _ = load_schema(DESK)
    entry = judge(kinds, {f"field_{number}": 1 for number in range(5_000)})
    assert len(entry.problems) == 5_000
    assert all(one.hint for one in entry.problems)


def test_a_list_of_many_words_is_not_repeated_in_every_hint() -> None:
    words = [f"WORD{number}" for number in range(10_000)]
    kinds, problems = load_schema(with_part(LIST, described({"type": "array", "items": {"enum": words}})))
    assert problems == ()
    entry = judge(kinds, {"some_list": ["x"] * 1_000})
    assert len(entry.problems) == 1_000
    assert max(len(one.hint) for one in entry.problems) < 1_000
    assert all(one.hint for one in entry.problems)


def test_a_stored_schema_that_this_version_refuses_is_a_problem_of_the_document() -> None:
    """A store may hold a kind with a pattern that an earlier version took."""
    kinds, _ = load_schema(DESK)
    (kind,) = kinds
    stored = replace(kind, schema=with_part((*TEXT, "pattern"), "^(?=a)"))
    (problem,) = judge(Kinds((stored,)), {}).problems
    assert (problem.code, problem.pointer) == ("bad-schema", "/kind")
    assert problem.hint


COSTLY: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a large pattern and a long text": (
        TEXT,
        {"type": "string", "pattern": "^(a|b)*a(a|b){999}$"},
        {"some_text": "ab" * 50_000},
        {"some_text": "ab" * 5_000},
    ),
    "many alternatives for many values": (
        LIST,
        {"type": "array", "items": {"anyOf": [{"const": number} for number in range(900)]}},
        {"some_list": [1] * 20_000},
        {"some_list": [1] * 5_000},
    ),
    "many lists to be one of, for many values": (
        LIST,
        {"type": "array", "items": {"enum": [[number] for number in range(450)]}},
        {"some_list": [[1]] * 20_000},
        {"some_list": [[1]] * 2_000},
    ),
    "many fields that need another, for many values": (
        LIST,
        {"type": "array", "items": {"dependentRequired": {f"f{number}": ["x"] for number in range(9_000)}}},
        {"some_list": [{"a": 1}] * 10_000},
        {"some_list": [{"a": 1}] * 1_000},
    ),
}


@pytest.mark.parametrize("case", COSTLY)
def test_what_would_hold_the_interpreter_for_seconds_is_a_problem_of_the_document(case: str) -> None:
    place, part, costly, fine = COSTLY[case]
    kinds, problems = load_schema(with_part(place, described(part)))
    assert problems == ()
    (problem,) = judge(kinds, costly).problems
    assert "too large" in problem.message
    assert problem.hint
    assert judge(kinds, fine).problems == ()


def test_the_largest_document_is_judged_by_an_ordinary_schema() -> None:
    kinds, _ = load_schema(DESK)
    entry = judge(kinds, {"some_text": "a" * 900_000, "some_list": [1] * 45_000})
    assert entry.problems == ()
    words = [f"WORD{number}" for number in range(20_000)]
    kinds, _ = load_schema(with_part(LIST, described({"type": "array", "items": {"enum": words}})))
    assert judge(kinds, {"some_list": [words[-1]] * 45_000}).problems == ()
