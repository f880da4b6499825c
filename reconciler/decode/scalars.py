"""What a plain scalar means: the core schema of YAML 1.2.2 (section 10.3.2), and where YAML 1.1 would differ."""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.canonical import Value


class Odd(Enum):
    """What a plain scalar is when it is no value that every reader agrees on."""

    AMBIGUOUS = "YAML 1.1 and YAML 1.2 readers take it for different things"
    NOT_FINITE = "a number that is infinite, not a number at all or beyond what a double holds"


MAX_NUMBER_LENGTH = 1_000
"""Characters of the longest number: a double ends at 309 digits, and whatever is longer stays text."""

_WORDS: dict[str, bool | Odd | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    # Booleans to YAML 1.1 only: https://yaml.org/type/bool.html
    **{
        word: Odd.AMBIGUOUS
        for base in ("y", "n", "yes", "no", "on", "off")
        for word in (base, base.capitalize(), base.upper())
    },
}
_NUMBER_STARTS = frozenset("+-.0123456789")

# The order matters: what is left for `ambiguous` is what no alternative before it takes. It holds the numbers of
# https://yaml.org/type/int.html and float.html in base 8, 2 and 60, with underscores and with a signed base 16,
# and the 0o17 of YAML 1.2.
_NUMBER = re.compile(
    r"""(?P<integer>[-+]?(?:0|[1-9][0-9]*))
    | (?P<decimal>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*|(?=[eE])))(?:[eE][-+]?[0-9]+)?)
    | (?P<hexadecimal>0x[0-9a-fA-F]+)
    | (?P<special>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))
    | (?P<ambiguous>
        [-+]?[0-9][0-9_]*
        | [-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?
        | 0o[0-7]+
        | [-+]?0b[01_]+
        | [-+]?0x[0-9a-fA-F_]+
        | [-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+
        | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
      )""",
    re.VERBOSE,
)


def resolve(text: str) -> Value | Odd:
    """The meaning of a plain (unquoted) scalar. Dates are text: the core schema knows none."""
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMBER_STARTS else text


def _number(text: str) -> Value | Odd:
    """The meaning of what starts like a number, which need not be one: `2026-01-01`, `-`, `1:500`."""
    found = _NUMBER.fullmatch(text) if len(text) <= MAX_NUMBER_LENGTH else None
    if found is None:
        return text
    form = found.lastgroup
    if form == "ambiguous":
        return Odd.AMBIGUOUS
    if form == "special":
        return Odd.NOT_FINITE
    number = float(text) if form == "decimal" else int(text, 16 if form == "hexadecimal" else 10)
    return number if _is_finite(number) else Odd.NOT_FINITE


def _is_finite(number: float) -> bool:
    """Whether the double is finite: what is stored in the end is a double or smaller."""
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the largest double
        return False
