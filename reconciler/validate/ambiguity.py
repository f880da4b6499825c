"""Scalars that YAML readers take for different things, and what to write instead, by what the schema wants there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.kinds.kind import did_you_mean
from reconciler.validate.fields import field_at, unit_at
from reconciler.validate.finding import AMBIGUOUS, Finding
from reconciler.validate.wording import listed, number_hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kind

_SEXAGESIMAL = re.compile(r"[0-9]+(?::[0-5]?[0-9])+")
_TRUE = frozenset({"y", "yes", "on"})
_FALSE = frozenset({"n", "no", "off"})


def ambiguous_scalars(texts: Mapping[str, str], kind: Kind | None) -> Iterator[Finding]:
    """A finding for each ambiguous scalar of a document; `kind` is None when it is not known."""
    for pointer, text in texts.items():
        yield Finding(pointer, AMBIGUOUS, f"{text} {_readings(text)}", _hint(pointer, text, kind))


def _readings(text: str) -> str:
    word = text.lower()
    if word in _TRUE | _FALSE:
        return f"is read as {'true' if word in _TRUE else 'false'} by some YAML readers and as text by others"
    if _SEXAGESIMAL.fullmatch(text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return f"is read as {total} by some YAML readers (base 60) and as text by others"
    return "is not the same number to all YAML readers"


def _hint(pointer: str, text: str, kind: Kind | None) -> str:
    field = field_at(kind.schema, pointer) if kind is not None else {}
    words = [word for word in field.get("enum", ()) if isinstance(word, str)]
    if words:
        return f"write one of {listed(words)}{did_you_mean(text, words)}"
    match field.get("type"):
        case "number" | "integer":
            unit = unit_at(kind, pointer) if kind is not None else ""
            return number_hint(text, field, unit, quoted=False)
        case "boolean" if text.lower() in _TRUE | _FALSE:
            return f"write {'true' if text.lower() in _TRUE else 'false'}"
        case "boolean":
            return "write true or false"
        case _:
            return f"if it is meant as text, quote it: '{text}'"
