"""libyaml's words for broken syntax, turned into ones that say what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from yaml import MarkedYAMLError, YAMLError

from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from yaml.error import Mark

    from reconciler.decode.limits import LimitExceededError

CODE = "yaml-syntax"

_CONFLICT = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
_QUOTES = "close it; a ' inside single quotes is written twice, and a Windows path stands best without quotes"
_BAD_ESCAPE = (
    "a backslash inside double quotes starts an escape, and this one does not exist",
    "write Windows paths without quotes or in single quotes: 'C:\\MT5\\new'",
)
_ALIAS = ("an anchor (&) or alias (*) without a name", "put quotes around text that starts with & or *")
_DIRECTIVE = ("a line cannot start with %", "delete it, or put quotes around the text")
_BLOCK_SCALAR = ("a block text (| or >) does not start as it should", "after | or > the text begins on the next line")

_AT_CONTEXT = frozenset(
    {
        "found unexpected end of stream",
        "found unexpected document indicator",
        "found unknown directive name",
        "could not find expected directive name",
        "could not find expected ':'",
    }
)
"""Problems that libyaml notices long after the place to mend, which it calls the context."""

_TAG = ("a tag (!) that YAML does not know", "put quotes around text that starts with !")

_ESCAPES = frozenset(
    {
        "found unknown escape character",
        "did not find expected hexdecimal number",
        "found invalid Unicode character escape code",
    }
)
"""Problems that libyaml notices behind the backslash."""

_WORDS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(_ESCAPES, _BAD_ESCAPE),
    "found unexpected end of stream": ("a quote is opened and never closed", _QUOTES),
    "found unexpected document indicator": ("a quote is still open where the next document begins", _QUOTES),
    "could not find expected ':'": (
        "this line is no `key: value`",
        "there is no colon followed by a space, or a line before it is not complete",
    ),
    "mapping keys are not allowed in this context": ("a ? cannot stand here", "put quotes around text that has one"),
    "block sequence entries are not allowed in this context": (
        "a list item (-) cannot stand here",
        "start the list on a line of its own, below its key",
    ),
    "did not find expected '-' indicator": (
        "this line fits neither the list above it nor anything around it",
        "list items start with - in the same column",
    ),
    "did not find expected node content": ("a value is missing here", "write one, or delete the comma or mark"),
    "did not find expected <document start>": (
        "there is more text after the end of the document",
        "keys of one mapping start in the same column; documents are parted by a line of ---",
    ),
    "found undefined alias": (
        "this alias (*name) refers to an anchor (&name) that the document does not have",
        "put quotes around text that starts with *",
    ),
    "second occurrence": ("this anchor (&name) is there twice", "give one another name"),
    "did not find expected alphabetic or numeric character": _ALIAS,
    "found a tab character where an indentation space is expected": ("a tab in the indentation", "use spaces"),
    "found a tab character that violates indentation": ("a tab in the indentation", "use spaces"),
    "did not find expected comment or line break": _BLOCK_SCALAR,
    "found an indentation indicator equal to 0": _BLOCK_SCALAR,
    "found unexpected ':'": ("a colon inside [ ] or { } is not followed by a space", "put quotes around the text"),
    "found incompatible YAML document": ("this file asks for another version of YAML", "delete the %YAML line"),
    "found unknown directive name": _DIRECTIVE,
    "could not find expected directive name": _DIRECTIVE,
    "found undefined tag handle": _TAG,
}


class _Place(NamedTuple):
    """Line and column from 0, and the text of that line."""

    line: int
    column: int
    text: str


def conflict(path: str, data: bytes) -> Problem | None:
    """The problem for a file that git could not merge. To be asked when the syntax is broken, as it then is."""
    found = _CONFLICT.search(data)
    if found is None:
        return None
    line = data.count(b"\n", 0, found.start()) + 1
    message = f"a merge conflict is left in the file ({found.group().decode().strip()})"
    return Problem(path, line, 1, CODE, "", message, "decide which side stays and delete the marks")


def explain(path: str, data: bytes, error: YAMLError) -> Problem:
    """The problem for libyaml's error on `data`."""
    cause, place = _cause(data, error)
    message, hint = _words(error, cause, place)
    return Problem(path, place.line + 1, place.column + 1, CODE, "", message, hint)


def noticed_on(error: YAMLError) -> int:
    """The line, from 0, where libyaml gave up."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return mark.line if mark is not None else 0


def over_limit(path: str, limit: LimitExceededError) -> Problem:
    """The problem for a file that holds too much of something."""
    start = limit.node.start_mark if limit.node is not None else None
    line, column = (start.line + 1, start.column + 1) if start is not None else (1, 1)
    return Problem(path, line, column, "unsafe-yaml", "", limit.message, limit.hint)


def _cause(data: bytes, error: YAMLError) -> tuple[str, _Place]:
    if not isinstance(error, MarkedYAMLError):
        return "", _Place(0, 0, "")
    cause = error.problem or ""
    mark = error.context_mark if cause in _AT_CONTEXT and error.context_mark else error.problem_mark
    place = _place(data, mark)
    backslash = place.text.rfind("\\", 0, place.column + 1) if cause in _ESCAPES else -1
    return cause, place if backslash < 0 else place._replace(column=backslash)


def _place(data: bytes, mark: Mark | None) -> _Place:
    if mark is None:
        return _Place(0, 0, "")
    lines = data.split(b"\n", mark.line + 1)
    text = lines[mark.line].decode().removeprefix("\ufeff") if mark.line < len(lines) else ""
    return _Place(mark.line, mark.column, text)


def _words(error: YAMLError, cause: str, place: _Place) -> tuple[str, str]:
    if cause in _WORDS:
        return _WORDS[cause]
    special = _SPECIAL.get(cause)
    if special is not None:
        return special(error, place)
    context = getattr(error, "context", None) or ""
    if "directive" in context:
        return _DIRECTIVE
    if "tag" in context:
        return _TAG
    told = f"{context} {cause}".strip() or str(error)
    return f"this is not YAML: {told}", "compare with the lines around it"


def _second_colon(_error: YAMLError, place: _Place) -> tuple[str, str]:
    if ": " in place.text[: place.column]:
        return "a second colon in one line", "put quotes around a value that has a colon followed by a space"
    return (
        "this line is indented deeper than the lines it belongs to",
        "keys of one mapping start in the same column, and only a key without a value has keys below it",
    )


def _bad_start(_error: YAMLError, place: _Place) -> tuple[str, str]:
    character = place.text[place.column : place.column + 1]
    if character == "\t":
        return "a tab in the indentation", "use spaces: YAML does not allow tabs there"
    return f"a value cannot start with {character}", f"put quotes around text that starts with {character}"


def _no_key(_error: YAMLError, place: _Place) -> tuple[str, str]:
    if place.text[: place.column].strip():
        return (
            "there is more text after the end of the value",
            "nothing may follow a closing quote; a ' inside single quotes is written twice",
        )
    return "this line starts in a column where no line above it does", "keys of one mapping start in the same column"


def _unclosed(error: YAMLError, _place: _Place) -> tuple[str, str]:
    start = error.context_mark if isinstance(error, MarkedYAMLError) else None
    where = f" on line {start.line + 1}" if start is not None else ""
    return (
        f"the [ or {{ opened{where} is not closed before this, or a comma is missing",
        "text that starts with [ or { needs quotes",
    )


_SPECIAL = {
    "mapping values are not allowed in this context": _second_colon,
    "found character that cannot start any token": _bad_start,
    "did not find expected key": _no_key,
    "did not find expected ',' or ']'": _unclosed,
    "did not find expected ',' or '}'": _unclosed,
}
