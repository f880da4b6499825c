"""The way from a file's bytes to its documents.

The bytes have to be a text that everyone sees in the same way: editors, reviewers and YAML readers. YAML 1.2 section
5.1 says which characters may stand in a file. Beyond that this refuses what a review would not show (bidirectional
controls, CVE-2021-42574), what only some readers take for the end of a line, and encodings other than UTF-8. A byte
order mark at the start and CRLF line ends are fine. libyaml's parser composes nodes in C and resolves nothing.
"""

from __future__ import annotations

import codecs
import re
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from yaml import YAMLError
from yaml._yaml import CParser

from reconciler.decode import errors
from reconciler.decode.build import Builder
from reconciler.decode.errors import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    MAX_PROBLEMS,
    MAX_RESTARTS,
    LimitExceededError,
    too_deep,
    too_many,
)
from reconciler.decode.marks import LateMarks, Marks
from reconciler.decode.pairs import swap_pairs
from reconciler.decode.plain import read_plain
from reconciler.decode.tokens import find_lapses, is_suspect
from reconciler.model.change import Decoded, Document
from reconciler.model.problem import Mark, Problem

if TYPE_CHECKING:
    from yaml.nodes import Node

    from reconciler.decode.plain import Plain


CODE = "unsafe-yaml"

_GOOD_ASCII = bytes([*b"\t\n", *range(0x20, 0x7F)])
_BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_ELSE = ("an invisible control character", "delete it")
_LINE_END = ("a character that only some programs take for the end of a line", "delete it")
_BIDI = ("an invisible character that makes text read differently from what it says", "delete it")
_WHY = {
    "\r": ("a carriage return without a line feed", "save the file with LF or CRLF line ends"),
    "\ufeff": ("a byte order mark that is not at the start of the file", "delete it: files were probably joined"),
    **dict.fromkeys("\x85\u2028\u2029", _LINE_END),
    **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", _BIDI),
}
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_LFS = b"version https://git-lfs.github.com/"


def refuse_text(path: str, data: bytes) -> Problem | None:
    """The problem of bytes that are refused before they are parsed as YAML; None when they can be parsed."""
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; {MAX_BYTES:,} are allowed"
        return Problem(path, 1, 1, CODE, "", message, "spread the documents over several files")
    if data.startswith(_LFS):
        message = "this is a Git LFS pointer, not the file it stands for"
        return Problem(path, 1, 1, CODE, "", message, "keep configuration out of Git LFS (.gitattributes)")
    if not data.translate(None, _GOOD_ASCII):
        return None
    if data.startswith(_WIDE_MARKS) or b"\0" in data[:4]:
        return Problem(path, 1, 1, CODE, "", "the file is UTF-16 or UTF-32", "save it as UTF-8")
    return _bad_character(path, data)


def _bad_character(path: str, data: bytes) -> Problem | None:
    data = data.replace(b"\r\n", b"\n")  # moves no character to another line or column
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix("\ufeff")
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02X} does not belong here"
        return _text_problem(path, before, message, "save it as UTF-8 (it may be Windows-1252 or Latin-1)")
    match = _BAD.search(text)
    if match is None:
        return None
    what, hint = _WHY.get(match.group(), _ELSE)
    return _text_problem(path, text[: match.start()], f"{what} (U+{ord(match.group()):04X})", hint)


def _text_problem(path: str, before: str, message: str, hint: str) -> Problem:
    line = before.count("\n") + 1
    return Problem(path, line, len(before) - before.rfind("\n"), CODE, "", message, hint)


MAX_PLAIN_INDICATORS = 200
"""Of so few characters that may begin a node none can make too many of them, or nest deeper than the C stack bears."""

_INDICATORS = (b":", b"-", b",", b"[", b"{", b"?")


class PlainParser(CParser):
    """Nodes with `tag` None wherever no tag is written. The three methods are those that the C code calls back."""

    def resolve(self, _kind: type[Node], _value: str | None, _implicit: object) -> None:
        """The tag of a node without one: none."""

    def descend_resolver(self, _parent: Node | None, _index: object) -> None:
        """Before each node."""

    def ascend_resolver(self) -> None:
        """After each node."""


class GuardedParser(PlainParser):
    """The same with a check at every node, for files that could hold too many or nest too deep.

    The C code recurses per level without a limit of its own, so depth has to be checked before it descends.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._depth = 0
        self._nodes = 0

    def descend_resolver(self, parent: Node | None, _index: object) -> None:
        """Count a node. Raises `LimitExceededError`."""
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH + 1:  # the scalars of the deepest level are one further down
            raise too_deep(parent)
        if self._nodes > MAX_NODES:
            raise too_many(parent)

    def ascend_resolver(self) -> None:
        """Leave a node."""
        self._depth -= 1


def make_parser(data: bytes) -> PlainParser:
    """A parser that is safe on these bytes: the guarded one is a quarter slower and seldom needed.

    Every node but the first has an indicator of its own before or behind it.
    """
    indicators = sum(map(data.count, _INDICATORS))
    return PlainParser(data) if indicators <= MAX_PLAIN_INDICATORS else GuardedParser(data)


_DOCUMENT_START = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


def decode(path: str, data: bytes) -> Decoded:
    """The documents of a YAML file, and everything that is wrong with it as YAML.

    Never raises, whatever the bytes are. A document with problems is still among the documents as far as its
    values mean something: of a key that is there twice the first stays, a number that is not finite is None, a
    tagged value is its text. Empty documents are left out. Problems are sorted.
    """
    refusal = refuse_text(path, data)
    if refusal is not None:
        return Decoded(problems=(refusal,))
    plain = read_plain(data)
    if plain is None:
        return parse(path, data)
    return Decoded(tuple([_late(data, number, found) for number, found in enumerate(plain)]))


def _late(data: bytes, number: int, found: Plain) -> Document:
    """A document whose places are worked out when somebody asks."""
    parsed = partial(_parse_marks, data, number)
    return Document(found.value, LateMarks(Mark(found.line, 1), parsed), size=len(data))


def _parse_marks(data: bytes, number: int) -> Marks:
    marks = parse("", data).documents[number].marks
    assert isinstance(marks, Marks)
    return marks


def parse(path: str, data: bytes) -> Decoded:
    """The same for any text that `refuse_text` lets pass, by libyaml."""
    builder = Builder(path, len(data), may_alias=b"*" in data)
    documents: list[Document] = []
    broken: list[Problem] = []
    try:
        _read_all(path, data, builder, documents, broken)
    except LimitExceededError as limit:
        broken.append(errors.limit_problem(path, limit))
    return Decoded(tuple(documents), tuple(sorted((*builder.problems, *broken))))


def _read_all(path: str, data: bytes, builder: Builder, documents: list[Document], broken: list[Problem]) -> None:
    """Read the documents; where the syntax of one is broken, go on with the one after it."""
    offset = 0
    for _ in range(MAX_RESTARTS + 1):
        text, builder.pairs = swap_pairs(_text_from(data, offset))
        error = _read(text, builder, documents)
        if builder.spans_lines or is_suspect(text):
            end = errors.error_place(error) if error is not None else None
            broken.extend(islice(find_lapses(path, text, end), MAX_PROBLEMS))
        if error is None:
            return
        conflict = errors.conflict_problem(path, data) if not offset else None
        if conflict is not None:
            broken[:] = [conflict]
            return
        problem = errors.syntax_problem(path, data, error)
        if not any(known.line == problem.line for known in broken):  # else it is a consequence
            broken.append(problem)
        start = _next_start(data, offset, errors.error_place(error)[0])
        if start is None:
            return
        offset = start


def _read(data: bytes, builder: Builder, documents: list[Document]) -> YAMLError | None:
    """Add the documents up to the end or to the error that is returned. Raises `LimitExceededError`."""
    parser = make_parser(data)
    try:
        while parser.check_node():
            root = parser.get_node()
            assert root is not None
            document = builder.document(root)
            if document.value is not None:
                documents.append(document)
    except YAMLError as error:
        return error
    finally:
        parser.dispose()
    return None


def _text_from(data: bytes, offset: int) -> bytes:
    """The text from an offset on, in the same lines as before."""
    return b"\n" * data.count(b"\n", 0, offset) + data[offset:] if offset else data


def _next_start(data: bytes, offset: int, line: int) -> int | None:
    """Where the first document after `offset` starts that is not above `line` (from 0); a `---` always starts one."""
    line_start = sum(len(text) + 1 for text in data.split(b"\n", line)[:line])
    match = _DOCUMENT_START.search(data, max(line_start, offset + 1))
    return match.start() if match is not None else None
