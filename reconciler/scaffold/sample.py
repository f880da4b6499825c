"""Values that fit a kind's schema, found by trying: the smallest numbers, the first words, nothing that is optional.

Where nothing that is tried fits, the nearest that was found is returned: the schema's own rules may be such that only
a person knows what to write.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonschema_rs import ValidationErrorKind
from msgspec import Struct

from reconciler.kinds.engine import compile_schema, matches
from reconciler.kinds.kind import INACTIVE, child, join
from reconciler.kinds.references import resolve_refs
from reconciler.validate import placeholders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind


LAST_TEXTS = ("X", "x", "0", "")
"""What is tried where a pattern allows no placeholder."""

KEYS = (*placeholders.KEYS, "x", "X", "0")

MOST = 200
"""Items of a list and characters of a text, whatever the schema asks for: somebody is to read it."""

MAX_VALUES, MAX_LEVELS = 1_000, 12
"""Values of a whole document, and values inside each other: a schema may lead back to itself."""

STEPS = (0.01, 0.1, 1, 0.001)
"""Distances from an excluded limit: hundredths first, as lots and percentages have."""

FORMATS = {
    **placeholders.FORMATS,
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "relative-json-pointer": "0",
}

_NESTED = ("object", "array")
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
"""JSON Schema's types, the more telling ones first."""
_HINTS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
    "array": ("items", "prefixItems", "contains", "minItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords from which the type of a part that does not name one can be guessed."""


def _types_of(part: Mapping[str, Any]) -> tuple[str, ...]:
    named = part.get("type")
    if named is not None:
        return tuple(sorted([named] if isinstance(named, str) else named, key=_TYPES.index))
    guessed = tuple(type_ for type_, keywords in _HINTS.items() if not set(keywords).isdisjoint(part))
    return guessed or ("string",)


def _candidates(part: Mapping[str, Any]) -> tuple[Value, ...]:
    """Values for a part of a schema, of each of its types; `_NESTED` stand for a mapping and a list to be filled."""
    if "const" in part:
        return (part["const"],)
    if part.get("enum"):
        words = tuple(part["enum"])
        return (INACTIVE, *(word for word in words if word != INACTIVE)) if INACTIVE in words else words
    return tuple(value for type_ in _types_of(part) for value in _BY_TYPE[type_](part))


def _whole(part: Mapping[str, Any]) -> tuple[Value, ...]:
    return tuple(round(number) for number in _from_lowest(part, (1,)))


def _from_lowest(part: Mapping[str, Any], steps: tuple[float, ...]) -> tuple[float, ...]:
    """The smallest numbers that the bounds allow; without a lower one 0, or the greatest."""
    try:
        return tuple(number for number in _count_up(part, steps) if math.isfinite(number)) or (0,)
    except (OverflowError, ZeroDivisionError):  # bounds that no double holds
        return (0,)


def _count_up(part: Mapping[str, Any], steps: tuple[float, ...]) -> list[float]:
    if "multipleOf" in part:
        steps = (part["multipleOf"],)
    below = part.get("exclusiveMinimum")
    low = part.get("minimum", below)
    if low is None:
        highest = part.get("maximum", part.get("exclusiveMaximum", 0))
        return [0, *steps, highest, *(highest - step for step in steps)]
    if "multipleOf" in part:
        low = -(-low // steps[0]) * steps[0]
    return [*([] if below is not None and below >= low else [low]), *(low + step for step in steps)]


def _texts(part: Mapping[str, Any]) -> tuple[Value, ...]:
    if part.get("format") in FORMATS:
        return (FORMATS[part["format"]],)
    shortest = int(min(part.get("minLength", 0), MOST))
    may_be_empty = not shortest and "pattern" in part and matches(part["pattern"], "")
    texts = (*placeholders.TEXTS, *LAST_TEXTS)
    long = tuple((text * shortest)[:shortest] for text in texts if text and shortest > len(text))
    return (*(("",) if may_be_empty else ()), *texts, *long)


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]] = {
    "object": lambda _: (_NESTED[0],),
    "array": lambda _: (_NESTED[1],),
    "string": _texts,
    "number": lambda part: _from_lowest(part, STEPS),
    "integer": _whole,
    "boolean": lambda _: (False, True),
    "null": lambda _: (None,),
}


MAX_ATTEMPTS = 500
"""Values that are replaced before giving up. The bundled kinds take a handful."""

_KEY = "#"
_ALTERNATIVE = "|"
"""Suffixes of a pointer, for the key of a map's entry and for `anyOf`, which have candidates of their own."""
_OTHER_ALTERNATIVE = (
    ValidationErrorKind.AnyOf,
    ValidationErrorKind.OneOfNotValid,
    ValidationErrorKind.OneOfMultipleValid,
)


@dataclass(slots=True)
class _Draft:
    """One way to fill a schema: the candidate chosen at each pointer, and the optional fields added."""

    schema: Mapping[str, Any]
    given: Mapping[str, Value]
    generous: bool
    choices: dict[str, int] = field(default_factory=dict)
    options: dict[str, int] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    _left: int = 0
    _way: list[int] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The document as it is now."""
        self._left = MAX_VALUES
        filled = self._mapping(self.schema, "")
        assert isinstance(filled, dict)
        return filled

    def fill(self, written: Any, pointer: str) -> Value:
        if pointer in self.given:
            return self.given[pointer]
        self._left -= 1
        if self._left < 0 or len(self._way) > MAX_LEVELS or id(written) in self._way:
            return None
        self._way.append(id(written))
        try:
            part = self._merge(written, pointer)
            chosen = self._choose(pointer, _candidates(part))
            if "const" in part or part.get("enum") or chosen not in _NESTED:
                return chosen
            return self._mapping(part, pointer) if chosen == _NESTED[0] else self._sequence(part, pointer)
        finally:
            self._way.pop()

    def _merge(self, written: Any, pointer: str) -> Mapping[str, Any]:
        """A part with its `$ref` followed, and with all of `allOf` and one of `anyOf` and `oneOf` in it."""
        part = resolve_refs(self.schema, written) if isinstance(written, dict) else {}
        for inner in part.get("allOf", ()):
            part = _join(part, self._merge(inner, pointer))
        for keyword in ("anyOf", "oneOf"):
            ways = part.get(keyword)
            if ways:
                chosen = ways[self._number(f"{pointer}{_ALTERNATIVE}", len(ways))]
                part = _join(
                    {name: held for name, held in part.items() if name != keyword}, self._merge(chosen, pointer)
                )
        return part

    def _mapping(self, part: Mapping[str, Any], pointer: str) -> dict[str, Value]:
        properties, required = part.get("properties", {}), part.get("required", ())
        filled: dict[str, Value] = {}
        for name, member in properties.items():
            at = child(pointer, name)
            wanted = name in required or at in self.given or at in self.added
            if wanted or (self.generous and member is not False and not self._recurs(member)):
                filled[name] = self.fill(member, at)
        asked = [name for name in required if name not in properties]
        asked += [name for name in self._added_to(pointer) if name not in properties and name not in asked]
        for name in asked:
            member = _member_of(part, name)
            if member is not False:
                filled[name] = self.fill(member, child(pointer, name))
        self._add_entries(part, pointer, filled)
        return filled

    def _added_to(self, pointer: str) -> list[str]:
        above = (at.rpartition("/") for at in sorted(self.added))
        return [name.replace("~1", "/").replace("~0", "~") for outer, _, name in above if outer == pointer]

    def _recurs(self, member: Any) -> bool:
        return id(member) in self._way or self._left < MAX_VALUES // 2

    def _add_entries(self, part: Mapping[str, Any], pointer: str, filled: dict[str, Value]) -> None:
        """Entries of a map, under keys that are made up: as many as it must have."""
        least = int(min(part.get("minProperties", 1 if self.generous and not part.get("properties") else 0), MOST))
        known = any(isinstance(part.get(name), dict) for name in ("additionalProperties", "patternProperties"))
        if len(filled) >= least or not (known or part.get("minProperties")):
            return
        first = self._choose(f"{pointer}{_KEY}", KEYS)
        keys = [first, *(f"{first}{number}" for number in range(2, least + 1))]
        for key in keys[: least - len(filled)]:
            member = _member_of(part, str(key))
            if member is not False:
                filled[str(key)] = self.fill(member, child(pointer, str(key)))

    def _sequence(self, part: Mapping[str, Any], pointer: str) -> list[Value]:
        first, items, contained = part.get("prefixItems", ()), part.get("items", {}), part.get("contains")
        matching = int(part.get("minContains", 1)) if contained is not None else 0
        least = max(part.get("minItems", 0), matching, 1 if self.generous and items is not False else 0)
        count = int(min(least, MOST))
        last = [contained] * max(0, count - len(first)) if matching else []
        return [
            self.fill(first[at] if at < len(first) else last[0] if last else items, child(pointer, at))
            for at in range(count)
        ]

    def _choose(self, pointer: str, values: tuple[Value, ...]) -> Value:
        return values[self._number(pointer, len(values))]

    def _number(self, pointer: str, count: int) -> int:
        self.options[pointer] = count
        return min(self.choices.get(pointer, 0), count - 1)

    def mend(self, errors: Iterator[Any]) -> bool:
        """Replace one value that an error is about, or add a missing field; False when nothing is left to try."""
        return any(self._mend(error) for error in errors)

    def _mend(self, error: Any) -> bool:
        pointer = join(error.instance_path)
        match error.kind:
            case ValidationErrorKind.Required(property=name):
                missing = child(pointer, name)
                grows = missing not in self.added
                self.added.add(missing)
                return grows
            case ValidationErrorKind.PropertyNames():
                pointer += _KEY
            case kind if isinstance(kind, _OTHER_ALTERNATIVE):
                pointer += _ALTERNATIVE
        following = self.choices.get(pointer, 0) + 1
        if following >= self.options.get(pointer, 0):
            return False
        self.choices[pointer] = following
        return True


def _join(part: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Two parts that are both about a value: what the first says counts, members and required fields are of both."""
    joined = {**other, **part}
    for keyword in ("properties", "patternProperties"):
        if keyword in part and keyword in other:
            joined[keyword] = {**other[keyword], **part[keyword]}
    if "required" in part and "required" in other:
        joined["required"] = [*part["required"], *other["required"]]
    if "type" in part and "type" in other:
        both = set(_types_of(part)) & set(_types_of(other))
        joined["type"] = [*both] or part["type"]
    return joined


def _member_of(part: Mapping[str, Any], name: str) -> Any:
    """What a mapping's schema says of a field that is none of its properties."""
    for pattern, member in part.get("patternProperties", {}).items():
        if matches(pattern, name):
            return member
    return part.get("additionalProperties", True)


class Samples(Struct, frozen=True):
    """Two documents of a kind: one with all that is required and nothing else, one with every field there is."""

    required: dict[str, Any]
    full: dict[str, Any]


def build_samples(kind: Kind, name: str, row_id: str) -> Samples:
    """The samples of a kind under a name and an id.

    Numbers are the smallest, words the first, a status INACTIVE where it can be. Where the schema's own rules cannot
    be met in this way, they are the nearest that were found.
    """
    given: dict[str, Value] = {"/metadata/name": name, child("/spec", kind.key): row_id}
    return Samples(_build(kind, given, generous=False), _build(kind, given, generous=True))


def _build(kind: Kind, given: Mapping[str, Value], *, generous: bool) -> dict[str, Any]:
    draft = _Draft(kind.schema, given, generous)
    validator = compile_schema(kind.schema)
    document = draft.document()
    for _ in range(MAX_ATTEMPTS):
        if not draft.mend(validator.iter_errors(document)):
            break
        document = draft.document()
    return document
