"""Whatever schema loads: the verdict of one engine and the explanation of the other agree, for any value."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.kinds.engine import compile_schema
from reconciler.validate.violations import find_violations
from tests.support.laws import examples
from tests.validate.wrapping import MAP, described, document, judge, load_schema, with_part

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2.5, "", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
REFERENCES = st.sampled_from(
    [
        "#",
        "#/$defs/a",
        "#/$defs/b",
        "#a",
        "#b",
        "urn:x",
        "urn:x#a",
        "sub",
        "sub#b",
        "http://[",
        "//[#",
        "%",
        "#/$defs/%61",
    ]
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
    "const": VALUES,
    "enum": st.lists(VALUES, max_size=2, unique_by=repr),
    "minimum": st.sampled_from([1, 2.5]),
    "maxLength": st.integers(0, 1),
    "pattern": st.sampled_from(["^a", "b$"]),
    "format": st.sampled_from(["email", "date", "own"]),
    "minItems": st.integers(0, 2),
    "uniqueItems": st.booleans(),
    "required": st.lists(NAMES, max_size=2, unique=True),
    "maxProperties": st.integers(0, 2),
    "minContains": st.integers(0, 2),
    "maxContains": st.integers(0, 2),
    "$ref": REFERENCES,
    "$dynamicRef": REFERENCES,
    "$id": st.sampled_from(["urn:x", "sub", "http://[", "http://a/b", "//["]),
    "$anchor": NAMES,
    "$dynamicAnchor": NAMES,
    "$schema": st.just("https://json-schema.org/draft/2020-12/schema"),
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=1),
}
ONE = (
    *("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"),
    *("unevaluatedProperties", "unevaluatedItems", "contentSchema"),
)
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
MAPS = ("properties", "dependentSchemas", "dependencies", "$defs")


def _some(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    holding = {
        **dict.fromkeys(ONE, inner),
        **dict.fromkeys(LISTS, st.lists(inner, min_size=1, max_size=3)),
        **dict.fromkeys(MAPS, st.dictionaries(NAMES, inner, max_size=2)),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=1),
    }
    return _some({**PLAIN, **holding})


SCHEMAS = st.recursive(st.booleans() | _some(PLAIN), _schemas, max_leaves=8)
CLOSED = {"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}


@settings(deadline=None, max_examples=examples(150))
@given(SCHEMAS, st.dictionaries(NAMES, SCHEMAS, max_size=2), st.lists(VALUES, min_size=1, max_size=4))
@example({"$id": "http://["}, {}, [1])
@example({"$ref": "//["}, {}, [1])
@example(CLOSED, {}, [{"a": 1}, {"b": 1}])
@example(
    {"$ref": "#/$defs/a", "unevaluatedItems": {"type": "string"}}, {"a": {"contains": {"type": "null"}}}, [[None, 1]]
)
@example({"items": {"oneOf": [False, {"$ref": "#/$defs/a"}]}}, {"a": {"$id": "sub", "$anchor": "a"}}, [[1]])
def test_verdict_and_explanation_of_any_schema_agree(part: Any, definitions: dict[str, Any], values: list[Any]) -> None:
    schema = with_part(MAP, described({"type": "object", "properties": {"it": part}}))
    schema["$defs"] |= definitions
    kinds, problems = load_schema(schema)
    if problems:
        assert all(problem.code == "bad-schema" for problem in problems)
        return
    validator = compile_schema(kinds.members[0].schema)
    for value in values:
        spec = {"some_map": {"it": value}}
        verdict = validator.is_valid(document(spec))
        assert verdict is (not find_violations(kinds.members[0].schema, document(spec)))
        assert verdict is (not judge(kinds, spec).problems)
