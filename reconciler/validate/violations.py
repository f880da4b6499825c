"""The keywords of a schema that a document does not satisfy, as jsonschema, the reference implementation, finds them.

What compares texts and values is asked of the engine that gave the verdict. Steps are counted: a document and a schema
may be made so that an explanation takes hours where the verdict took a second.
Importing jsonschema takes 150 ms, half of what `validate` may take: so this module is imported for a wrong file only.
"""

from __future__ import annotations

import copy
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from msgspec import Struct
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from reconciler.kinds.engine import compile_keyword, matches
from reconciler.kinds.kind import BOUNDS, join, split, value_at
from reconciler.kinds.parts import Same, iter_members, list_parts
from reconciler.kinds.references import DIALECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]

MAX_STEPS = 100_000
"""Comparisons of a value with a keyword in one document; a document of one resource takes some hundred."""
MAX_NESTING = 120
"""Keywords inside each other: each takes several calls, of which Python allows 1,000 inside each other."""
_TEXT_OF_ONE_STEP = 100
_STEPS_OF_A_FIELD = 10
"""For each field that is missing: a finding of its own takes as long."""
CUT_SHORT = "cut-short"
"""The keyword of the violation that stands for those behind `MAX_STEPS`."""
NOTHING = "false"
"""The keyword that stands for the schema `false`; its limit is the keyword that holds it."""


class Violation(Struct, frozen=True):
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
        for error in _explainer(Same(schema)).iter_errors(value):
            violation = _to_violation(best_match([error]) or error)
            _METER.get().spend(len(violation.pointer) // _TEXT_OF_ONE_STEP)
            violations.append(violation)
    except _TooManyStepsError:
        violations.append(Violation("", CUT_SHORT, MAX_STEPS, value, {}, of_key=False, conditional=False))
    finally:
        _METER.reset(before)
    return violations


@lru_cache(maxsize=64)
def _explainer(schema: Same) -> Draft202012Validator:
    """The reference for a schema.

    It is given a copy: a part that names its draft would be explained by another validator, without what is changed
    here, and an error of the schema `false` would not have the place of the value.
    """
    plain: dict[str, Any] = copy.deepcopy(schema.value)
    parts: Mapping[str, Any] = list_parts(plain)
    for pointer, part in parts.items():
        part.pop("$schema", None)
        for keyword, at, member in [*iter_members(pointer, part)]:
            if member is False and keyword != "additionalProperties":
                *way, last = split(at)
                holder = value_at(plain, join(way))
                holder[int(last) if isinstance(holder, list) else last] = {NOTHING: keyword}
    resource = DRAFT202012.create_resource(plain)
    known = Registry().with_resource(resource.id() or "", resource).crawl()  # else a dynamic scope lacks inner parts
    return _Reference(plain, registry=known)


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
        self._nesting = 0
        self._sizes: dict[int, int] = {}
        self._measure(document)

    def spend(self, steps: int) -> None:
        """Raises `_TooManyStepsError` when there are no more."""
        self._left -= steps
        if self._left < 0:
            raise _TooManyStepsError

    def enter(self) -> None:
        """One keyword more inside each other. Raises `_TooManyStepsError` when there are too many."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise _TooManyStepsError

    def leave(self) -> None:
        self._nesting -= 1

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
        try:
            meter.enter()
            for error in keyword(validator, limit, value, schema) or ():
                if not isinstance(error.validator, str):  # made here, not inside of the value
                    meter.spend(meter.size(value))
                yield error
        finally:
            meter.leave()

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
    """One error for all fields that are missing. Each of them is told."""
    if isinstance(value, dict) and (missing := sum(name not in value for name in names)):
        _METER.get().spend(missing * _STEPS_OF_A_FIELD)
        yield ValidationError("lacks fields")


def _dependent_required(_validator: Any, needed: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """One error for all fields that are missing. Each of them is told."""
    if not isinstance(value, dict):
        return
    lacking = (other not in value for name, others in needed.items() if name in value for other in others)
    if missing := sum(lacking):
        _METER.get().spend(missing * _STEPS_OF_A_FIELD)
        yield ValidationError("lacks fields")


def _ref(validator: Any, reference: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if reference.removesuffix("#") != DIALECT:
        yield from validator._validate_reference(ref=reference, instance=value)
        return
    _METER.get().spend(_METER.get().size(value))
    if not compile_keyword("$ref", Same(reference)).is_valid(value):
        yield ValidationError("is no JSON Schema")


def _nothing(_validator: Any, _keyword: Any, _value: Any, _schema: Any) -> Iterator[ValidationError]:
    yield ValidationError("is not allowed")


def _dependencies(validator: Any, needed: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """Of older drafts, and still read: other fields that a field needs, or a schema that goes with it."""
    if not isinstance(value, dict):
        return
    for name, part in needed.items():
        if name in value and not isinstance(part, list):
            yield from validator.descend(value, part, schema_path=name)
    lists = {name: part for name, part in needed.items() if isinstance(part, list)}
    yield from _dependent_required(validator, lists, value, _schema)


def _unevaluated(keyword: str, type_: type[Any]) -> Keyword:
    """The keyword for the members of a mapping or list that no other keyword is about."""

    def check(validator: Any, part: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        if not isinstance(value, type_):
            return
        seen = find_evaluated(validator, value, {name: held for name, held in schema.items() if name != keyword})
        members: Iterable[Any] = value if isinstance(value, dict) else range(len(value))
        for key in members:
            if key not in seen:
                yield from validator.descend(value[key], part, path=key)

    return check


def find_evaluated(validator: Any, value: Any, schema: Any) -> set[Any]:
    """The keys of a mapping, or positions in a list, that a schema which the value satisfies is about."""
    if not isinstance(schema, dict):
        return set()
    found = _find_in_fields(value, schema) if isinstance(value, dict) else _find_in_items(validator, value, schema)
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in schema:
            resolved = validator._resolver.lookup(schema[keyword])
            inner = validator.evolve(schema=resolved.contents, _resolver=resolved.resolver)
            found |= find_evaluated(inner, value, resolved.contents)
    for part in _parts_that_apply(validator, value, schema):
        resolver = validator._resolver.in_subresource(DRAFT202012.create_resource(part))
        found |= find_evaluated(validator.evolve(schema=part, _resolver=resolver), value, part)
    return found


def _parts_that_apply(validator: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """The parts of a schema that are about the same value and that it satisfies."""

    def fits(part: Any) -> bool:
        return next(validator.descend(value, part), None) is None

    yield from (part for keyword in ("allOf", "anyOf", "oneOf") for part in schema.get(keyword, ()) if fits(part))
    if "if" in schema:
        condition = fits(schema["if"])
        if condition:
            yield schema["if"]
        branch = "then" if condition else "else"
        if branch in schema:
            yield schema[branch]
    for keyword in ("dependentSchemas", "dependencies"):
        for name, part in schema.get(keyword, {}).items():
            if isinstance(value, dict) and name in value and isinstance(part, dict):
                yield part


def _find_in_fields(value: Mapping[str, Any], schema: Mapping[str, Any]) -> set[Any]:
    if not {"additionalProperties", "unevaluatedProperties"}.isdisjoint(schema):
        return set(value)
    return set(value) - set(find_other_keys(schema, value))


def _find_in_items(validator: Any, value: Any, schema: Mapping[str, Any]) -> set[Any]:
    if not {"items", "unevaluatedItems"}.isdisjoint(schema):
        return set(range(len(value)))
    found = set(range(len(schema.get("prefixItems", ()))))
    if "contains" in schema:
        fitting = (next(validator.descend(item, schema["contains"]), None) is None for item in value)
        found |= {position for position, fits in enumerate(fitting) if fits}
    return found


_ASKED = (*BOUNDS, "multipleOf", "minLength", "maxLength", "pattern", "format", "enum", "const", "uniqueItems")
_KEYWORDS: Mapping[str, Keyword] = {
    **Draft202012Validator.VALIDATORS,
    **{name: _asked(name) for name in _ASKED},
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "dependentRequired": _dependent_required,
    "dependencies": _dependencies,
    "$ref": _ref,
    NOTHING: _nothing,
    "unevaluatedProperties": _unevaluated("unevaluatedProperties", dict),
    "unevaluatedItems": _unevaluated("unevaluatedItems", list),
}
_extend: Callable[..., type[Draft202012Validator]] = extend
_Reference = _extend(Draft202012Validator, {name: _metered(keyword) for name, keyword in _KEYWORDS.items()})
