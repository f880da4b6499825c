"""Why a document does not satisfy its kind's schema, in the words of somebody who trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import BOUNDS, TIMESTAMPS, Kind, child, split
from reconciler.model.bounds import ANY, Bounds
from reconciler.validate.finding import (
    MISSING,
    TYPES,
    Finding,
    NumberHint,
    column_at,
    describe_range,
    describe_type,
    field_at,
    find_home,
    join_words,
    number_hint,
    quote_value,
    takes_ratio,
    unit_at,
)
from reconciler.validate.violations import CUT_SHORT, NOTHING, Violation, find_other_keys, find_violations
from reconciler.values import replace
from reconciler.words import closest, is_spelling_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


CODE = "wrong-type"
_NUMBERS = frozenset({"number", "integer"})


def explain_wrong_type(kind: Kind, pointer: str, value: Any, types: Sequence[str]) -> Finding:
    """The finding for a value whose type is none of the wanted ones (JSON Schema's names)."""
    words = " or ".join(TYPES[type_] for type_ in types)
    if value is None:
        return Finding(
            pointer, CODE, f"there is no value here, and {words} is wanted", _empty_hint(kind, pointer, types)
        )
    subject = "this" if isinstance(value, (dict, list)) else quote_value(value)
    message = f"{subject} is {describe_type(value)}, and {words} is wanted"
    hint = _type_hint(kind, pointer, value, types)
    return Finding(pointer, CODE, message, hint.words, bounds=hint.bounds)


def _empty_hint(kind: Kind, pointer: str, types: Sequence[str]) -> str:
    """Why a value may be missing although something was written: a # after white space starts a comment."""
    if "object" in types:
        return "its fields stand on the lines below it, indented"
    column, field = column_at(kind, pointer), field_at(kind.schema, pointer)
    prefix = "" if column is None or (column.required and column.name != kind.key) else "leave the field out, or: "
    if field.get("enum"):
        return f"{prefix}write one of {join_words(field['enum'])}"
    if "string" in types and "format" not in field:
        return f"{prefix}an unquoted # starts a comment: a value with # in front must be quoted, as in '#US30'"
    return f"{prefix}{field.get('description', 'write a value')}"


def _type_hint(kind: Kind, pointer: str, value: Any, types: Sequence[str]) -> NumberHint:
    field = field_at(kind.schema, pointer)
    if isinstance(value, str) and _NUMBERS & set(types):
        is_ratio = takes_ratio(kind, pointer)
        return number_hint(value, field, unit_at(kind, pointer), quoted=True, ratio_means_number=is_ratio)
    if field.get("enum"):
        return NumberHint(f"allowed: {join_words(field['enum'])}")
    if "string" in types and isinstance(value, (bool, int, float)):
        return NumberHint(f"if it is meant as text, quote it: '{quote_value(value)}'")
    if "boolean" in types and isinstance(value, str) and value.lower() in {"true", "false"}:
        return NumberHint(f"write it without quotes: {value.lower()}")
    if "array" in types and isinstance(value, str):
        return NumberHint(f"write a list: [{value}]")
    return NumberHint(str(field.get("description", "")))


_RULES = {
    "uniqueItems": "has the same value twice",
    "minItems": "has too few values: at least {limit}",
    "maxItems": "has too many values: at most {limit}",
    "minProperties": "has too few fields: at least {limit}",
    "maxProperties": "has too many fields: at most {limit}",
    "multipleOf": "is no multiple of {limit}",
    "oneOf": "does not fit exactly one of the alternatives",
    "contains": "has no value of the kind that is wanted in it",
    "minContains": "has too few values of the kind that is wanted in it: at least {limit}",
    "maxContains": "has too many values of one kind: at most {limit}",
    "not": "is excluded here",
}
MAX_COMPARED = 10_000
"""Words that those of one document are compared with to find what was meant."""
MAX_TEXT = 1_000
"""Characters of a message or a hint: they are told for each value, and a schema may describe it at any length."""
_FROM_GIT = "delete the line: it is the time of the commit that first, or last, changed this resource"


def explain(kind: Kind, value: Any) -> Iterator[Finding]:
    """Every violation that the reference validator finds in a document, those of a condition first."""
    violations = sorted(find_violations(kind.schema, value), key=lambda violation: not violation.conditional)
    left = MAX_COMPARED
    for violation in violations:
        handlers = _HANDLERS if left > 0 else _BRIEF_HANDLERS
        left -= _count_compared(violation)
        handler = _bad_key if violation.of_key else handlers.get(violation.keyword, _other)
        for finding in handler(kind, violation):
            if finding.hint or finding.instead:
                yield replace(finding, message=_shorten(finding.message), hint=_shorten(finding.hint))
            else:
                yield replace(finding, hint=f"reconciler schema show {kind.name} has the rules")


def _count_compared(violation: Violation) -> int:
    """With how many words those of a violation are compared, at most."""
    match violation.keyword:
        case "additionalProperties":
            keys = min(_count_suggested(violation), len(violation.value))
            return keys * (1 + len(violation.schema.get("properties", ())))
        case "enum":
            return len(violation.limit)
        case _:
            return 0


def _count_suggested(violation: Violation) -> int:
    """For how many unknown fields of one mapping it is looked for what was meant; always for one."""
    return 1 + MAX_COMPARED // (1 + len(violation.schema.get("properties", ())))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def _unknown(kind: Kind, violation: Violation) -> Iterator[Finding]:
    pointer = violation.pointer
    known = {name: name in violation.value for name in violation.schema.get("properties", {})}
    others = find_other_keys(violation.schema, violation.value)
    suggested = _count_suggested(violation)
    for key in others[:suggested]:
        yield _unknown_field(kind, pointer, key, known)
    for key in others[suggested:]:
        yield Finding(child(pointer, key), "unknown-field", "unknown field", at_key=True)


def _unknown_briefly(_kind: Kind, violation: Violation) -> Iterator[Finding]:
    for key in find_other_keys(violation.schema, violation.value):
        yield Finding(child(violation.pointer, key), "unknown-field", "unknown field", at_key=True)


def _unknown_field(kind: Kind, pointer: str, key: str, known: Mapping[str, bool]) -> Finding:
    """`known` maps the fields that are possible here to whether they are there."""
    at = child(pointer, key)
    if key in TIMESTAMPS:
        return Finding(at, "unknown-field", f"{key} comes from git and cannot be set", _FROM_GIT, at_key=True)
    absent = [name for name, present in known.items() if not present]
    suggestion = closest(key, absent) or closest(key, known)
    if suggestion:
        message = f"unknown field (did you mean {suggestion}?)"
        return Finding(at, "unknown-field", message, at_key=True, instead=child(pointer, suggestion))
    home = find_home(kind, key)
    if home is not None:
        where = f"under {'.'.join(split(home))}" if home else "at the start of a line"
        return Finding(at, "unknown-field", f"{key} belongs {where}", at_key=True, instead=child(home, key))
    possible = f"possible here: {join_words(known)}" if known else "no field is possible here"
    return Finding(at, "unknown-field", "unknown field", possible, at_key=True)


def _missing(kind: Kind, violation: Violation) -> Iterator[Finding]:
    for name in violation.limit:
        if name not in violation.value:
            pointer = child(violation.pointer, name)
            yield Finding(pointer, MISSING, f"{name} is missing", _describe(kind, pointer, violation), at_key=True)


def _needed_with(kind: Kind, violation: Violation) -> Iterator[Finding]:
    for name, others in violation.limit.items():
        for other in others:
            if name in violation.value and other not in violation.value:
                pointer = child(violation.pointer, other)
                message = f"{other} is missing: it is needed with {name}"
                yield Finding(pointer, MISSING, message, _describe(kind, pointer, violation), at_key=True)


def _type(kind: Kind, violation: Violation) -> Iterator[Finding]:
    pointer = violation.pointer
    types = violation.limit if isinstance(violation.limit, list) else [violation.limit]
    yield explain_wrong_type(kind, pointer, violation.value, types)


def _not_allowed(kind: Kind, violation: Violation) -> Iterator[Finding]:
    value, words = violation.value, _allowed_words(violation)
    meant = closest(value, map(str, words)) if isinstance(value, str) else None
    for finding in _not_allowed_briefly(kind, violation):
        message = f"{finding.message} (did you mean {meant}?)" if meant else finding.message
        is_sure = meant is not None and is_spelling_of(value, meant)  # DEACTIVATE is not ACTIVE misspelt
        yield replace(finding, message=message, bounds=Bounds(words=(str(meant),)) if is_sure else ANY)


def _not_allowed_briefly(_kind: Kind, violation: Violation) -> Iterator[Finding]:
    message = f"{quote_value(violation.value)} is not allowed here"
    hint = f"allowed: {join_words(_allowed_words(violation), _to_text)}"
    yield Finding(violation.pointer, "not-allowed", message, hint)


def _allowed_words(violation: Violation) -> Sequence[Any]:
    return violation.limit if violation.keyword == "enum" else [violation.limit]


def _out_of_range(kind: Kind, violation: Violation) -> Iterator[Finding]:
    bounds = {bound: violation.schema[bound] for bound in BOUNDS if bound in violation.schema}
    message = (
        f"{quote_value(violation.value)} is out of range: {describe_range(bounds, unit_at(kind, violation.pointer))}"
    )
    yield Finding(violation.pointer, "out-of-range", message, _describe(kind, violation.pointer, violation))


def _nothing(kind: Kind, violation: Violation) -> Iterator[Finding]:
    pointer = violation.pointer
    if violation.limit == "unevaluatedProperties":
        hint = "delete it: no part of the schema that applies here knows this field"
        yield Finding(pointer, "unknown-field", "unknown field", hint, at_key=True)
    else:
        yield Finding(pointer, "not-allowed", "no value is allowed here", _describe(kind, pointer, violation))


def _too_long(kind: Kind, violation: Violation) -> Iterator[Finding]:
    message = f"{len(violation.value)} characters, and at most {violation.limit} are possible"
    yield Finding(violation.pointer, "too-long", message, _describe(kind, violation.pointer, violation))


def _bad_format(kind: Kind, violation: Violation) -> Iterator[Finding]:
    pointer = violation.pointer
    fault = "is no UUID" if violation.limit == "uuid" else "has the wrong format"
    if violation.value == "":
        fault = "is empty"
    yield Finding(pointer, "bad-format", f"{quote_value(violation.value)} {fault}", _describe(kind, pointer, violation))


def _bad_key(_kind: Kind, violation: Violation) -> Iterator[Finding]:
    pointer = child(violation.pointer, str(violation.value))
    message = f"{quote_value(violation.value)} cannot be used as a key here"
    yield Finding(pointer, "bad-format", message, violation.schema.get("description", ""), at_key=True)


def _other(kind: Kind, violation: Violation) -> Iterator[Finding]:
    """Never the validator's own message: it quotes whole mappings, and a secret could be in one of them."""
    rule = _RULES.get(violation.keyword, f"does not satisfy {violation.keyword}")
    limit = quote_value(violation.limit) if isinstance(violation.limit, (int, float, str)) else ""
    message = f"{quote_value(violation.value)} {rule.format(limit=limit)}"
    yield Finding(violation.pointer, "bad-format", message, _describe(kind, violation.pointer, violation))


def _cut_short(_kind: Kind, violation: Violation) -> Iterator[Finding]:
    message = "there is more wrong here than can be told: looking for it takes too many comparisons, or goes too deep"
    yield Finding(violation.pointer, "bad-format", message, "mend what is told, or spread this over several documents")


def _describe(kind: Kind, pointer: str, violation: Violation) -> str:
    """What the schema says in words: the part that failed, or the field that it is about."""
    own_description = violation.schema.get("description", "") if pointer == violation.pointer else ""
    return str(own_description or field_at(kind.schema, pointer).get("description", ""))


def _to_text(word: Any) -> str:
    return word if isinstance(word, str) and word.isprintable() else quote_value(word)


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
    NOTHING: _nothing,
    CUT_SHORT: _cut_short,
}
_BRIEF_HANDLERS: Mapping[str, Callable[[Kind, Violation], Iterator[Finding]]] = {
    **_HANDLERS,
    "additionalProperties": _unknown_briefly,
    "enum": _not_allowed_briefly,
    "const": _not_allowed_briefly,
}
"""For the violations after `MAX_COMPARED` words."""
