"""The engine that judges: how a schema is compiled, and which regular expressions it takes.

Patterns run on an engine without backtracking, whose time grows with the text and not with the number of ways to read
it. The verdict and its explanation ask the same engine, so that they cannot disagree.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.parts import Same

MAX_LENGTH = 10_000
"""Characters of a pattern. The longest one for an IPv6 address has some 1,200."""

MAX_NESTING = 50
"""Groups of a pattern inside each other."""

SIZE_LIMIT = 1024 * 1024
"""Bytes of a compiled pattern: `^.{1,1000}$` fits. Repeats are written out, and each character of a text may have to be
compared with all of it."""

MAX_PATTERNS_SIZE = 16 * SIZE_LIMIT
"""Bytes of all compiled patterns of a schema, by `measure_pattern`."""

_LINEAR = RegexOptions(size_limit=SIZE_LIMIT)
_SIZES = tuple((size, RegexOptions(size_limit=size)) for size in (4 * 1024, 32 * 1024, 256 * 1024))

_CATEGORIES = "|".join(
    (
        "L[Cultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfno]?",
        "(?:Cased_|Uppercase_|Lowercase_|Titlecase_|Modifier_|Other_)?Letter|(?:Nonspacing_|Spacing_|Enclosing_)?Mark",
        "(?:Decimal_|Letter_|Other_)?Number|digit|Punctuation|punct",
        "(?:Connector|Dash|Open|Close|Initial|Final|Other)_Punctuation|(?:Math_|Currency_|Modifier_|Other_)?Symbol",
        "(?:Space_|Line_|Paragraph_)?Separator|Control|cntrl|Format|Private_Use|Unassigned|Other",
    )
)
"""Unicode's general categories, by the names that Rust and JavaScript know."""
_ESCAPE = rf"\\(?:[dDwWsSnrtfv]|x[0-9A-Fa-f]{{2}}|u[0-9A-Fa-f]{{4}}|[pP]\{{(?:{_CATEGORIES})\}}|c[A-Za-z]|[^A-Za-z0-9])"
_TOKEN = re.compile(
    rf"(?P<atom>{_ESCAPE}|\[\^?+(?:{_ESCAPE}|[^\[\]\\])++\]|[^\\\[(){{*+?|^$])"
    r"|(?P<edge>\\[bB]|[|^$])|(?P<open>\((?:\?:|(?!\?)))|(?P<close>\))|(?P<repeat>(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??)",
    re.DOTALL,
)
"""What Rust and JavaScript read alike. An atom is one character of the text."""
_IGNORE_CASE = "(?i)"
"""Editors know it too, at the start of a pattern."""
_SET_OPERATION = re.compile(r"\\.|(?P<doubled>--|&&|~~)", re.DOTALL)
_BACKTRACKING = re.compile(r"\(\?<?[=!]|\\[1-9]|\(\?P=|\(\?\(|\(\?>")


def compile_schema(schema: Mapping[str, Any]) -> Draft202012Validator:
    """The compiled form of a schema. Raises jsonschema_rs' `ValidationError` where it is no schema."""
    return Draft202012Validator(dict(schema), offline=True, validate_formats=True, pattern_options=_LINEAR)


@lru_cache(maxsize=64)
def compile_keyword(keyword: str, limit: Same) -> Draft202012Validator:
    """One keyword of a schema alone."""
    return compile_schema({keyword: limit.value})


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern of a sound schema is found in a text."""
    return _compile_pattern(pattern).is_valid(text)


@lru_cache(maxsize=64)
def _compile_pattern(pattern: str) -> Draft202012Validator:
    return compile_schema({"pattern": pattern})


def find_pattern_fault(pattern: str) -> tuple[str, str] | None:
    """Why a pattern cannot be used, and what to write instead; None when there is nothing wrong with it."""
    if len(pattern) > MAX_LENGTH:
        return f"this regular expression has {len(pattern):,} characters; {MAX_LENGTH:,} are allowed", _SHORTEN
    fault = _find_unshared(pattern)
    if fault is not None:
        hint = _LINEAR_HINT if _BACKTRACKING.search(pattern) else "keep to what Rust and JavaScript share"
        return f"this is no regular expression that all readers know: {fault}", hint
    try:
        compile_schema({"pattern": pattern})
    except ValidationError:
        message = "this regular expression has a range that ends before it starts, or is too large with its repeats"
        return message, "turn the range around, or repeat less: maxLength limits a text as well"
    return None


@lru_cache(maxsize=256)
def measure_pattern(pattern: str) -> int:
    """About how many bytes a sound pattern takes once compiled; never less."""
    for size, options in _SIZES:
        try:
            Draft202012Validator({"pattern": pattern}, pattern_options=options)
        except ValidationError:
            continue
        return size
    return SIZE_LIMIT


_SHORTEN = "use enum for a list of words, or several patterns under allOf"
_LINEAR_HINT = "no look-around and no back-references: write several patterns under allOf, or one under not"


def _find_unshared(pattern: str) -> str | None:
    """The first thing in a pattern that not all engines read alike, with its position; None when there is none."""
    position = len(_IGNORE_CASE) if pattern.startswith(_IGNORE_CASE) else 0
    depth, repeatable = 0, False
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            return _describe(pattern, position)
        match token.lastgroup:
            case "repeat" if not repeatable:
                return f"nothing to repeat at position {position}"
            case "open":
                depth += 1
            case "close":
                depth -= 1
            case "atom" if _has_set_operation(token.group()):
                return f"a doubled -, & or ~ inside of brackets at position {position}"
        if depth < 0:
            return f"unbalanced parenthesis at position {position}"
        if depth > MAX_NESTING:
            return f"more than {MAX_NESTING} groups inside each other at position {position}"
        repeatable = token.lastgroup in {"atom", "close"}
        position = token.end()
    return "missing ), unterminated group" if depth else None


def _has_set_operation(atom: str) -> bool:
    return atom.startswith("[") and any(found["doubled"] for found in _SET_OPERATION.finditer(atom))


def _describe(pattern: str, position: int) -> str:
    match pattern[position]:
        case "\\":
            return f"bad escape {pattern[position : position + 2]} at position {position}"
        case "[":
            return f"{_describe_set(pattern, position)} at position {position}"
        case "(":
            return f"unknown extension {pattern[position + 1 : position + 3]} at position {position + 1}"
        case character:
            return f"{character} without a backslash before it at position {position}"


def _describe_set(pattern: str, position: int) -> str:
    inside = pattern[position + 1 :].removeprefix("^")
    if inside.startswith("]"):
        return "] without a backslash before it, first inside of brackets,"
    if "]" not in inside:
        return "unterminated character set"
    return "[ or an escape that not all readers know, inside of brackets,"
