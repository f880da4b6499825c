"""A skeleton validates as it is, never trades, and tells what may be written; so does what is commented out."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.format.format import KeyOrder, format_file
from reconciler.scaffold.sample import build_samples
from reconciler.scaffold.template import WIDTH, build_template
from reconciler.validate.placeholders import NIL_UUID
from reconciler.wiring.bundled import bundled_kinds
from tests.scaffold.kinds import ROW, checked, example_kinds, thing

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.kinds.kind import Kind

KINDS = tuple(example_kinds())
COMMENTED = re.compile(r"^(?P<indent> *)# (?P<text> *[a-z][A-Za-z_-]*:(?: .*)?)$")
ADDRESS = "../.reconciler/schemas/x.schema.json"


def of(kind: Kind, name: str = "first-one") -> str:
    return build_template(kind, build_samples(kind, name, ROW), ADDRESS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
class TestEachKind:
    def test_it_validates_at_once(self, kind: Kind) -> None:
        entry = checked(kind, of(kind))
        assert entry.problems == ()
        (resource,) = entry.resources
        assert (resource.name, resource.id) == ("first-one", ROW)

    def test_it_never_trades(self, kind: Kind) -> None:
        (resource,) = checked(kind, of(kind)).resources
        assert resource.values.get("status", "INACTIVE") == "INACTIVE"
        assert ("status" in resource.values) == kind.can_deactivate

    def test_numbers_are_the_smallest_and_nothing_refers_to_anything(self, kind: Kind) -> None:
        (resource,) = checked(kind, of(kind)).resources
        for column in kind.columns:
            value, low = resource.values[column.name], column.bounds.get("minimum")
            if value is not None and low is not None:
                assert value == low, column.name
            if column.type == "UUID" and column.name != kind.key:
                assert value == NIL_UUID
        assert resource.refs == {}

    def test_every_field_is_told_once(self, kind: Kind) -> None:
        text = of(kind)
        for column in kind.columns:
            found = re.findall(rf"^  (# )?{column.name}:", text, re.MULTILINE)
            assert len(found) == 1, column.name
            required = column.name in kind.schema["properties"]["spec"]["required"]
            assert bool(found[0]) != (required or column.name == kind.key)
        for reference in kind.references:
            assert re.search(rf"^  #   {reference.role}: ", text, re.MULTILINE)

    def test_what_may_be_written_stands_beside_it(self, kind: Kind) -> None:
        lines = of(kind).splitlines()
        for column in kind.columns:
            (line,) = [line for line in lines if re.match(rf"  (# )?{column.name}:", line)]
            assert all(word in line.partition("  # ")[2] for word in column.enum)
            if column.bounds:
                assert column.unit in line.partition("  # ")[2]

    def test_all_that_is_commented_out_is_right_too(self, kind: Kind) -> None:
        text = "\n".join(_uncommented(line) for line in of(kind).splitlines()[1:]) + "\n"
        entry = checked(kind, text)
        assert entry.problems == (), text
        assert None not in entry.resources[0].values.values()
        assert entry.resources[0].refs.keys() == {reference.role for reference in kind.references}

    def test_it_is_canonical(self, kind: Kind) -> None:
        formatted = format_file("x.yaml", of(kind).encode(), KeyOrder(example_kinds(), {}))
        assert formatted.after.decode() == of(kind)

    def test_lines_are_short_and_ascii(self, kind: Kind) -> None:
        assert max(map(len, of(kind).splitlines())) <= WIDTH
        assert of(kind).isascii()


def _uncommented(line: str) -> str:
    """The line without its `#`, if what follows is a field: prose has capitals or no colon."""
    found = COMMENTED.match(line)
    return f"{found['indent']}{found['text']}" if found else line


def test_it_reads_well(golden: Callable[[str, str], None]) -> None:
    golden("skeletons.yaml", "---\n".join(of(kind) for kind in KINDS))


def test_the_first_line_is_for_editors() -> None:
    assert of(KINDS[0]).splitlines()[0] == f"# yaml-language-server: $schema={ADDRESS}"


@pytest.mark.parametrize("name", ["no", "1e5", "0x1f", "null", "12", "1.30", "true", "2026-01-05", "on", "a.b-c"])
def test_a_name_stays_a_text(name: str) -> None:
    (resource,) = checked(KINDS[0], of(KINDS[0], name)).resources
    assert resource.name == name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "string", "pattern": "^[a-z]{1,3}$"}, "x"),
        ({"type": "string", "pattern": "^(/|[A-Z]:).*$"}, "/CHANGE-ME"),
        ({"type": "string", "pattern": "^[.a-z]*$"}, None),
        ({"type": "string", "minLength": 20}, "CHANGE-MECHANGE-MECH"),
        ({"type": "string", "maxLength": 3}, "X"),
        ({"type": "string", "format": "date"}, "2000-01-01"),
        ({"type": "string", "enum": ["no", "yes"]}, "no"),
        ({"type": "string", "enum": ["LIVE", "ACTIVE", "INACTIVE"]}, "INACTIVE"),
        ({"type": "string", "const": "#1"}, "#1"),
        ({"type": "boolean"}, False),
        ({"type": "boolean", "const": True}, True),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "minimum": 1, "multipleOf": 5}, 5),
        ({"type": "integer", "maximum": -7}, -7),
        ({"type": "integer"}, 0),
        ({"type": "number", "minimum": 0.25}, 0.25),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.005}, 0.001),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": 0, "multipleOf": 0.5}, 0.5),
        ({"type": "array", "minItems": 2, "items": {"type": "integer", "minimum": 3}}, [3, 3]),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "object", "minProperties": 1, "additionalProperties": {"type": "integer"}}, {"change-me": 0}),
        (
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": "^[A-Z]$"},
                "additionalProperties": {"type": "number", "minimum": 1.5},
            },
            {"X": 1.5},
        ),
    ],
    ids=str,
)
def test_a_required_field_has_a_cautious_value(field: dict[str, Any], value: Any) -> None:
    kind = thing({"one": field})
    text = of(kind)
    entry = checked(kind, text)
    assert entry.problems == (), text
    assert entry.resources[0].values["one"] == (value if value is not None else "")


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "minLength": 10**12},
        {"type": "string", "minLength": 10**30},
        {"type": "array", "minItems": 10**12, "items": {"type": "string"}},
        {"type": "array", "minItems": 2.0, "items": {"type": ["object", "array"]}},
        {"type": "array", "minItems": 1, "items": {"type": ["null", "object"], "minProperties": 10**9}},
        {"type": "integer", "minimum": 1e308, "multipleOf": 1e-320},
        {"type": "number", "exclusiveMinimum": -1e308, "multipleOf": 5e-324},
    ],
    ids=str,
)
def test_what_no_one_could_fill_in_still_ends_in_a_short_file(field: dict[str, Any]) -> None:
    assert len(of(thing({"one": field}))) < 10_000


LIMITS = st.integers(-1000, 1000).map(lambda hundredths: hundredths / 4)


@given(low=LIMITS, span=LIMITS.map(abs), open_low=st.booleans(), open_high=st.booleans(), whole=st.booleans())
def test_a_number_fits_its_bounds_wherever_they_are(
    low: float, span: float, open_low: bool, open_high: bool, whole: bool
) -> None:
    low, high = (round(low), round(low) + round(span) + 2) if whole else (low, low + span + 0.25)
    field = {
        "type": "integer" if whole else "number",
        "exclusiveMinimum" if open_low else "minimum": low,
        "exclusiveMaximum" if open_high else "maximum": high,
    }
    kind = thing({"one": field})
    assert checked(kind, of(kind)).problems == ()


@given(high=LIMITS, is_open=st.booleans())
def test_a_number_fits_below_an_upper_bound_alone(high: float, is_open: bool) -> None:
    kind = thing({"one": {"type": "number", "exclusiveMaximum" if is_open else "maximum": high}})
    assert checked(kind, of(kind)).problems == ()


def test_rules_between_fields_are_met() -> None:
    fields = {"mode": {"type": "string", "enum": ["A", "B"]}, "size": {"type": "number", "exclusiveMinimum": 0}}
    higher = {"if": {"properties": {"mode": {"const": "A"}}}, "then": {"properties": {"size": {"minimum": 1}}}}
    kind = thing(fields, rules=higher)
    assert checked(kind, of(kind)).resources[0].values["size"] == 1


def test_a_field_that_a_rule_asks_for_is_filled_in() -> None:
    fields = {"mode": {"type": "string", "enum": ["A"]}, "size": {"type": "number", "minimum": 2}}
    rule = {"if": {"properties": {"mode": {"const": "A"}}}, "then": {"required": ["size"]}}
    kind = thing(fields, required=("mode",), rules=rule)
    assert checked(kind, of(kind)).resources[0].values["size"] == 2


def test_a_required_reference_is_left_to_be_filled_in() -> None:
    kind = thing({"size": {"type": "number"}}, refs=("parent",))
    (resource,) = checked(kind, of(kind)).resources
    assert resource.refs == {"parent": ("change-me",)}


def test_rules_that_cannot_be_met_this_way_end() -> None:
    fields = {"size": {"type": "string", "pattern": "^[0-9]{7}-[0-9]{3}$"}}
    kind = thing(fields)
    (problem,) = checked(kind, of(kind)).problems
    assert problem.pointer == "/spec/size"


def test_columns_come_in_the_order_of_the_table() -> None:
    kind = thing({name: {"type": "number"} for name in ("zulu", "name", "alpha")})
    found = re.findall(r"^  ([a-z_]+):", of(kind).partition("spec:")[2], re.MULTILINE)
    assert found == [column.name for column in kind.columns]


def test_two_skeletons_differ_in_name_and_id_only() -> None:
    kind = bundled_kinds().kinds.members[0]
    one, other = (build_template(kind, build_samples(kind, *key), ADDRESS) for key in (("a", ROW), ("b", NIL_UUID)))
    differing = [pair for pair in itertools.zip_longest(one.splitlines(), other.splitlines()) if pair[0] != pair[1]]
    assert len(differing) == 2
