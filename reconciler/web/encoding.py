"""Answers as JSON text, in pieces: one call for 100,000 rows would let no other thread compute until it is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PIECE = 500
"""Members of a list that are encoded at once."""


def encoded(body: Mapping[str, Any]) -> bytes:
    """A JSON object in UTF-8, without white space. Half a surrogate, which UTF-8 does not know, becomes `?`."""
    return b"".join(_object(body))


def _object(body: Mapping[str, Any]) -> Iterator[bytes]:
    opening = b"{"
    for name, value in body.items():
        yield opening + _text(name) + b":"
        if isinstance(value, list) and len(value) > PIECE:
            yield from _list(value)
        else:
            yield _text(value)
        opening = b","
    yield b"}" if body else b"{}"


def _list(values: Sequence[Any]) -> Iterator[bytes]:
    opening = b"["
    for first in range(0, len(values), PIECE):
        yield opening + _text(values[first : first + PIECE])[1:-1]
        opening = b","
    yield b"]"


def _text(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")
