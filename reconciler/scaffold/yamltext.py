"""Values and documents as YAML text, written so that every reader takes them for what they are.

A scalar is plain where YAML 1.1 and 1.2 (core schema) agree that it is this text, in single quotes elsewhere, in double
quotes with escapes for what a reviewer could not see.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.decode.build import resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.canonical import Value


_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`=<~")
"""What may not, or should not, begin a plain scalar (YAML 1.2.2, section 5.3)."""
_BREAKING = re.compile(r": |:$| #|[\[\]{},?]|^\.\.\.")
"""What ends a plain scalar, in a list at least."""
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?.*")
"""A time stamp to YAML 1.1: https://yaml.org/type/timestamp.html"""
_WIDTHS = (("x", 2), ("u", 4), ("U", 8))
"""Escapes by code point and their hexadecimal digits (YAML 1.2.2, section 5.7)."""
_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r", "\0": r"\0"}


def write_value(value: Value) -> str:
    """A value as YAML text: `0.75`, `EURUSD`, `'#US30'`, `''`, `[a, b]`, `{}`."""
    if isinstance(value, list):
        return f"[{', '.join(map(write_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_write_text(key)}: {write_value(item)}' for key, item in value.items())}}}"
    return write_scalar(value)


def write_scalar(value: Value) -> str:
    """A value that is no list or mapping with something in it, on one line."""
    if isinstance(value, str):
        return _write_text(value)
    if value is None:
        return "null"
    if isinstance(value, float):
        return _write_number(value)
    return canonical.text(value)


def _write_number(value: float) -> str:
    """As it is canonical, with the point that YAML 1.1 wants before an exponent."""
    text = canonical.text(value)
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else text


def _write_text(text: str) -> str:
    if not text.isprintable():
        return '"' + "".join(map(_escape, text)) + '"'
    return text if _is_plain(text) else "'" + text.replace("'", "''") + "'"


def _is_plain(text: str) -> bool:
    if not text or text != text.strip() or text[0] in _INDICATORS or _BREAKING.search(text) or _DATE.fullmatch(text):
        return False
    return resolve_scalar(text) == text


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    letter, width = next((letter, width) for letter, width in _WIDTHS if code < 16**width)
    return f"\\{letter}{code:0{width}X}"


INDENT = "  "


def write_document(document: Mapping[str, Value], comment: str = "") -> str:
    """The text of a document, with a comment as its first line where there is one."""
    head = f"# {comment}\n" if comment else ""
    return head + "".join(f"{line}\n" for line in _mapping_lines(document))


def _mapping_lines(mapping: Mapping[str, Value]) -> Iterator[str]:
    for key, value in mapping.items():
        yield from _lines_under(f"{write_scalar(key)}:", value)


def _sequence_lines(items: list[Value]) -> Iterator[str]:
    for item in items:
        lines = [*_lines_under("-", item)]
        if isinstance(item, dict) and item:  # the first key stands behind the hyphen
            lines = [f"- {lines[1].removeprefix(INDENT)}", *lines[2:]]
        yield from lines


def _lines_under(head: str, value: Value) -> Iterator[str]:
    """A value behind a key or hyphen: on the same line if it fits there, else indented below."""
    if isinstance(value, dict) and value:
        yield head
        yield from (INDENT + line for line in _mapping_lines(value))
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        yield head
        yield from (INDENT + line for line in _sequence_lines(value))
    else:
        yield f"{head} {write_value(value)}"
