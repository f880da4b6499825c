"""What a check finds, which of the findings are reported, and the words of their messages."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.kinds.kind import child, locate, split
from reconciler.kinds.references import resolve_refs
from reconciler.model.bounds import ANY, Bounds, bounds_of_row
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from reconciler.kinds.kind import Column, Kind
    from reconciler.model.change import Document


SECRET = "secret"  # noqa: S105 - the code of a problem
AMBIGUOUS = "ambiguous-scalar"
MISSING = "missing-field"
RANKS = (SECRET, AMBIGUOUS, "not-finite", "wrong-type", "not-allowed", "too-long", "out-of-range", "bad-format")
"""Of several findings at one value the first of these is reported: it is the cause, or hides the others."""


class Finding(Struct, frozen=True):
    """Something wrong at a JSON Pointer; `at_key` when it is the key there rather than its value.

    `instead` is the pointer of the field that was probably meant, so that its absence is not reported as well; `bounds`
    are the values that would be right there, as far as they are known.
    """

    pointer: str
    code: str
    message: str
    hint: str = ""
    at_key: bool = False
    instead: str = ""
    bounds: Bounds = ANY


class NumberHint(Struct, frozen=True):
    """How to write a text where a number is expected; `bounds` is the number that it stands for, where that is sure."""

    words: str
    bounds: Bounds = ANY


def drop_consequences(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each cause: none inside a secret, one per value, no missing field that is only misspelt."""
    ordered = sorted(findings, key=_rank)
    secret_pointers = {finding.pointer for finding in ordered if finding.code == SECRET}
    suggested = {finding.instead for finding in ordered if finding.instead}
    kept: dict[tuple[str, bool], Finding] = {}
    for finding in ordered:
        hidden = finding.code != SECRET and not secret_pointers.isdisjoint(_way_to(finding.pointer))
        misspelt = finding.code == MISSING and finding.pointer in suggested
        if not hidden and not misspelt:
            kept.setdefault((finding.pointer, finding.at_key), finding)
    return list(kept.values())


def _way_to(pointer: str) -> Iterator[str]:
    """A pointer and those of everything around it."""
    yield pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer


def locate_findings(
    path: str, document: Document, findings: Iterable[Finding], decoding_problems: Sequence[Problem]
) -> list[Problem]:
    """Findings with their places, without those where decoding found a problem already."""
    known_places = {(problem.pointer, problem.line, problem.column) for problem in decoding_problems}
    located = [_locate(path, document, finding) for finding in findings]
    return [problem for problem in located if (problem.pointer, problem.line, problem.column) not in known_places]


def _locate(path: str, document: Document, finding: Finding) -> Problem:
    mark = locate(document.marks, finding.pointer, of_key=finding.at_key)
    where, what = finding.pointer, finding.message
    return Problem(path, mark.line, mark.column, finding.code, where, what, finding.hint, bounds=finding.bounds)


def _rank(finding: Finding) -> int:
    return RANKS.index(finding.code) if finding.code in RANKS else len(RANKS)


def field_at(schema: Mapping[str, Any], pointer: str) -> Mapping[str, Any]:
    """The schema of the value at a pointer, `$ref` followed; empty when the schema does not describe it."""
    part: Mapping[str, Any] = schema
    for token in split(pointer):
        part = _member(schema, part, token)
    return part


def column_at(kind: Kind, pointer: str) -> Column | None:
    """The column whose value stands at a pointer."""
    return next((column for column in kind.columns if pointer == child("/spec", column.name)), None)


def unit_at(kind: Kind, pointer: str) -> str:
    """The unit of the value at a pointer, empty when it has none."""
    column = column_at(kind, pointer)
    return column.unit if column is not None else ""


def find_home(kind: Kind, field: str) -> str | None:
    """The pointer of the mapping that has a field of this name; None when none has."""
    return _homes(kind).get(field)


@lru_cache(maxsize=64)
def _homes(kind: Kind) -> Mapping[str, str]:
    """The fields of all mappings of a kind, each with the pointer of the first one that has it."""
    homes: dict[str, str] = {}
    pending: list[tuple[str, Mapping[str, Any]]] = [("", kind.schema)]
    seen: set[int] = set()
    while pending:
        pointer, part = pending.pop()
        fields = part.get("properties", {})
        for field in fields:
            homes.setdefault(field, pointer)
        for field in reversed(fields):
            if id(fields[field]) not in seen:  # the schema may lead back to itself
                seen.add(id(fields[field]))
                pending.append((child(pointer, field), _member(kind.schema, part, field)))
    return homes


def _member(schema: Mapping[str, Any], part: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    if part.get("type") == "array":
        member = part.get("items")
    else:
        member = part.get("properties", {}).get(token, part.get("additionalProperties"))
    return resolve_refs(schema, member) if isinstance(member, dict) else {}


MAX_QUOTED = 60
"""Characters of a value that are shown; more would hide the message."""

MAX_WORDS = 50
"""Words of a list that are shown."""

TYPES = {
    "object": "a mapping of fields",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
"""JSON Schema's types in words."""

_RATIO = re.compile(r"[0-9]+:([0-9]+)")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_GROUPED = re.compile(r"[-+]?[1-9][0-9_]*(?:\.[0-9]+)?")
_COMMA = re.compile(r"([-+]?[0-9]+),([0-9]+)")
EXPONENT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE]([-+]?[0-9]{1,9})")
_MOST_ZEROS = 15
_WITH_UNIT = re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)\s*(?:%|[A-Za-z]+)")


def quote_value(value: Any) -> str:
    """A value as messages quote it: text in single quotes, control characters escaped, at most one line."""
    if value is None or isinstance(value, (dict, list)):
        return describe_type(value)
    if not isinstance(value, str):
        return canonical.text(value)
    visible = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in value
    )
    return f"'{visible}'" if len(visible) <= MAX_QUOTED else f"'{visible[:MAX_QUOTED]}…'"


def describe_type(value: Any) -> str:
    """The type of a value in words: `text`, `a list`, `a number`…"""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a true/false value"
        case int() | float():
            return "a number"
        case str():
            return TYPES["string"]
        case list():
            return TYPES["array"]
        case _:
            return TYPES["object"]


def join_words(words: Collection[Any], write: Callable[[Any], str] = str) -> str:
    """Words with commas between them, the first of many."""
    shown = [write(word) for word in islice(words, MAX_WORDS)]
    more = [f"… {len(words) - MAX_WORDS} more"] if len(words) > MAX_WORDS else []
    return ", ".join((*shown, *more))


def number_hint(
    text: str, field: Mapping[str, Any], unit: str, *, quoted: bool, ratio_means_number: bool = False
) -> NumberHint:
    """How to write a text where a number is expected; `quoted` when it was written in quotes.

    `ratio_means_number`: in this field `1:30` is 30 for sure, as leverages are written.
    """
    ratio = _RATIO.fullmatch(text)
    if ratio:
        hint = _meant(ratio[1], f"write {ratio[1]}, the number after the colon", field)
        return hint if ratio_means_number else NumberHint(hint.words)
    if quoted and _NUMBER.fullmatch(text):
        return _meant(text, f"write it without quotes: {text}", field)
    comma = _COMMA.fullmatch(text)
    if comma:
        number, thousands = f"{comma[1]}.{comma[2]}", len(comma[2]) == len("000")
        unclear = NumberHint("write no comma: 1.5 or 1000")  # 1,000 is a thousand to some people and one to others
        return unclear if thousands else _meant(number, f"write {number}, with a point", field)
    plain = _in_plain_digits(text)
    if plain:
        return _meant(plain, f"write {plain}", field)
    with_unit = _WITH_UNIT.fullmatch(text)
    if with_unit:
        words = f"write {with_unit[1]}, the number alone{f' (it is in {unit})' if unit else ''}"
        return _meant(with_unit[1], words, field)
    whole = "whole " if field.get("type") == "integer" else ""
    return NumberHint(f"write a plain {whole}number in decimal digits, such as {_example(field)}")


def _meant(number: str, words: str, field: Mapping[str, Any]) -> NumberHint:
    """The number is sure only where the field takes it."""
    limits = Bounds(
        at_least=field.get("minimum", -inf),
        at_most=field.get("maximum", inf),
        above=field.get("exclusiveMinimum", -inf),
        below=field.get("exclusiveMaximum", inf),
        whole=field.get("type") == "integer",
        multiple_of=field.get("multipleOf", 0),
    )
    bounds = bounds_of_row(None, None, number).narrow(limits)
    return NumberHint(words, ANY if bounds.is_empty or "multipleOf" in field else bounds)


def takes_ratio(kind: Kind, pointer: str) -> bool:
    """Whether `1:30` means 30 in a field: its schema says so to those who read spreadsheets."""
    hints = kind.schema.get("x-reconciler", {}).get("spreadsheet", {})
    return split(pointer)[-1:] != [] and split(pointer)[-1] in hints.get("ratios", ())


def _in_plain_digits(text: str) -> str:
    """A number with an exponent or with grouped digits, in digits alone; empty for any other text."""
    exponent = EXPONENT.fullmatch(text)
    if exponent:
        return f"{Decimal(text):f}" if abs(int(exponent[1])) <= _MOST_ZEROS else ""
    return text.replace("_", "") if "_" in text and _GROUPED.fullmatch(text) else ""


def describe_range(bounds: Mapping[str, float], unit: str) -> str:
    """A range in words: `1 to 1000 trades`, `more than 0, at most 100 percent`."""
    low, high = bounds.get("minimum"), bounds.get("maximum")
    above, below = bounds.get("exclusiveMinimum"), bounds.get("exclusiveMaximum")
    if above is not None and (low is None or above >= low):
        start = f"more than {canonical.text(above)}"
    else:
        start = "" if low is None else f"at least {canonical.text(low)}"
    if below is not None and (high is None or below <= high):
        end = f"less than {canonical.text(below)}"
    else:
        end = "" if high is None else f"at most {canonical.text(high)}"
    if start.startswith("at least") and end.startswith("at most"):
        words = f"{canonical.text(low)} to {canonical.text(high)}"
    else:
        words = ", ".join(part for part in (start, end) if part)
    return f"{words} {unit}" if unit else words


def _example(field: Mapping[str, Any]) -> str:
    lowest = field.get("minimum", 0)
    return canonical.text(max(1, lowest) if isinstance(lowest, (int, float)) else 1)
