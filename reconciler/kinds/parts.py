"""The parts of a schema: where schemas stand in it, what its `$ref`s lead to, and how much is behind them.

A keyword decides whether what it holds is a schema: a `$ref` inside of a `const` is a value and refers to nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import child, value_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SAME_VALUE = frozenset({"allOf", "anyOf", "oneOf", "dependentSchemas", "if", "then", "else", "not"})
_ITS_MEMBERS = frozenset({"properties", "prefixItems"})
_ALL_MEMBERS = frozenset({"patternProperties", "additionalProperties", "propertyNames", "items", "contains"})
_HOLDS_ONE = frozenset({"if", "then", "else", "not", "additionalProperties", "propertyNames", "items", "contains"})
_HOLDS_MANY = (_SAME_VALUE | _ITS_MEMBERS | _ALL_MEMBERS | {"$defs"}) - _HOLDS_ONE

_FRAGMENT = re.compile(r"#[A-Za-z0-9/._~!$&'()*+,;=:@?-]*")
"""What may stand in a reference as it is (RFC 3986). Percent signs are left out: not all readers decode them alike."""

MAX_PARTS = 50_000
"""Parts of a schema with each `$ref` written out: what a file can hold without one."""

MAX_OVERLAP = 1_000
"""Parts that one value may have to be compared with. The bundled kinds need fewer than 20."""

_SCALARS_OF_ONE_PART = 10

MAX_DEPTH = 100
"""Parts inside each other with each `$ref` written out: validators descend by recursion."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at a JSON Pointer into a schema; `at_key` when it is the key there rather than its value.

    `instead` is the pointer of the keyword that was probably meant, so that its absence is not told as well.
    """

    pointer: str
    message: str
    hint: str = ""
    at_key: bool = False
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is to a part with each `$ref` written out; `overlap` is about one value at most."""

    parts: int
    overlap: int
    depth: int


def list_parts(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every schema in a schema that is an object, itself included, by its pointer; the outer ones first."""
    found = {"": schema}
    for pointer in (pending := [""]):
        for _, below, member in _members(pointer, found[pointer]):
            if isinstance(member, dict):
                found[below] = member
                pending.append(below)
    return found


def _members(pointer: str, part: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The schemas right inside a part: the keyword that holds each, its pointer, itself."""
    for keyword, value in part.items():
        at = child(pointer, keyword)
        if keyword in _HOLDS_ONE:
            yield keyword, at, value
        elif keyword in _HOLDS_MANY and isinstance(value, (dict, list)):
            for token, member in value.items() if isinstance(value, dict) else enumerate(value):
                yield keyword, child(at, token), member


def find_reference_flaws(schema: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Iterator[Flaw]:
    """References that lead to no schema or in circles; where there are none, a schema that is too large with them."""
    links: dict[str, str] = {}
    for pointer, part in parts.items():
        if "$ref" not in part:
            continue
        target = part["$ref"].removeprefix("#")
        if target in parts and _FRAGMENT.fullmatch(part["$ref"]):
            links[pointer] = target
        else:
            yield _describe_dead_end(schema, child(pointer, "$ref"), part["$ref"])
    below = _ways_down(parts, links)
    ordered = _order(below)
    circular = _drop_ways_in(below, below.keys() - set(ordered))
    for pointer, target in links.items():
        if pointer in circular and target in circular:
            hint = "write the schema out: values of kinds have an end"
            yield Flaw(child(pointer, "$ref"), "this $ref leads back to itself", hint)
    if not circular:
        yield from _find_excess(parts, links, ordered)


def _describe_dead_end(schema: Mapping[str, Any], pointer: str, text: str) -> Flaw:
    if not _FRAGMENT.fullmatch(text):
        hint = "rename what it leads to: letters, digits, - and _"
        return Flaw(pointer, f"{text} has characters that not all readers allow in a reference", hint)
    try:
        value_at(schema, text.removeprefix("#"))
    except KeyError:
        return Flaw(pointer, f"{text} leads nowhere", "a $ref names a place in the same file, such as #/$defs/name")
    return Flaw(pointer, f"{text} leads to what is no schema", "a $ref names a schema, such as #/$defs/name")


def _order(below: Mapping[str, list[str]]) -> list[str]:
    """The parts whose ways down all end, each behind all that is below it."""
    above: dict[str, list[str]] = {pointer: [] for pointer in below}
    for pointer, targets in below.items():
        for target in targets:
            above[target].append(pointer)
    open_ways = {pointer: len(targets) for pointer, targets in below.items()}
    ordered = [pointer for pointer, count in open_ways.items() if not count]
    for pointer in ordered:
        for outer in above[pointer]:
            open_ways[outer] -= 1
            if not open_ways[outer]:
                ordered.append(outer)
    return ordered


def _drop_ways_in(below: Mapping[str, list[str]], endless: set[str]) -> set[str]:
    """Of the parts with ways that never end, those that a way leads back to."""
    entries = dict.fromkeys(endless, 0)
    for pointer in endless:
        for target in below[pointer]:
            if target in entries:
                entries[target] += 1
    dropped = [pointer for pointer, count in entries.items() if not count]
    for pointer in dropped:
        for target in below[pointer]:
            if target in entries:
                entries[target] -= 1
                if not entries[target]:
                    dropped.append(target)
    return endless - set(dropped)


def _find_excess(
    parts: Mapping[str, Mapping[str, Any]], links: Mapping[str, str], ordered: list[str]
) -> Iterator[Flaw]:
    """The first part that is over a limit, if there is one."""
    extents: dict[str, Extent] = {}
    for pointer in ordered:
        extent = extents[pointer] = _measure(pointer, parts[pointer], links.get(pointer), extents)
        hint = "refer to a definition in fewer places, or list what it allows in one place"
        if extent.overlap > MAX_OVERLAP:
            message = f"with each $ref written out, one value is compared with more than {MAX_OVERLAP:,} others here"
        elif extent.parts > MAX_PARTS:
            message = f"with each $ref written out, there are more than {MAX_PARTS:,} schemas here"
        elif extent.depth > MAX_DEPTH:
            message = f"with each $ref written out, schemas are nested more than {MAX_DEPTH} deep here"
        else:
            continue
        yield Flaw(pointer, message, hint)
        return


def measure_schema(schema: Mapping[str, Any]) -> Extent:
    """How much there is to a sound schema."""
    parts = list_parts(schema)
    links = {pointer: part["$ref"].removeprefix("#") for pointer, part in parts.items() if "$ref" in part}
    extents: dict[str, Extent] = {}
    for pointer in _order(_ways_down(parts, links)):
        extents[pointer] = _measure(pointer, parts[pointer], links.get(pointer), extents)
    return extents[""]


def _ways_down(parts: Mapping[str, Mapping[str, Any]], links: Mapping[str, str]) -> dict[str, list[str]]:
    """What is right inside each part, and what it refers to."""
    below = {
        pointer: [at for _, at, member in _members(pointer, part) if isinstance(member, dict)]
        for pointer, part in parts.items()
    }
    for pointer, target in links.items():
        below[pointer].append(target)
    return below


def _measure(pointer: str, part: Mapping[str, Any], target: str | None, extents: Mapping[str, Extent]) -> Extent:
    inside = [
        (keyword, extents[at]) for keyword, at, _ in _members(pointer, part) if at in extents and keyword != "$defs"
    ]
    if target is not None:
        inside.append(("$ref", extents[target]))
    one_of = max((extent.overlap for keyword, extent in inside if keyword in _ITS_MEMBERS), default=0)
    others = sum(extent.overlap for keyword, extent in inside if keyword not in _ITS_MEMBERS)
    return Extent(
        parts=1 + sum(extent.parts for _, extent in inside),
        overlap=1 + _weigh_values(part) + one_of + others,
        depth=1 + max((extent.depth for _, extent in inside), default=0),
    )


def _weigh_values(part: Mapping[str, Any]) -> int:
    """What the values in a part cost beyond it: those the engine compares one after the other, not by a hash."""
    words: list[Any] = [*part.get("enum", ()), *([part["const"]] if "const" in part else ())]
    if all(isinstance(word, str) for word in words):
        words = []
    nested = sum(_count(word) for word in words if isinstance(word, (dict, list)))
    return nested + (len(words) + len(part.get("dependentRequired", ()))) // _SCALARS_OF_ONE_PART


def _count(value: Any) -> int:
    if not isinstance(value, (dict, list)):
        return 1
    return 1 + sum(map(_count, value.values() if isinstance(value, dict) else value))
