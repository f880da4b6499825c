"""The schemas inside a schema: where they stand in it, and what each keyword does with the one that it holds.

A keyword decides whether what it holds is a schema: a `$ref` inside of a `const` is a value and refers to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from reconciler.kinds.kind import child

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Parts: TypeAlias = "Mapping[str, Mapping[str, Any]]"
    """Schemas by their pointers."""

SAME_VALUE = frozenset(
    {"allOf", "anyOf", "oneOf", "dependentSchemas", "dependencies", "if", "then", "else", "not", "contentSchema"}
)
"""Keywords whose schemas are about the very value that their own schema is about."""
MEMBERS = frozenset({"properties", "prefixItems"})
"""Keywords that have one schema for each of some members of a value, by key or position."""
ALL_MEMBERS = frozenset(
    {
        "patternProperties",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "items",
        "unevaluatedItems",
        "contains",
    }
)
"""Keywords whose schemas are each about many members."""
VALUES = ("const", "enum", "default", "examples")
"""Keywords that hold values, which nothing in a schema file applies to."""
_HOLDS_ONE = frozenset({"if", "then", "else", "not", "contentSchema"}) | (ALL_MEMBERS - {"patternProperties"})
_HOLDS_MANY = (SAME_VALUE | MEMBERS | ALL_MEMBERS | {"$defs"}) - _HOLDS_ONE


class Same(Struct, frozen=True, eq=False):
    """A cache key for a part of a schema: equal to the very same part only."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class Flaw(Struct, frozen=True):
    """What is wrong at a JSON Pointer into a schema; `at_key` when it is the key there rather than its value.

    `instead` is the pointer of the keyword that was probably meant, so that its absence is not told as well.
    """

    pointer: str
    message: str
    hint: str = ""
    at_key: bool = False
    instead: str = ""


def list_parts(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every schema in a schema, itself included, by its pointer; the outer ones first.

    `true` and `false` are there as schemas without keywords: nothing more can be told of them.
    """
    found = {"": schema}
    for pointer in (pending := [""]):
        for _, below, member in iter_members(pointer, found[pointer]):
            found[below] = member if isinstance(member, dict) else {}
            if isinstance(member, dict):
                pending.append(below)
    return found


def iter_members(pointer: str, part: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The schemas right inside a part: the keyword that holds each, its pointer, itself."""
    for keyword, value in part.items():
        at = child(pointer, keyword)
        if keyword in _HOLDS_ONE and isinstance(value, (dict, bool)):
            yield keyword, at, value
        elif keyword in _HOLDS_MANY and isinstance(value, (dict, list)):
            for token, member in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(member, (dict, bool)):
                    yield keyword, child(at, token), member
