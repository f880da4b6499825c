"""What can be wrong with a YAML file, and the words for it: limits, values that would bite, broken syntax.

Whatever is over a limit is refused in milliseconds, before it can cost more. A file of one resource has about 40 nodes
on 3 levels in half a kilobyte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from yaml import MarkedYAMLError, YAMLError

from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from yaml.error import Mark
    from yaml.nodes import Node


Words: TypeAlias = tuple[str, str, str]
"""Code, message and hint of a problem."""

MAX_BYTES = 1024 * 1024
"""Size of a file."""

MAX_DEPTH = 64
"""Mappings and lists inside each other."""

MAX_NODES = 50_000
"""Keys and values in a file, as written."""

MAX_KEY = 255
"""Characters of a key."""

NODE_WEIGHT = 40
MAX_WEIGHT = NODE_WEIGHT * MAX_NODES
"""What a file with aliases may weigh once they are replaced by what they stand for: `NODE_WEIGHT` for each key and
value, and one for each character of it."""

MAX_PROBLEMS = 1_000
"""Problems reported for one file."""

MAX_TOLD = 1_000_000
"""Characters of the places of what is wrong in one file: deep inside long keys each place takes 16 KB."""

MAX_RESTARTS = 10
"""Documents with broken syntax in one file that are skipped to look at those after them."""


class LimitExceededError(Exception):
    """A file is over a limit. `node` is the last one that was reached; never leaves this package."""

    def __init__(self, message: str, hint: str, node: Node | None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.node = node


def too_deep(node: Node | None) -> LimitExceededError:
    """Too many levels."""
    return LimitExceededError(
        f"mappings and lists are nested more than {MAX_DEPTH} levels deep", "configuration needs three or four", node
    )


def too_many(node: Node | None) -> LimitExceededError:
    """Too many nodes as written."""
    return LimitExceededError(
        f"the file has more than {MAX_NODES:,} keys and values", "spread the documents over several files", node
    )


def too_expanded(node: Node | None) -> LimitExceededError:
    """Too many nodes once aliases are expanded: a bomb, such as "billion laughs"."""
    return LimitExceededError(
        "the aliases (*name) of this file expand to far more than a file may hold", "write the values out", node
    )


def too_wrong(node: Node | None) -> LimitExceededError:
    """Too many problems."""
    return LimitExceededError(
        f"the file has more than {MAX_PROBLEMS:,} problems; the rest is not shown", "mend the first ones", node
    )


def too_long_places(node: Node | None) -> LimitExceededError:
    """Too much text to say where the problems are."""
    message = f"to say where all is that is wrong in this file takes more than {MAX_TOLD:,} characters"
    return LimitExceededError(message, "mend the first ones, or let fewer and shorter keys stand around them", node)


def long_key(node: Node | None) -> LimitExceededError:
    """A key that cannot be a field's name."""
    return LimitExceededError(f"a key has more than {MAX_KEY} characters", "a colon or a quote may be missing", node)


_CORE = "tag:yaml.org,2002:"


def not_finite(text: str) -> tuple[str, str, str]:
    """An infinite, undefined or overflowing number."""
    return "not-finite", f"{_shorten(text)} is not a finite number", "write the number itself, such as 0.75"


def escaped_nul() -> tuple[str, str, str]:
    r"""A NUL character, escaped: `"\0"`."""
    return "unsafe-yaml", 'the escape "\\0" puts a NUL character into the value', "use single quotes, or delete it"


def forbidden_tag(full: str) -> tuple[str, str, str]:
    """A tag that asks for more than plain data."""
    short = f"!!{full.removeprefix(_CORE)}" if full.startswith(_CORE) else full
    message = f"the tag {_shorten(short)} is not allowed: configuration is plain text, numbers, lists and mappings"
    return "unsafe-yaml", message, "delete the tag and write the value itself (in quotes when it is text)"


def recursive_alias() -> tuple[str, str, str]:
    """An anchor that contains an alias to itself."""
    return "unsafe-yaml", "an alias (*name) stands inside the very value that it refers to", "write the value out"


def merge_key() -> tuple[str, str, str]:
    """The merge key of YAML 1.1."""
    message = "the merge key << is not part of YAML 1.2, and readers disagree on what it does"
    return "unsafe-yaml", message, "write the values out in each place"


def complex_key() -> tuple[str, str, str]:
    """A list or a mapping as a key, most often a template left over: `{{ name }}`."""
    message = "a key must be text, not a list or a mapping"
    return "wrong-type", message, "put quotes around text that starts with { or ["


def wrong_key(text: str) -> tuple[str, str, str]:
    """A number, a boolean or nothing as a key."""
    if not text:
        return "wrong-type", "a key must be text, and this one is empty", "write the field's name before the colon"
    return "wrong-type", f"a key must be text: {_shorten(text)} is not", f'quote it: "{_shorten(text)}"'


def duplicate_key(key: str, first: int, second: int) -> tuple[str, str, str]:
    """A key twice in one mapping; `first` and `second` are their lines."""
    where = f"on line {first}" if first == second else f"on lines {first} and {second}"
    return "duplicate-key", f"{_shorten(key)} is there twice, {where}", "keep one of them"


def _shorten(text: str) -> str:
    longest = 60
    return text if len(text) <= longest else f"{text[:longest]}…"


SYNTAX = "yaml-syntax"

TIGHT_COMMENT = (
    SYNTAX,
    "a comment (#) begins without a space before it, and readers disagree on whether it is one",
    "put a space before the #, or quotes around text that has one",
)
DASH_IN_BRACKETS = (SYNTAX, "a - alone inside [ ] or { } is no value", "put quotes around it, or write null")
LONG_BLANK_LINE = (
    SYNTAX,
    "a blank line above this first line of a block text has more spaces than it, and readers disagree on where it ends",
    "delete the spaces of the blank lines, or give the number of spaces behind | or >, such as |2",
)
BLANKS_AT_END = (
    SYNTAX,
    "the file ends in a block text with blanks and no line end, and readers disagree on whether they are a line of it",
    "delete these blanks, or end the file with a line end",
)
UNINDENTED_TEXT = (
    SYNTAX,
    "a block text (| or >) is not indented deeper than the key or dash it belongs to",
    "write the | or > on the line of its key or dash",
)
QUESTION_MARK = (
    SYNTAX,
    "a ? that begins a text inside [ ] or { } is read as text by some YAML readers and as the mark of a key by others",
    "put quotes around the text",
)
TIGHT_COLON = (SYNTAX, "a colon inside [ ] or { } is not followed by a space", "write a space after it")
LATE_DIRECTIVE = (
    SYNTAX,
    "a directive (%) stands below a document that has not ended",
    "delete it, or put a line of ... above it",
)


def anchor_name(mark: str) -> tuple[str, str, str]:
    """An anchor or alias with a sign in its name, such as `&an:chor`."""
    what = "anchor" if mark == "&" else "alias"
    message = f"the name of an {what} ({mark}) ends with a space: YAML readers disagree on the signs that it may hold"
    return SYNTAX, message, f"use letters, digits, - and _ only, or put quotes around text that starts with {mark}"


def flow_indentation(mark: str, owner: int, *, tab: bool) -> tuple[str, str, str]:
    """A line inside quotes or brackets that is not indented; `mark` is what opens them, on the line `owner`."""
    if tab:
        return SYNTAX, "a tab in the indentation", "use spaces: YAML does not allow tabs there"
    message = f"this line is inside the {mark} opened on line {owner}, and is not indented deeper than its key or dash"
    return SYNTAX, message, f"indent it, or close the {mark} before it"


_CONFLICT = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
_QUOTES = "close it; a ' inside single quotes is written twice, and a Windows path stands best without quotes"
_BAD_ESCAPE = (
    "a backslash inside double quotes starts an escape, and this one does not exist",
    "write Windows paths without quotes or in single quotes: 'C:\\MT5\\new'",
)
_ALIAS = (
    "an anchor (&) or alias (*) without a name that all YAML readers take: letters, digits, - and _",
    "put quotes around text that starts with & or *",
)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_HALF_CHARACTER = (
    "this escape is half a character: a surrogate without its other half",
    "write the character itself, or both of its escapes",
)
_EMPTY_KEY = (
    "a key is missing before this colon",
    "write the field's name before it, or quotes around text with a colon",
)
_COLON_FIRST = ("a text inside [ ] or { } starts with a colon", "put quotes around it, or a space after a key's colon")
_BROKEN_KEY = (
    "a key inside [ ] or { } and its colon are not on one line",
    "write the key on one line, its colon behind it",
)
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
    "did not find expected <document start>": (
        "there is more text after the end of the document",
        "keys of one mapping start in the same column; documents are parted by a line of ---",
    ),
    "found undefined alias": (
        "this alias (*name) refers to an anchor (&name) that the document does not have",
        "put quotes around text that starts with *",
    ),
    "did not find expected alphabetic or numeric character": _ALIAS,
    "found a tab character where an indentation space is expected": ("a tab in the indentation", "use spaces"),
    "found a tab character that violates indentation": ("a tab in the indentation", "use spaces"),
    "did not find expected comment or line break": _BLOCK_SCALAR,
    "found an indentation indicator equal to 0": _BLOCK_SCALAR,
    "found unexpected ':'": ("a colon inside [ ] or { } is not followed by a space", "put quotes around the text"),
    "found incompatible YAML document": ("this file asks for another version of YAML", "delete the %YAML line"),
    "could not find expected directive name": _DIRECTIVE,
    "found undefined tag handle": _TAG,
}


class _TextPosition(NamedTuple):
    """Line and column from 0, and the text of that line."""

    line: int
    column: int
    text: str


def conflict_problem(path: str, data: bytes) -> Problem | None:
    """The problem of a file with git's conflict marks, None for any other; to be called when the syntax is broken."""
    match = _CONFLICT.search(data)
    if match is None:
        return None
    line = data.count(b"\n", 0, match.start()) + 1
    message = f"a merge conflict is left in the file ({match.group().decode().strip()})"
    return Problem(path, line, 1, SYNTAX, "", message, "decide which side stays and delete the marks")


def syntax_problem(path: str, data: bytes, error: YAMLError) -> Problem:
    """The problem for libyaml's error on `data`."""
    cause, place = _find_cause(data, error)
    message, hint = _explain_cause(error, cause, place)
    return Problem(path, place.line + 1, place.column + 1, SYNTAX, "", message, hint)


def error_place(error: YAMLError) -> tuple[int, int]:
    """The line and column, from 0, where libyaml gave up."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return (mark.line, mark.column) if mark is not None else (0, 0)


def limit_problem(path: str, limit: LimitExceededError) -> Problem:
    """The problem for a file that holds too much of something."""
    start = limit.node.start_mark if limit.node is not None else None
    line, column = (start.line + 1, start.column + 1) if start is not None else (1, 1)
    return Problem(path, line, column, "unsafe-yaml", "", limit.message, limit.hint)


def _find_cause(data: bytes, error: YAMLError) -> tuple[str, _TextPosition]:
    if not isinstance(error, MarkedYAMLError):
        return "", _TextPosition(0, 0, "")
    cause = error.problem or ""
    mark = error.context_mark if cause in _AT_CONTEXT and error.context_mark else error.problem_mark
    place = _locate(data, mark)
    backslash = place.text.rfind("\\", 0, place.column + 1) if cause in _ESCAPES else -1
    return cause, place if backslash < 0 else place._replace(column=backslash)


def _locate(data: bytes, mark: Mark | None) -> _TextPosition:
    if mark is None:
        return _TextPosition(0, 0, "")
    lines = data.split(b"\n", mark.line + 1)
    text = lines[mark.line].decode().removeprefix("\ufeff") if mark.line < len(lines) else ""
    return _TextPosition(mark.line, mark.column, text)


def _explain_cause(error: YAMLError, cause: str, place: _TextPosition) -> tuple[str, str]:
    if cause in _ESCAPES and _HALF.match(place.text, place.column):
        return _HALF_CHARACTER
    if cause in _WORDS:
        return _WORDS[cause]
    explain_special = _SPECIAL.get(cause)
    if explain_special is not None:
        return explain_special(error, place)
    context = getattr(error, "context", None) or ""
    if "directive" in context:
        return _DIRECTIVE
    if "tag" in context:
        return _TAG
    description = f"{context} {cause}".strip() or str(error)
    return f"this is not YAML: {description}", "compare with the lines around it"


def _second_colon(_error: YAMLError, place: _TextPosition) -> tuple[str, str]:
    if ": " in place.text[: place.column]:
        return "a second colon in one line", "put quotes around a value that has a colon followed by a space"
    return (
        "this line is indented deeper than the lines it belongs to",
        "keys of one mapping start in the same column, and only a key without a value has keys below it",
    )


def _bad_start(_error: YAMLError, place: _TextPosition) -> tuple[str, str]:
    character = place.text[place.column : place.column + 1]
    if character == "\t":
        return "a tab in the indentation", "use spaces: YAML does not allow tabs there"
    return f"a value cannot start with {character}", f"put quotes around text that starts with {character}"


def _no_key(_error: YAMLError, place: _TextPosition) -> tuple[str, str]:
    if place.text.startswith(":", place.column):
        return _EMPTY_KEY
    if place.text[: place.column].strip():
        return (
            "there is more text after the end of the value",
            "nothing may follow a closing quote; a ' inside single quotes is written twice",
        )
    return "this line starts in a column where no line above it does", "keys of one mapping start in the same column"


def _no_value(_error: YAMLError, place: _TextPosition) -> tuple[str, str]:
    rest = place.text[place.column :]
    if rest.startswith(":"):
        return _COLON_FIRST if rest[1:].strip()[:1] and not rest[1].isspace() else _EMPTY_KEY
    if rest.startswith("..."):
        return "a line of ... ends a document, and there is none above it", "delete the line"
    return "a value is missing here", "write one, or delete the comma or mark"


def _unclosed(error: YAMLError, place: _TextPosition) -> tuple[str, str]:
    if place.text[place.column :].startswith(":") and not place.text[: place.column].strip():
        return _BROKEN_KEY
    start = error.context_mark if isinstance(error, MarkedYAMLError) else None
    where = f" on line {start.line + 1}" if start is not None else ""
    return (
        f"the [ or {{ opened{where} is not closed before this, or a comma is missing",
        "text that starts with [ or { needs quotes",
    )


def _repeated_anchor(error: YAMLError, _place: _TextPosition) -> tuple[str, str]:
    first = error.context_mark if isinstance(error, MarkedYAMLError) else None
    where = f", first on line {first.line + 1}" if first is not None else ""
    return (
        f"this anchor (&name) is there twice{where}: YAML 1.2 allows it, and not every reader does",
        "give one another name",
    )


def _unknown_directive(_error: YAMLError, place: _TextPosition) -> tuple[str, str]:
    name = _shorten(place.text[place.column :].split(maxsplit=1)[0])
    return (
        f"{name} is no directive that YAML defines: some readers skip such a line, others refuse the file",
        "delete it, or put quotes around the text",
    )


_SPECIAL = {
    "mapping values are not allowed in this context": _second_colon,
    "found character that cannot start any token": _bad_start,
    "did not find expected key": _no_key,
    "did not find expected node content": _no_value,
    "second occurrence": _repeated_anchor,
    "found unknown directive name": _unknown_directive,
    "did not find expected ',' or ']'": _unclosed,
    "did not find expected ',' or '}'": _unclosed,
}
