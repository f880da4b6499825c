"""A document that satisfies a kind's schema, made from the schema alone: each value the most cautious that fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator, ValidationErrorKind

from reconciler.authoring.candidates import KEYS, candidates
from reconciler.kinds.build import resolved
from reconciler.kinds.pointers import child, join

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Kind

ATTEMPTS = 500
"""Values that are exchanged before it is given up. The shipped kinds take a handful."""

_KEY = "#"
"""Behind a pointer: the key of a map's entry, which has candidates of its own."""


@dataclass(slots=True)
class _Draft:
    """One way to fill a schema: which candidate each place has, and which optional fields are there."""

    schema: Mapping[str, Any]
    given: Mapping[str, Value]
    generous: bool
    choices: dict[str, int] = field(default_factory=dict)
    options: dict[str, int] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)

    def fill(self, part: Mapping[str, Any], pointer: str) -> Value:
        part = resolved(self.schema, part)
        if pointer in self.given:
            return self.given[pointer]
        match part.get("type"):
            case "object":
                return self._mapping(part, pointer)
            case "array":
                return self._sequence(part, pointer)
            case _:
                return self._choose(pointer, candidates(part))

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
        count = max(part.get("minItems", 0), 1 if self.generous else 0)
        items = part.get("items", {})
        return [self.fill(items, child(pointer, position)) for position in range(count)]

    def _choose(self, pointer: str, values: tuple[Value, ...]) -> Value:
        self.options[pointer] = len(values)
        return values[self.choices.get(pointer, 0)]

    def mend(self, errors: Iterator[Any]) -> bool:
        """Exchange one value that an error is about, or add a field that is missing; False when nothing can be."""
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


def sample(kind: Kind, name: str, row_id: str) -> dict[str, Any]:
    """A document with all that the kind requires and nothing else, under a name and an id.

    Numbers are the smallest, words the first, a status INACTIVE where it can be. Where the schema's own rules cannot
    be met in this way, it is the nearest that was found.
    """
    return _sampled(kind, name, row_id, generous=False)


def generous_sample(kind: Kind, name: str, row_id: str) -> dict[str, Any]:
    """The same with every optional field, and an entry in each map and list."""
    return _sampled(kind, name, row_id, generous=True)


def _sampled(kind: Kind, name: str, row_id: str, *, generous: bool) -> dict[str, Any]:
    given: dict[str, Value] = {"/metadata/name": name, child("/spec", kind.key): row_id}
    draft = _Draft(kind.schema, given, generous)
    validator = Draft202012Validator(dict(kind.schema), offline=True, validate_formats=True)
    document = draft.fill(kind.schema, "")
    for _ in range(ATTEMPTS):
        if not draft.mend(validator.iter_errors(document)):
            break
        document = draft.fill(kind.schema, "")
    assert isinstance(document, dict)
    return document
