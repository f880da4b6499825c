"""Words of messages: what a schema says about one place, values as people wrote them, types as people call them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.build import resolve_refs
from reconciler.kinds.pointers import child, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Column, Kind


def field_at(schema: Mapping[str, Any], pointer: str) -> Mapping[str, Any]:
    """The schema of the value at a pointer, `$ref` followed; empty when the schema does not speak of it."""
    part: Mapping[str, Any] = schema
    for token in split(pointer):
        part = _member(schema, part, token)
    return part


def column_at(kind: Kind, pointer: str) -> Column | None:
    """The column whose value stands at a pointer."""
    return next((column for column in kind.columns if pointer == child("/spec", column.name)), None)


def unit_at(kind: Kind, pointer: str) -> str:
    """The unit of the value at a pointer, empty when it has none."""
    column = column_at(kind, pointer)
    return column.unit if column is not None else ""


def home_of(schema: Mapping[str, Any], field: str) -> str | None:
    """The pointer of the mapping that has a field of this name; None when no mapping has it."""
    for pointer, part in _mappings(schema, schema, ""):
        if field in part.get("properties", {}):
            return pointer
    return None


def _member(schema: Mapping[str, Any], part: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    if part.get("type") == "array":
        found = part.get("items")
    else:
        found = part.get("properties", {}).get(token, part.get("additionalProperties"))
    return resolve_refs(schema, found) if isinstance(found, dict) else {}


def _mappings(
    schema: Mapping[str, Any], part: Mapping[str, Any], pointer: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield pointer, part
    for name in part.get("properties", {}):
        yield from _mappings(schema, _member(schema, part, name), child(pointer, name))


LONGEST = 60
"""Characters of a value that are shown; more would hide the message."""

TYPES = {
    "object": "a mapping of fields",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
"""JSON Schema's types in words."""

_RATIO = re.compile(r"[0-9]+:([0-9]+)")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_GROUPED = re.compile(r"[-+]?[1-9][0-9_]*(?:\.[0-9]+)?")
_COMMA = re.compile(r"([-+]?[0-9]+),([0-9]+)")
_WITH_UNIT = re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)\s*(?:%|[A-Za-z]+)")


def shown(value: Any) -> str:
    """A value as it is quoted in messages: text in single quotes, control characters made visible, at most a line."""
    if value is None or isinstance(value, (dict, list)):
        return written_type(value)
    if not isinstance(value, str):
        return canonical.text(value)
    visible = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in value)
    return f"'{visible}'" if len(visible) <= LONGEST else f"'{visible[:LONGEST]}…'"


def written_type(value: Any) -> str:
    """What kind of thing a value is: `text`, `a list`, `a number`…"""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a true/false value"
        case int() | float():
            return "a number"
        case str():
            return TYPES["string"]
        case list():
            return TYPES["array"]
        case _:
            return TYPES["object"]


def listed(words: Iterable[object]) -> str:
    """Words one after the other."""
    return ", ".join(str(word) for word in words)


def number_hint(text: str, field: Mapping[str, Any], unit: str, *, quoted: bool) -> str:
    """How to write what stands as text where a number is wanted; `quoted` when only its quotes are in the way."""
    ratio = _RATIO.fullmatch(text)
    if ratio:
        return f"write {ratio[1]}, the number after the colon"
    if quoted and _NUMBER.fullmatch(text):
        return f"write it without quotes: {text}"
    comma = _COMMA.fullmatch(text)
    if comma:
        thousands = len(comma[2]) == len("000")  # 1,000 is a thousand to some people and one to others
        return "write no comma: 1.5 or 1000" if thousands else f"write {comma[1]}.{comma[2]}, with a point"
    if "_" in text and _GROUPED.fullmatch(text):
        return f"write {text.replace('_', '')}"
    with_unit = _WITH_UNIT.fullmatch(text)
    if with_unit:
        return f"write {with_unit[1]}, the number alone{f' (it is in {unit})' if unit else ''}"
    whole = "whole " if field.get("type") == "integer" else ""
    return f"write a plain {whole}number in decimal digits, such as {_example(field)}"


def range_words(bounds: Mapping[str, float], unit: str) -> str:
    """A range as people say it: `1 to 1000 trades`, `more than 0, at most 100 percent`."""
    low, high = bounds.get("minimum"), bounds.get("maximum")
    above, below = bounds.get("exclusiveMinimum"), bounds.get("exclusiveMaximum")
    if above is not None and (low is None or above >= low):
        start = f"more than {canonical.text(above)}"
    else:
        start = "" if low is None else f"at least {canonical.text(low)}"
    if below is not None and (high is None or below <= high):
        end = f"less than {canonical.text(below)}"
    else:
        end = "" if high is None else f"at most {canonical.text(high)}"
    if start.startswith("at least") and end.startswith("at most"):
        words = f"{canonical.text(low)} to {canonical.text(high)}"
    else:
        words = ", ".join(part for part in (start, end) if part)
    return f"{words} {unit}" if unit else words


def _example(field: Mapping[str, Any]) -> str:
    lowest = field.get("minimum", 0)
    return canonical.text(max(1, lowest) if isinstance(lowest, (int, float)) else 1)
