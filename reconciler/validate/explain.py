"""Why a document does not satisfy its kind's schema, in the words of somebody who trades.

The errors are jsonschema's, the reference implementation, told to read patterns and UUIDs as JSON Schema says.
Importing it takes 150 ms, half of what `validate` may take: so this module is imported for a wrong file only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from reconciler.kinds.build import BOUNDS
from reconciler.kinds.kind import TIMESTAMPS, Kind, closest, did_you_mean
from reconciler.kinds.pointers import child, join, split
from reconciler.validate.finding import MISSING, Finding
from reconciler.validate.wording import (
    TYPES,
    column_at,
    field_at,
    home_of,
    listed,
    number_hint,
    range_words,
    shown,
    unit_at,
    written_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_ESCAPE_CLASS_OR_END = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One keyword of a schema that a value does not satisfy.

    `pointer` names the value and `schema` is the part with the keyword. `of_key`: it is about a key of what
    `pointer` names, and `value` is that key. `conditional`: the part applies because of what another field says.
    """

    pointer: str
    keyword: str
    limit: Any
    value: Any
    schema: Mapping[str, Any]
    of_key: bool
    conditional: bool


def violations(schema: Mapping[str, Any], value: Any) -> list[Violation]:
    """Everything the reference has against a document; of several alternatives, the one that came closest."""
    errors = _Reference(schema, format_checker=_formats()).iter_errors(value)
    return [_violation(best_match([error]) or error) for error in errors]


def _violation(error: ValidationError) -> Violation:
    through = set(error.absolute_schema_path)
    return Violation(
        pointer=join(error.absolute_path),
        keyword=str(error.validator),
        limit=error.validator_value,
        value=error.instance,
        schema=error.schema if isinstance(error.schema, dict) else {},
        of_key="propertyNames" in through,
        conditional=not through.isdisjoint({"then", "else"}),
    )


@lru_cache(maxsize=256)
def ecma(pattern: str) -> re.Pattern[str]:
    """A pattern with the meaning of ECMA-262, which JSON Schema prescribes: `$` is the very end, `\\d` is 0 to 9."""
    ended = _ESCAPE_CLASS_OR_END.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern)
    return re.compile(ended, re.ASCII)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not ecma(pattern).search(value):
        yield ValidationError(f"does not match {pattern!r}")


@lru_cache(maxsize=1)
def _formats() -> FormatChecker:
    checker = FormatChecker(formats=("date", "ipv4", "ipv6"))
    checker.checks("uuid")(lambda value: not isinstance(value, str) or _UUID.fullmatch(value) is not None)
    return checker


_extend: Callable[..., type[Draft202012Validator]] = extend
_Reference = _extend(Draft202012Validator, {"pattern": _pattern})


CODE = "wrong-type"
_NUMBERS = frozenset({"number", "integer"})


def wrong_type(kind: Kind, pointer: str, value: Any, wanted: Sequence[str]) -> Finding:
    """The finding for a value whose type is none of the wanted ones (JSON Schema's names)."""
    words = " or ".join(TYPES[one] for one in wanted)
    if value is None:
        return Finding(pointer, CODE, f"there is no value here, and {words} is wanted", _empty(kind, pointer, wanted))
    what = "this" if isinstance(value, (dict, list)) else shown(value)
    message = f"{what} is {written_type(value)}, and {words} is wanted"
    return Finding(pointer, CODE, message, _hint(kind, pointer, value, wanted))


def _empty(kind: Kind, pointer: str, wanted: Sequence[str]) -> str:
    """Why there may be nothing where something seems to be: a # after white space starts a comment."""
    if "object" in wanted:
        return "its fields stand on the lines below it, indented"
    column, field = column_at(kind, pointer), field_at(kind.schema, pointer)
    leave = "" if column is None or (column.required and column.name != kind.key) else "leave the field out, or: "
    if field.get("enum"):
        return f"{leave}write one of {listed(field['enum'])}"
    if "string" in wanted and "format" not in field:
        return f"{leave}an unquoted # starts a comment: a value with # in front must be quoted, as in '#US30'"
    return f"{leave}{field.get('description', 'write a value')}"


def _hint(kind: Kind, pointer: str, value: Any, wanted: Sequence[str]) -> str:
    field = field_at(kind.schema, pointer)
    if isinstance(value, str) and _NUMBERS & set(wanted):
        return number_hint(value, field, unit_at(kind, pointer), quoted=True)
    if field.get("enum"):
        return f"allowed: {listed(field['enum'])}"
    if "string" in wanted and isinstance(value, (bool, int, float)):
        return f"if it is meant as text, quote it: '{shown(value)}'"
    if "boolean" in wanted and isinstance(value, str) and value.lower() in {"true", "false"}:
        return f"write it without quotes: {value.lower()}"
    if "array" in wanted and isinstance(value, str):
        return f"write a list: [{value}]"
    return str(field.get("description", ""))


_RULES = {
    "uniqueItems": "has the same value twice",
    "minItems": "has too few values: at least {limit}",
    "maxItems": "has too many values: at most {limit}",
    "minProperties": "has too few fields: at least {limit}",
    "maxProperties": "has too many fields: at most {limit}",
    "multipleOf": "is no multiple of {limit}",
    "oneOf": "does not fit exactly one of the alternatives",
    "not": "is excluded here",
}
_FROM_GIT = "delete the line: it is the time of the commit that first, or last, changed this resource"


def explanations(kind: Kind, value: Any) -> Iterator[Finding]:
    """Everything the reference validator has against a document, the most telling first."""
    for violation in sorted(violations(kind.schema, value), key=lambda one: not one.conditional):
        handler = _bad_key if violation.of_key else _HANDLERS.get(violation.keyword, _other)
        yield from handler(kind, violation)


def _unknown(kind: Kind, found: Violation) -> Iterator[Finding]:
    pointer, known = found.pointer, found.schema.get("properties", {})
    patterns = [ecma(pattern) for pattern in found.schema.get("patternProperties", {})]
    for key in found.value:
        if key not in known and not any(pattern.search(key) for pattern in patterns):
            yield _unknown_field(kind, pointer, key, {name: name in found.value for name in known})


def _unknown_field(kind: Kind, pointer: str, key: str, known: Mapping[str, bool]) -> Finding:
    """`known` maps the fields that are possible here to whether they are there."""
    at = child(pointer, key)
    if key in TIMESTAMPS:
        return Finding(at, "unknown-field", f"{key} comes from git and cannot be set", _FROM_GIT, at_key=True)
    absent = [name for name, present in known.items() if not present]
    meant = closest(key, absent) or closest(key, known)
    if meant:
        message = f"unknown field (did you mean {meant}?)"
        return Finding(at, "unknown-field", message, at_key=True, instead=child(pointer, meant))
    home = home_of(kind.schema, key)
    if home is not None:
        where = f"under {'.'.join(split(home))}" if home else "at the start of a line"
        return Finding(at, "unknown-field", f"{key} belongs {where}", at_key=True, instead=child(home, key))
    possible = f"possible here: {listed(known)}" if known else "no field is possible here"
    return Finding(at, "unknown-field", "unknown field", possible, at_key=True)


def _missing(kind: Kind, found: Violation) -> Iterator[Finding]:
    for name in found.limit:
        if name not in found.value:
            pointer = child(found.pointer, name)
            yield Finding(pointer, MISSING, f"{name} is missing", _about(kind, pointer, found), at_key=True)


def _needed_with(kind: Kind, found: Violation) -> Iterator[Finding]:
    for name, others in found.limit.items():
        for other in others:
            if name in found.value and other not in found.value:
                pointer = child(found.pointer, other)
                message = f"{other} is missing: it is needed with {name}"
                yield Finding(pointer, MISSING, message, _about(kind, pointer, found), at_key=True)


def _type(kind: Kind, found: Violation) -> Iterator[Finding]:
    pointer = found.pointer
    wanted = found.limit if isinstance(found.limit, list) else [found.limit]
    yield wrong_type(kind, pointer, found.value, wanted)


def _not_allowed(kind: Kind, found: Violation) -> Iterator[Finding]:
    words = found.limit if found.keyword == "enum" else [found.limit]
    suggestion = did_you_mean(found.value, map(str, words)) if isinstance(found.value, str) else ""
    message = f"{shown(found.value)} is not allowed here{suggestion}"
    yield Finding(found.pointer, "not-allowed", message, f"allowed: {listed(map(_plain, words))}")


def _out_of_range(kind: Kind, found: Violation) -> Iterator[Finding]:
    bounds = {bound: found.schema[bound] for bound in BOUNDS if bound in found.schema}
    message = f"{shown(found.value)} is out of range: {range_words(bounds, unit_at(kind, found.pointer))}"
    yield Finding(found.pointer, "out-of-range", message, _about(kind, found.pointer, found))


def _too_long(kind: Kind, found: Violation) -> Iterator[Finding]:
    message = f"{len(found.value)} characters, and at most {found.limit} are possible"
    yield Finding(found.pointer, "too-long", message, _about(kind, found.pointer, found))


def _bad_format(kind: Kind, found: Violation) -> Iterator[Finding]:
    pointer = found.pointer
    what = "is no UUID" if found.limit == "uuid" else "has the wrong format"
    if found.value == "":
        what = "is empty"
    yield Finding(pointer, "bad-format", f"{shown(found.value)} {what}", _about(kind, pointer, found))


def _bad_key(_kind: Kind, found: Violation) -> Iterator[Finding]:
    pointer = child(found.pointer, str(found.value))
    message = f"{shown(found.value)} cannot be used as a key here"
    yield Finding(pointer, "bad-format", message, found.schema.get("description", ""), at_key=True)


def _other(kind: Kind, found: Violation) -> Iterator[Finding]:
    """The validators' own messages quote whole mappings, and a secret could be in one of them."""
    rule = _RULES.get(found.keyword, f"does not satisfy {found.keyword}")
    limit = shown(found.limit) if isinstance(found.limit, (int, float, str)) else ""
    message = f"{shown(found.value)} {rule.format(limit=limit)}"
    yield Finding(found.pointer, "bad-format", message, _about(kind, found.pointer, found))


def _about(kind: Kind, pointer: str, found: Violation) -> str:
    """What the schema says in words: the part that failed, or the field that it is about."""
    own = found.schema.get("description", "") if pointer == found.pointer else ""
    return str(own or field_at(kind.schema, pointer).get("description", ""))


def _plain(word: Any) -> str:
    return word if isinstance(word, str) else shown(word)


_HANDLERS: Mapping[str, Callable[[Kind, Violation], Iterator[Finding]]] = {
    "additionalProperties": _unknown,
    "required": _missing,
    "dependentRequired": _needed_with,
    "type": _type,
    "enum": _not_allowed,
    "const": _not_allowed,
    **dict.fromkeys(BOUNDS, _out_of_range),
    "maxLength": _too_long,
    "minLength": _bad_format,
    "pattern": _bad_format,
    "format": _bad_format,
}
