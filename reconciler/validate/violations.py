"""The keywords of a schema that a document does not satisfy, as jsonschema, the reference implementation, finds them.

What compares texts and values is asked of the engine that gave the verdict. Steps are counted: a document and a schema
may be made so that an explanation takes hours where the verdict took a second.
Importing jsonschema takes 150 ms, half of what `validate` may take: so this module is imported for a wrong file only.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from reconciler.kinds.engine import Same, compile_keyword, matches
from reconciler.kinds.kind import BOUNDS, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]

MAX_STEPS = 100_000
"""Comparisons of a value with a keyword in one document; a document of one resource takes some hundred."""
_TEXT_OF_ONE_STEP = 100
CUT_SHORT = "cut-short"
"""The keyword of the violation that stands for those behind `MAX_STEPS`."""


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


def find_violations(schema: Mapping[str, Any], value: Any) -> list[Violation]:
    """All violations in a document; of several alternatives, those of the one that came closest.

    After `MAX_STEPS` the last one is of the keyword `CUT_SHORT`.
    """
    violations: list[Violation] = []
    before = _METER.set(_Meter(value))
    try:
        for error in _Reference(schema).iter_errors(value):
            violations.append(_to_violation(best_match([error]) or error))
    except _TooManyStepsError:
        violations.append(Violation("", CUT_SHORT, MAX_STEPS, value, {}, of_key=False, conditional=False))
    finally:
        _METER.reset(before)
    return violations


def _to_violation(error: ValidationError) -> Violation:
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


class _TooManyStepsError(Exception):
    """An explanation takes more than `MAX_STEPS`; never leaves this module."""


class _Meter:
    """Counts the steps of one explanation."""

    def __init__(self, document: Any) -> None:
        self._left = MAX_STEPS
        self._sizes: dict[int, int] = {}
        self._measure(document)

    def spend(self, steps: int) -> None:
        """Raises `_TooManyStepsError` when there are no more."""
        self._left -= steps
        if self._left < 0:
            raise _TooManyStepsError

    def size(self, value: Any) -> int:
        """How many values there are in a value of the document, aliases written out; a long text counts as several."""
        return 1 + len(value) // _TEXT_OF_ONE_STEP if isinstance(value, str) else self._sizes.get(id(value), 1)

    def _measure(self, value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return 1
        known = self._sizes.get(id(value))
        if known is None:
            members = value.values() if isinstance(value, dict) else value
            known = self._sizes[id(value)] = 1 + sum(map(self._measure, members))
        return known


_METER: ContextVar[_Meter] = ContextVar("meter")


def _metered(keyword: Keyword) -> Keyword:
    """The keyword with its steps counted. jsonschema quotes the whole value in each error: that counts by its size."""

    def check(validator: Any, limit: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        meter = _METER.get()
        meter.spend(1)
        for error in keyword(validator, limit, value, schema) or ():
            if not isinstance(error.validator, str):  # made here, not inside of the value
                meter.spend(meter.size(value))
            yield error

    return check


def _asked(keyword: str) -> Keyword:
    """The keyword as the engine judges it."""

    def check(_validator: Any, limit: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
        _METER.get().spend(_METER.get().size(value))
        if not compile_keyword(keyword, Same(limit)).is_valid(value):
            yield ValidationError(f"does not satisfy {keyword}")

    return check


def _pattern_properties(validator: Any, patterns: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    for pattern, part in patterns.items():
        _METER.get().spend(len(value))
        for key, member in value.items():
            if matches(pattern, key):
                yield from validator.descend(member, part, path=key, schema_path=pattern)


def _additional_properties(validator: Any, part: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    _METER.get().spend(len(value) * len(schema.get("patternProperties", ())))
    others = find_other_keys(schema, value)
    if part is False and others:
        yield ValidationError("has other fields")
    elif part is not False:
        for key in others:
            yield from validator.descend(value[key], part, path=key)


def find_other_keys(schema: Mapping[str, Any], value: Mapping[str, Any]) -> list[str]:
    """The keys of a mapping that neither the properties nor the patterns of a part of a schema are about."""
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return [key for key in value if key not in properties and not any(matches(pattern, key) for pattern in patterns)]


def _required(_validator: Any, names: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """One error for all fields that are missing."""
    if isinstance(value, dict) and any(name not in value for name in names):
        yield ValidationError("lacks fields")


def _dependent_required(_validator: Any, needed: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """One error for all fields that are missing."""
    if not isinstance(value, dict):
        return
    if any(name in value and any(other not in value for other in others) for name, others in needed.items()):
        yield ValidationError("lacks fields")


_ASKED = (*BOUNDS, "multipleOf", "minLength", "maxLength", "pattern", "format", "enum", "const", "uniqueItems")
_KEYWORDS: Mapping[str, Keyword] = {
    **Draft202012Validator.VALIDATORS,
    **{name: _asked(name) for name in _ASKED},
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "dependentRequired": _dependent_required,
}
_extend: Callable[..., type[Draft202012Validator]] = extend
_Reference = _extend(Draft202012Validator, {name: _metered(keyword) for name, keyword in _KEYWORDS.items()})
