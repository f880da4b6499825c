"""Values to try for a part of a schema, the most cautious first. Whether one fits is for the validator to say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import INACTIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.canonical import Value

NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""The nil UUID (RFC 9562, section 5.9): the id of nothing, so that a skeleton refers to nothing."""

TEXTS = ("CHANGE-ME", "change-me", "CHANGE_ME", "change_me", "CHANGEME", "changeme", "/CHANGE-ME", "X", "x", "0", "")
"""Texts that ask to be changed, in the spellings that patterns allow; the last ones are for those that allow little."""

KEYS = ("change-me", "change_me", "changeme", "CHANGE_ME", "x", "X", "0")

STEPS = (0.01, 0.1, 1, 0.001)
"""How far above a limit to go where the limit itself is excluded: hundredths first, as lots and percentages have."""

FORMATS = {"uuid": NIL_UUID, "date": "2000-01-01", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1"}
"""The addresses are those kept for documentation (RFC 5737, RFC 3849)."""


def candidates(part: Mapping[str, Any]) -> tuple[Value, ...]:
    """Values for a part of a schema whose `$ref` is followed and which is neither an object nor an array."""
    if "const" in part:
        return (part["const"],)
    if "enum" in part:
        words = tuple(part["enum"])
        return (INACTIVE, *(word for word in words if word != INACTIVE)) if INACTIVE in words else words
    named = part.get("type", "string")
    return _BY_TYPE[named[0] if isinstance(named, list) else named](part)


def _whole(part: Mapping[str, Any]) -> tuple[Value, ...]:
    return tuple(round(number) for number in _from_lowest(part, (1,)))


def _numbers(part: Mapping[str, Any]) -> tuple[Value, ...]:
    return tuple(_from_lowest(part, STEPS))


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
    shortest = part.get("minLength", 0)
    may_be_empty = not shortest and "pattern" in part and re.search(part["pattern"], "") is not None
    long = tuple((text * shortest)[:shortest] for text in TEXTS if text and shortest > len(text))
    return (*(("",) if may_be_empty else ()), *TEXTS, *long)


_BY_TYPE: Mapping[str, Callable[[Mapping[str, Any]], tuple[Value, ...]]] = {
    "string": _texts,
    "number": _numbers,
    "integer": _whole,
    "boolean": lambda _: (False, True),
    "null": lambda _: (None,),
}
