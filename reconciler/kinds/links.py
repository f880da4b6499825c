"""`$ref` and `pattern` wherever they stand in a schema: both must mean the same to every reader, without a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator, ValidationError

from reconciler.kinds.build import ANNOTATION
from reconciler.kinds.flaw import Flaw
from reconciler.kinds.pointers import child, is_within, join, value_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATA = frozenset({ANNOTATION, "const", "enum"})
"""Keywords whose values are not schemas."""


def link_flaws(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    """References that lead nowhere or in circles, and patterns that only some regular expression engines know."""
    links: dict[str, str] = {}
    for pointer, keyword, text in _keywords(schema, ""):
        if keyword == "pattern":
            yield from _pattern(pointer, text)
        elif _exists(schema, text):
            links[pointer] = text.removeprefix("#")
        else:
            yield Flaw(pointer, f"{text} leads nowhere", "a $ref names a place in the same file, such as #/$defs/name")
    for pointer in links:
        if _is_circular(links, pointer):
            yield Flaw(pointer, "this $ref leads back to itself", "write the schema out: values of kinds have an end")


def compile_flaws(schema: Mapping[str, Any]) -> Iterator[Flaw]:
    """What the validator itself refuses."""
    try:
        Draft202012Validator(dict(schema), offline=True, validate_formats=True)
    except ValidationError as error:
        yield Flaw(join(error.instance_path), error.message)


def _keywords(part: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
    """Each `$ref` and `pattern` as its pointer, keyword and text. Fields may have these names: theirs are no texts."""
    if isinstance(part, list):
        for position, member in enumerate(part):
            yield from _keywords(member, child(pointer, position))
    elif isinstance(part, dict):
        for keyword, member in part.items():
            if isinstance(member, str) and keyword in {"$ref", "pattern"}:
                yield child(pointer, keyword), keyword, member
            elif keyword not in _DATA or pointer.endswith("/properties"):
                yield from _keywords(member, child(pointer, keyword))


def _pattern(pointer: str, text: str) -> Iterator[Flaw]:
    try:
        re.compile(text)
    except re.error as error:
        hint = "keep to what Python, Rust and JavaScript have in common"
        yield Flaw(pointer, f"this is no regular expression that all readers know: {error}", hint)


def _exists(schema: Mapping[str, Any], reference: str) -> bool:
    try:
        return isinstance(value_at(schema, reference.removeprefix("#")), dict)
    except KeyError:
        return False


def _is_circular(links: Mapping[str, str], start: str) -> bool:
    """Whether following a `$ref`, and every other one inside what it names, comes to where it started from."""
    seen: set[str] = set()
    ahead = [links[start]]
    while ahead:
        target = ahead.pop()
        if is_within(start, target):
            return True
        if target not in seen:
            seen.add(target)
            ahead += [links[inner] for inner in links if is_within(inner, target)]
    return False
