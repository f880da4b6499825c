"""What `new` writes for any schema that is accepted is read by the program, and what it leaves open is marked in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.decode.document import decode
from reconciler.scaffold.files import NewFile, NewFiles
from reconciler.scaffold.template import MARK
from tests.scaffold.kinds import ROW
from tests.support.laws import examples
from tests.validate.wrapping import LIST, MAP, TEXT, described, load_schema, with_part

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds

WORDS = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("ab #:-\"'\\{}[]\t\n\r\x85\u2028\u2029\x07\x1b,&*!|>%@`é😀")),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)
NUMBERS = st.one_of(st.integers(-5, 5), st.sampled_from([0.5, 1e300, -1e300, 10**30, 2**31, 1e-320]))
TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2), max_leaves=4
)
KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "description": WORDS.filter(bool),
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "const": VALUES,
    "enum": st.lists(VALUES, max_size=3, unique_by=repr),
    "minimum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": st.sampled_from([1, 0.5, 1e-320, 1e300]),
    "minLength": st.integers(0, 300),
    "maxLength": st.integers(0, 5),
    "pattern": st.sampled_from(["^[a-z]+$", "^[0-9]{7}$", "^$", r"^\p{Lu}", "(?i)^change"]),
    "format": st.sampled_from(["date-time", "email", "uri-template", "regex", "ipv6", "own"]),
    "minItems": st.integers(0, 4),
    "uniqueItems": st.booleans(),
    "minContains": st.integers(0, 2),
    "maxItems": st.integers(0, 2),
    "required": st.lists(WORDS, max_size=2, unique=True),
    "minProperties": st.integers(0, 3),
    "maxProperties": st.integers(0, 2),
    "dependentRequired": st.dictionaries(WORDS, st.lists(WORDS, max_size=2, unique=True), max_size=1),
    "default": VALUES,
    "$ref": st.sampled_from(["#/$defs/tree", "#/$defs/no", "#/$defs/forest"]),
}
HOLDERS = ("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "unevaluatedProperties")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
MAPS = ("properties", "patternProperties", "dependentSchemas")


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    holding = {
        **dict.fromkeys(HOLDERS, inner),
        **dict.fromkeys(LISTS, st.lists(inner, min_size=1, max_size=2)),
        "properties": st.dictionaries(WORDS, inner, max_size=3),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "x$"]), inner, max_size=1),
    }
    return _some({**KEYWORDS, **holding})


def _some(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))


SCHEMAS = st.recursive(st.booleans() | _some(KEYWORDS), _schemas, max_leaves=6)
DEFINITIONS = {
    "no": False,
    "tree": {"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}},
    "forest": {"properties": {"a": {"$ref": "#/$defs/forest"}, "b": {"$ref": "#/$defs/forest"}}, "required": ["a"]},
}


def _new(kinds: Kinds) -> NewFile:
    files = NewFiles("", kinds, frozenset(), (), {}, counts=lambda _: True, exists=lambda _: False)
    return files.draft_resource(kinds.members[0], "first-one", ROW)


def _assert_open_values_are_marked(draft: NewFile) -> None:
    decoded = decode(draft.path, draft.text.encode())
    assert decoded.problems == (), draft.text
    assert len(decoded.documents) == 1
    lines = draft.text.splitlines()
    for problem in draft.problems:
        above = re.search(r"(?:\A|\n)(?: *# [^\n]*\n)*\Z", "\n".join([*lines[: problem.line - 1], ""]))
        told = f"{above[0] if above else ''}{lines[problem.line - 1]}"
        assert f"# {MARK}: " in told, f"{problem}\n{draft.text}"


@settings(deadline=None, max_examples=examples(150))
@given(SCHEMAS, st.sampled_from(["inside", "object", "array", "text"]))
@example({"description": "Two\nlines: and #more", "type": "string"}, "inside")
@example({"type": ["object", "null"]}, "inside")
@example({"type": ["object", "null"], "minProperties": 2}, "inside")
@example(False, "inside")
@example(True, "inside")
@example({"$ref": "#/$defs/forest"}, "inside")
@example({"pattern": "^[0-9]{7}$"}, "text")
def test_new_writes_what_can_be_read_for_any_schema(part: Any, place: str) -> None:
    field = part if isinstance(part, dict) else {}
    if place == "inside":
        schema = with_part(MAP, described({"type": "object", "properties": {"it": part}, "required": ["it"]}))
    elif place == "text":
        schema = with_part(TEXT, {**described(field), "type": "string"})
    else:
        schema = with_part(MAP if place == "object" else LIST, {**described(field), "type": place})
    schema["$defs"] |= DEFINITIONS
    schema["properties"]["spec"]["required"] += ["some_map", "some_list", "some_text"]
    kinds, problems = load_schema(schema)
    if not problems:
        _assert_open_values_are_marked(_new(kinds))


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (
            {"type": "string", "pattern": "^[0-9]{7}$", "description": "Seven\ndigits."},
            "it:  # CHANGE-ME: Seven digits.",
        ),
        (False, "it:  # CHANGE-ME: a value is wanted here"),
        ({"type": ["object", "null"]}, "it: {}"),
        ({"type": ["null", "string"], "maxLength": 0}, "it: ''"),
        ({"type": ["null", "integer"], "minimum": 1, "maximum": 0}, "it: null  # 1 to 0"),
        ({"anyOf": [{"type": "string", "pattern": "^[0-9]{7}$"}, {"type": "integer", "minimum": 4}]}, "it: 4"),
        ({"allOf": [{"type": "integer"}, {"minimum": 7}]}, "it: 7"),
        ({"type": "string", "format": "email"}, "it: change-me@example.com"),
        ({"required": ["x"], "additionalProperties": {"const": 5}}, "x: 5"),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "minItems": 2}, "it: [1, 2]"),
        ({"type": "array", "contains": {"const": 3}, "minContains": 2}, "it: [3, 3]"),
    ],
)
def test_values_of_all_kinds_are_found_or_marked(part: Any, line: str) -> None:
    schema = with_part(MAP, described({"type": "object", "properties": {"it": part}, "required": ["it"]}))
    schema["properties"]["spec"]["required"].append("some_map")
    kinds, problems = load_schema(schema)
    assert problems == ()
    draft = _new(kinds)
    assert line in [one.strip() for one in draft.text.splitlines()]
    assert bool(draft.problems) is (f"# {MARK}: " in draft.text)
    _assert_open_values_are_marked(draft)
