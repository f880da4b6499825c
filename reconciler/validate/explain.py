"""Why a document does not satisfy its kind's schema, in the words of somebody who trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from reconciler.kinds.build import BOUNDS
from reconciler.kinds.kind import TIMESTAMPS, Kind, closest, did_you_mean
from reconciler.kinds.pointers import child, split
from reconciler.validate import reference
from reconciler.validate.fields import field_at, home_of, unit_at
from reconciler.validate.finding import MISSING, Finding
from reconciler.validate.wording import listed, range_words, shown
from reconciler.validate.wrong_type import wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.validate.reference import Violation

    Handler: TypeAlias = Callable[[Kind, Violation], Iterator[Finding]]

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
    for violation in sorted(reference.violations(kind.schema, value), key=lambda one: not one.conditional):
        handler = _bad_key if violation.of_key else _HANDLERS.get(violation.keyword, _other)
        yield from handler(kind, violation)


def _unknown(kind: Kind, found: Violation) -> Iterator[Finding]:
    pointer, known = found.pointer, found.schema.get("properties", {})
    patterns = [reference.ecma(pattern) for pattern in found.schema.get("patternProperties", {})]
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


_HANDLERS: Mapping[str, Handler] = {
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
