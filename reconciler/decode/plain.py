"""Files of plain lines, which most are, read without libyaml in a quarter of its time.

What is taken: mappings and lists in block style, keys without quotes, values on the line of their key or dash (plain,
in quotes without escapes, or words in brackets), comments, and documents parted by `---`. Whatever else a line holds,
and whatever libyaml, the builder or the tokens could find fault with, makes a file not plain: they say what it means.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from reconciler.decode.build import OddScalar, resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.canonical import Value

MAX_BYTES = 64 * 1024
"""Size of a plain file. So small a text of such lines stays below every limit but that of depth."""
MAX_DEPTH = 16
"""Mappings and lists inside each other."""
MAX_LINE = 250
"""Characters of a line: a key may have no more either."""
KNOWN_LINES = 4096
"""Lines that are remembered: the files of a repository have most of theirs in common."""


_Scalar: TypeAlias = "bool | float | str | None"


class Plain(NamedTuple):
    """A document and the line, from 1, on which it starts; the column is the first."""

    value: dict[str, Value]
    line: int


class _Open(Enum):
    """What stands on the line of a key whose value does not."""

    NOTHING = ""


_Line: TypeAlias = "tuple[int, int, str | None, _Scalar | tuple[_Scalar, ...] | _Open]"
"""The column of a key or dash, from 0, how much farther right what is behind the dash begins, the key and the value.

A column below 0 is that of a line that says nothing, or begins a document. A plain tuple: the interpreter takes one
apart several times as fast as one with names.
"""


class _NotPlainError(Exception):
    """A line has something else than what is taken; never leaves this module."""


_NOTHING: Final = _Open.NOTHING
_SAYS_NOTHING, _BEGINS = -1, -2
_SILENT: _Line = (_SAYS_NOTHING, 0, None, None)
_START: _Line = (_BEGINS, 0, None, None)
_NO_CONTENT = re.compile(r"(?P<start>---)?(?: *|(?(start) +| *)#.*)")
# Possessive, so that no line takes longer than it is long
_CONTENT = re.compile(
    r"""(?P<indent>[ ]*+)
    (?P<dash>-[ ]++)?
    (?:(?P<key>[A-Za-z_][A-Za-z0-9_./-]*+):(?:[ ]++|\Z))?
    (?: '(?P<single>[^']*+)'
      | "(?P<double>[^"\\]*+)"
      | \[(?P<words>[A-Za-z0-9_./,\ -]*+)\]
      | (?P<plain>(?:[A-Za-z0-9_./\\+~$(]|-(?=[0-9.])|[^\x00-\x7f])(?:[^ :\#]++|:(?=[^ ])|[ ]++(?=[^ :\#]))*+)
    )?
    [ ]*+(?:(?<=[ ])\#.*)?""",
    re.VERBOSE,
)


@lru_cache(KNOWN_LINES)
def _read_line(line: str) -> _Line:
    """What a line holds. Raises `_NotPlainError`."""
    if len(line) > MAX_LINE:
        raise _NotPlainError
    silent = _NO_CONTENT.fullmatch(line)
    if silent is not None:
        return _START if silent["start"] else _SILENT
    match = _CONTENT.fullmatch(line)
    if match is None:
        raise _NotPlainError
    indent, dash, key, *written = match.groups()
    value = _read_value(*written)
    if key is None:
        if dash is None or value is _Open.NOTHING:
            raise _NotPlainError
    elif not isinstance(resolve_scalar(key), str):
        raise _NotPlainError
    return len(indent), len(dash or ""), key, value


def _read_value(
    single: str | None, double: str | None, words: str | None, plain: str | None
) -> _Scalar | tuple[_Scalar, ...] | _Open:
    """What stands in quotes or brackets, or plain."""
    if plain is not None:
        return _resolve(plain)
    if words is not None:
        return tuple(map(_resolve_word, words.split(","))) if words.strip(" ") else ()
    return double if double is not None else single if single is not None else _Open.NOTHING


def _resolve_word(text: str) -> _Scalar:
    """The meaning of a text in brackets; none of several words is taken, nor what begins with a sign."""
    word = text.strip(" ")
    if not word or " " in word or word.startswith("-"):
        raise _NotPlainError
    return _resolve(word)


def _resolve(text: str) -> _Scalar:
    value = resolve_scalar(text)
    if isinstance(value, (OddScalar, list, dict)):
        raise _NotPlainError
    return value


def read_plain(data: bytes) -> list[Plain] | None:
    """The documents of a text that `refuse_text` lets pass; None when it is not plain."""
    if len(data) > MAX_BYTES or b"\t" in data:
        return None
    lines = enumerate(map(_read_line, data.decode().replace("\r\n", "\n").split("\n")), 1)
    found: list[Plain] = []
    is_last = False
    try:
        while not is_last:
            document, is_last = _read_document(lines)
            if document.value:
                found.append(document)
    except _NotPlainError:
        return None
    return found


def _read_document(lines: Iterable[tuple[int, _Line]]) -> tuple[Plain, bool]:
    """The document of the next lines, and whether they are the last ones. Raises `_NotPlainError`."""
    root: dict[str, Value] = {}
    here: Any = root
    at = start = 0
    outer: list[tuple[int, Any]] = []
    pending: str | None = None
    for number, (column, dash, key, value) in lines:
        if column < 0:
            if column == _BEGINS:
                return Plain(root, start), False
            continue
        if pending is not None:
            if column > at or (dash and column == at):
                below: Any = [] if dash else {}
                here[pending] = below
                _enter(outer, at, here)
                at, here = column, below
            pending = None
        if column != at or dash or here.__class__ is list:  # most lines are one more key of the same mapping
            while column < at or (column == at and not dash and isinstance(here, list)):
                at, here = outer.pop()
            if column != at or isinstance(here, list) != bool(dash):
                raise _NotPlainError
        if dash:
            if key is None:
                here.append([*value] if isinstance(value, tuple) else value)
                continue
            item: dict[str, Value] = {}
            here.append(item)
            _enter(outer, at, here)
            at, here = column + dash, item
        if key in here:
            raise _NotPlainError
        pending = key if value is _NOTHING else None
        here[key] = None if pending else [*value] if isinstance(value, tuple) else value
        start = start or number
    return Plain(root, start), True


def _enter(outer: list[tuple[int, Any]], column: int, here: Any) -> None:
    """Remember what a mapping or list is inside of. Raises `_NotPlainError`."""
    outer.append((column, here))
    if len(outer) > MAX_DEPTH:
        raise _NotPlainError
