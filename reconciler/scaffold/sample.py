"""A commented YAML document to start a resource from, made from the kind's schema alone."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jsonschema_rs import ValidationErrorKind

from reconciler import canonical
from reconciler.kinds.engine import compile_schema, matches
from reconciler.kinds.kind import BOUNDS, INACTIVE, child, join
from reconciler.kinds.references import resolve_refs
from reconciler.scaffold.yamltext import write_value
from reconciler.validate.finding import describe_range, unit_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Column, Kind


NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""The nil UUID (RFC 9562, section 5.9): the id of nothing, so that a template refers to nothing."""

TEXTS = ("CHANGE-ME", "change-me", "CHANGE_ME", "change_me", "CHANGEME", "changeme", "/CHANGE-ME", "X", "x", "0", "")
"""Placeholder texts in spellings that patterns allow; the last ones are for strict patterns."""

KEYS = ("change-me", "change_me", "changeme", "CHANGE_ME", "x", "X", "0")

MOST = 200
"""Items of a list and characters of a text, whatever the schema asks for: somebody is to read it."""

STEPS = (0.01, 0.1, 1, 0.001)
"""Distances from an excluded limit: hundredths first, as lots and percentages have."""

FORMATS = {"uuid": NIL_UUID, "date": "2000-01-01", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}
"""The addresses are those kept for documentation (RFC 5737, RFC 3849)."""


def candidate_values(part: Mapping[str, Any]) -> tuple[Value, ...]:
    """Values for a part of a schema whose `$ref` is followed and which is neither an object nor an array."""
    if "const" in part:
        return (part["const"],)
    if "enum" in part:
        words = tuple(part["enum"])
        return (INACTIVE, *(word for word in words if word != INACTIVE)) if INACTIVE in words else words
    types = part.get("type", "string")
    scalar = next((name for name in ([types] if isinstance(types, str) else types) if name in _BY_TYPE), None)
    return _BY_TYPE[scalar](part) if scalar is not None else ({}, [])


def _whole(part: Mapping[str, Any]) -> tuple[Value, ...]:
    return tuple(round(number) for number in _from_lowest(part, (1,)) if math.isfinite(number)) or (0,)


def _numbers(part: Mapping[str, Any]) -> tuple[Value, ...]:
    return tuple(number for number in _from_lowest(part, STEPS) if math.isfinite(number)) or (0,)


def _from_lowest(part: Mapping[str, Any], steps: tuple[float, ...]) -> list[float]:
    """The smallest numbers that the bounds allow; without a lower one 0, or the greatest."""
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
    long = tuple((text * shortest)[:shortest] for text in TEXTS if text and shortest > len(text))
    return (*(("",) if may_be_empty else ()), *TEXTS, *long)


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any]], tuple[Value, ...]]] = {
    "string": _texts,
    "number": _numbers,
    "integer": _whole,
    "boolean": lambda _: (False, True),
    "null": lambda _: (None,),
}


MAX_ATTEMPTS = 500
"""Values that are replaced before giving up. The bundled kinds take a handful."""

_KEY = "#"
"""A suffix of a pointer, for the key of a map's entry, which has candidates of its own."""


@dataclass(slots=True)
class _Draft:
    """One way to fill a schema: the candidate chosen at each pointer, and the optional fields added."""

    schema: Mapping[str, Any]
    given: Mapping[str, Value]
    generous: bool
    choices: dict[str, int] = field(default_factory=dict)
    options: dict[str, int] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)

    def fill(self, part: Mapping[str, Any], pointer: str) -> Value:
        part = resolve_refs(self.schema, part)
        if pointer in self.given:
            return self.given[pointer]
        match part.get("type"):
            case "object":
                return self._mapping(part, pointer)
            case "array":
                return self._sequence(part, pointer)
            case _:
                return self._choose(pointer, candidate_values(part))

    def _mapping(self, part: Mapping[str, Any], pointer: str) -> dict[str, Value]:
        properties, required = part.get("properties", {}), part.get("required", ())
        filled: dict[str, Value] = {}
        for name, member in properties.items():
            at = child(pointer, name)
            if self.generous or name in required or at in self.given or at in self.added:
                filled[name] = self.fill(member, at)
        rest = part.get("additionalProperties", True)
        least = part.get("minProperties", 1 if self.generous and not properties else 0)
        if len(filled) < least and isinstance(rest, dict):
            key = str(self._choose(pointer + _KEY, KEYS))
            filled[key] = self.fill(rest, child(pointer, key))
        return filled

    def _sequence(self, part: Mapping[str, Any], pointer: str) -> list[Value]:
        count = int(min(max(part.get("minItems", 0), 1 if self.generous else 0), MOST))
        items = part.get("items", {})
        return [self.fill(items, child(pointer, position)) for position in range(count)]

    def _choose(self, pointer: str, values: tuple[Value, ...]) -> Value:
        self.options[pointer] = len(values)
        return values[self.choices.get(pointer, 0)]

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
        following = self.choices.get(pointer, 0) + 1
        if following >= self.options.get(pointer, 0):
            return False
        self.choices[pointer] = following
        return True


def build_sample(kind: Kind, name: str, row_id: str) -> dict[str, Any]:
    """A document with all that the kind requires and nothing else, under a name and an id.

    Numbers are the smallest, words the first, a status INACTIVE where it can be. Where the schema's own rules cannot
    be met in this way, it is the nearest that was found.
    """
    return _build(kind, name, row_id, generous=False)


def build_full_sample(kind: Kind, name: str, row_id: str) -> dict[str, Any]:
    """A document with every optional field, and an entry in each map and list."""
    return _build(kind, name, row_id, generous=True)


def _build(kind: Kind, name: str, row_id: str, *, generous: bool) -> dict[str, Any]:
    given: dict[str, Value] = {"/metadata/name": name, child("/spec", kind.key): row_id}
    draft = _Draft(kind.schema, given, generous)
    validator = compile_schema(kind.schema)
    document = draft.fill(kind.schema, "")
    for _ in range(MAX_ATTEMPTS):
        if not draft.mend(validator.iter_errors(document)):
            break
        document = draft.fill(kind.schema, "")
    assert isinstance(document, dict)
    return document


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """One field: its name, SQL type, unit, allowed values, and its description in the schema."""

    name: str
    type: str
    unit: str
    allowed: str
    required: bool
    description: str


def describe_fields(kind: Kind) -> tuple[FieldDescription, ...]:
    """The columns in their order, then the references (`refs.ROLE`, of type `Kind` or `Kind, …`)."""
    return (*(_column(kind, column) for column in kind.columns), *_references(kind))


def allowed_values(part: Mapping[str, Any], unit: str) -> str:
    """The words or numbers that a field may have: `BUY, SELL or BOTH`, `1 to 1000 trades`; empty for free text."""
    if "enum" in part:
        *others, last = map(canonical.text, part["enum"])
        return f"{', '.join(others)} or {last}" if others else last
    if part.get("type") == "boolean":
        return "true or false"
    bounds = {bound: part[bound] for bound in BOUNDS if bound in part}
    return describe_range(bounds, unit) if bounds else ""


def _column(kind: Kind, column: Column) -> FieldDescription:
    spec = kind.schema["properties"]["spec"]
    part = resolve_refs(kind.schema, spec["properties"][column.name])
    length = part.get("maxLength")
    values = allowed_values(part, "") or (f"at most {length} characters" if length is not None else "")
    written = f"{column.type}({column.length})" if column.length is not None else str(column.type)
    return FieldDescription(
        column.name, written, column.unit, values, column.name in spec["required"], column.description
    )


def _references(kind: Kind) -> Iterator[FieldDescription]:
    metadata = kind.schema["properties"]["metadata"]
    roles = resolve_refs(kind.schema, metadata["properties"].get("refs", {}))
    for reference in kind.references:
        part = resolve_refs(kind.schema, roles["properties"][reference.role])
        required = "refs" in metadata["required"] and reference.role in roles.get("required", ())
        what = f"names of {reference.kind}" if reference.many else f"name of {reference.kind}"
        yield FieldDescription(f"refs.{reference.role}", what, "", "", required, str(part.get("description", "")))


WIDTH = 120
"""The longest line; a comment that would make it longer goes above it."""

INDENT = "  "
ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
METADATA = ("name", "labels", "annotations", "refs")


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a line goes: how deep, and from which depth on it is commented out (None when it counts)."""

    kind: Kind
    depth: int = 0
    off: int | None = None

    def line(self, text: str) -> str:
        if self.off is None:
            return INDENT * self.depth + text
        return f"{INDENT * self.off}# {INDENT * (self.depth - self.off)}{text}"

    def remark(self, text: str) -> Iterator[str]:
        start = INDENT * (self.depth if self.off is None else self.off)
        yield from textwrap.wrap(
            text, WIDTH, initial_indent=f"{start}# ", subsequent_indent=f"{start}# ", break_on_hyphens=False
        )


def build_template(kind: Kind, name: str, row_id: str, schema_address: str) -> str:
    """The text of a file that declares one resource: what is required filled in, what is optional commented out.

    `schema_address` is where editors find the kind's schema, relative to the file.
    """
    required, full = build_sample(kind, name, row_id), build_full_sample(kind, name, row_id)
    top = _Position(kind)
    head = [f"# yaml-language-server: $schema={schema_address}", *top.remark(kind.schema["description"])]
    return "\n".join([*head, *_mapping_lines(top, kind.schema, "", required, full)]) + "\n"


def _mapping_lines(
    outer: _Position, part: Mapping[str, Any], pointer: str, required: Mapping[str, Any], full: Mapping[str, Any]
) -> Iterator[str]:
    """The lines of a mapping: the fields of `required`, and those that only `full` has commented out."""
    properties = part.get("properties", {})
    for name in _sort_names(outer.kind, pointer, {**properties, **required, **full}):
        value = required.get(name, full.get(name))
        if value is None or (name not in required and value == {}):
            continue
        position = outer if name in required or outer.off is not None else replace(outer, off=outer.depth)
        member = resolve_refs(outer.kind.schema, properties.get(name, part.get("additionalProperties", {})))
        yield from _field_lines(position, member, child(pointer, name), value, full.get(name))


def _sort_names(kind: Kind, pointer: str, names: Iterable[str]) -> list[str]:
    """The canonical order of `fmt`: the envelope's, then the columns', inside of them the schema's."""
    columns = tuple(column.name for column in kind.columns)
    first = {"": ENVELOPE, "/metadata": METADATA, "/spec": columns}.get(pointer, ())
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _field_lines(position: _Position, part: Mapping[str, Any], pointer: str, value: Any, full: Any) -> Iterator[str]:
    key = f"{write_value(pointer.rpartition('/')[2])}:"
    nested = isinstance(value, dict) and bool(value)
    text = key if nested else f"{key} {write_value(value)}"
    description = _describe(position.kind, part, pointer)
    commented = position.line(f"{text}  # {description}") if description else position.line(text)
    if len(commented) > WIDTH:
        yield from position.remark(description)
        commented = position.line(text)
    yield commented
    if nested:
        yield from _mapping_lines(replace(position, depth=position.depth + 1), part, pointer, value, full or {})


def _describe(kind: Kind, part: Mapping[str, Any], pointer: str) -> str:
    """A field's comment: its allowed values, else its description in the schema."""
    if pointer.count("/") == 1 or pointer == "/metadata/name":
        return ""
    return allowed_values(part, unit_at(kind, pointer)) or str(part.get("description", ""))
