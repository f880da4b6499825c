"""A raw cell to the value of its column: exactly, or not at all."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.kinds.kind import SqlType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.canonical import Value
    from reconciler.importing.rawtable import Raw
    from reconciler.kinds.kind import Column

LONGEST = 60
"""Characters of a cell that a message quotes."""
DIGITS = 400
"""Decimal places to the left or right beyond which no double, and no integer of a table, reaches."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,9})?")
_NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+")
_BOOLEANS = {**dict.fromkeys(("true", "t", "1"), True), **dict.fromkeys(("false", "f", "0"), False)}


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a cell is no value of its column: the code, message and hint of a problem."""

    code: str
    message: str
    hint: str = ""


def convert(column: Column, raw: Raw) -> Value | Unfit:
    """The value in a cell, None for none. Where the column holds anything but text, an empty text is none, too."""
    if raw is None or (raw == "" and column.type is not SqlType.VARCHAR):
        return None
    return _CONVERTERS[column.type](raw)


def from_json(raw: Raw) -> Value | Unfit:
    """The value that a JSON text stands for."""
    if not isinstance(raw, str):
        return raw
    try:
        value = canonical.normal(json.loads(raw))
        canonical.dumps(value).encode()
    except UnicodeEncodeError:
        return Unfit("wrong-type", f"{_quoted(raw)} holds half a character", r"delete the lone \ud800 to \udfff in it")
    except RecursionError:
        return Unfit("wrong-type", f"{_quoted(raw)} is nested too deep", "configuration needs three or four levels")
    except ValueError as error:
        return Unfit("wrong-type", f"{_quoted(raw)} is no JSON: {error}", 'write JSON, such as {"a": 1}')
    return value


def _text(raw: Raw) -> Value | Unfit:
    if isinstance(raw, str):
        return raw
    return Unfit("wrong-type", f"{canonical.text(raw)} is no text", "make the column of the table VARCHAR")


def _uuid(raw: Raw) -> Value | Unfit:
    return raw.strip().lower() if isinstance(raw, str) else _text(raw)


def _float(raw: Raw) -> Value | Unfit:
    exact = _number(raw)
    if isinstance(exact, Unfit):
        return exact
    try:
        return canonical.number(float(exact))
    except (OverflowError, ValueError):
        return _not_finite(raw)


def _integer(raw: Raw) -> Value | Unfit:
    exact = _number(raw)
    if isinstance(exact, Unfit):
        return exact
    if exact != exact.to_integral_value():
        return Unfit("wrong-type", f"{_quoted(raw)} is no whole number", "this column holds whole numbers")
    return int(exact)


def _number(raw: Raw) -> Decimal | Unfit:
    """The number exactly as it is written."""
    if isinstance(raw, bool) or raw is None:
        return Unfit("wrong-type", f"{canonical.text(raw)} is no number", "make the column of the table a number")
    text = str(raw).strip()
    if _NOT_FINITE.fullmatch(text):
        return _not_finite(raw)
    if not _NUMBER.fullmatch(text):
        hint = f"write {text.replace(',', '.')}, with a point" if _DECIMAL_COMMA.fullmatch(text) else "write it as 0.75"
        return Unfit("wrong-type", f"{_quoted(raw)} is no number", hint)
    number = Decimal(text)
    return number if abs(number.adjusted()) < DIGITS or not number else _not_finite(raw)


def _not_finite(raw: Raw) -> Unfit:
    return Unfit("not-finite", f"{_quoted(raw)} is not a finite number", "write the number itself, such as 0.75")


def _boolean(raw: Raw) -> Value | Unfit:
    if isinstance(raw, bool):
        return raw
    found = _BOOLEANS.get(str(raw).strip().lower())
    return Unfit("wrong-type", f"{_quoted(raw)} is neither true nor false") if found is None else found


def _quoted(raw: Raw) -> str:
    text = str(raw)
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


_CONVERTERS: Mapping[SqlType, Callable[[Raw], Value | Unfit]] = {
    SqlType.UUID: _uuid,
    SqlType.VARCHAR: _text,
    SqlType.FLOAT: _float,
    SqlType.INTEGER: _integer,
    SqlType.BOOLEAN: _boolean,
    SqlType.JSON: from_json,
}
