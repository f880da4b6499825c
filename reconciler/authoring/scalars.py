"""How to write a value on one line of YAML so that every reader takes it for what it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.decode.document import decode

if TYPE_CHECKING:
    from reconciler.canonical import Value

_DATE = re.compile(r"\d{4}-\d\d?-\d\d?.*")
"""A time stamp to YAML 1.1: https://yaml.org/type/timestamp.html"""

_FLOW = frozenset(",[]{}")
"""What has a meaning inside a list or mapping on one line."""


def written(value: Value) -> str:
    """A value as YAML text: `0.75`, `EURUSD`, `'#US30'`, `''`, `[a, b]`, `{}`."""
    match value:
        case str():
            return value if _is_plain(value) else _quoted(value)
        case list():
            return f"[{', '.join(map(_inside, value))}]"
        case dict():
            return f"{{{', '.join(f'{_inside(key)}: {_inside(item)}' for key, item in value.items())}}}"
        case float():
            return _with_point(canonical.text(value))
        case _:
            return "null" if value is None else canonical.text(value)


def _inside(value: Value) -> str:
    """A member of a list or mapping on one line."""
    return _quoted(value) if isinstance(value, str) and not _FLOW.isdisjoint(value) else written(value)


def _is_plain(value: str) -> bool:
    """Whether it is this text without quotes too: to our own reader, and to all others."""
    if not value.isprintable() or value != value.strip() or _DATE.fullmatch(value):
        return False
    decoded = decode("", f"value: {value}\n".encode())
    if decoded.problems or len(decoded.documents) != 1:
        return False
    (document,) = decoded.documents
    return document.value == {"value": value} and not document.ambiguous


def _with_point(number: str) -> str:
    """YAML 1.1 wants a point before an exponent."""
    mantissa, exponent, power = number.partition("e")
    return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else number


def _quoted(value: str) -> str:
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    """One character inside double quotes: Python's escapes are YAML's (YAML 1.2, section 5.7)."""
    if character == '"':
        return '\\"'
    return character if character.isprintable() and character != "\\" else character.encode("unicode_escape").decode()
