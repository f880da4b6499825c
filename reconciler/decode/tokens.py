"""What libyaml lets pass, or reads in its own way, found by holding its tokens against the productions of YAML 1.2.2.

libyaml composes a file in C, at a tenth of what the tokens cost. They are looked at only where a file has something
that libyaml takes too lightly: `is_suspect` says so of its bytes, and the builder of texts and brackets over several
lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    DirectiveToken,
    DocumentEndToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    KeyToken,
    ScalarToken,
    StreamEndToken,
    StreamStartToken,
    TagToken,
    ValueToken,
)

from reconciler.decode import errors
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from yaml.tokens import Token

    from reconciler.decode.errors import Words

    Lapse: TypeAlias = tuple[int, Words]
    """A character's index, and the words for what is wrong there."""


_SUSPECTS = (
    (b"#", re.compile(rb"#(?<![ \t\r\n]#)(?<!\A#)")),
    (b"-", re.compile(rb"-[],}[{]")),
    (b"?", re.compile(rb"\?(?<=[ \t\n,[{]\?)[^ \t\r\n]")),
    (b"*", re.compile(rb"\*[\w-]+[^\w\- \t\r\n,[\]{}]")),
    (b"&", re.compile(rb"&[\w-]+[^\w\- \t\r\n,[\]{}]")),
    (b"!", re.compile(rb"!(?:[ \t\r\n,<]|\Z)")),
    (b"%", re.compile(rb"\n%")),
    (b":", re.compile(rb":(?<=[ \t]:)[^ \t\r\n]")),
    (b"|", re.compile(rb"\|[-+0-9]*[ \t]*(?:#|\r?\n *\r?\n)|\n *\|")),
    (b">", re.compile(rb">[-+0-9]*[ \t]*(?:#|\r?\n *\r?\n)|\n *>")),
)
"""Characters that many files lack, and what can then be wrong in one line; of a block text also its first lines."""


def is_suspect(data: bytes) -> bool:
    """Whether the tokens have to be looked at, for what the bytes show at once."""
    if data.endswith((b" ", b"\t")) or data.startswith((b"%", b"\xef\xbb\xbf%")):
        return True
    for sign, pattern in _SUSPECTS:  # noqa: SIM110 - a generator takes twice as long
        if sign in data and pattern.search(data) is not None:
            return True
    return False


def find_lapses(path: str, data: bytes, end: tuple[int, int] | None) -> Iterator[Problem]:
    """What is wrong up to a line and column (from 0) where libyaml found an error, or to the end."""
    text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    scanner = CParser(text)
    check = _Check(text)
    try:
        while (token := scanner.get_token()) is not None:
            if end is not None and (token.end_mark.line, token.end_mark.column) > end:
                return
            for index, (code, message, hint) in check.follow(token):
                column = index - text.rfind("\n", 0, index)
                yield Problem(path, text.count("\n", 0, index) + 1, column, code, "", message, hint)
    except YAMLError:
        return
    finally:
        scanner.dispose()


_BLANKS = " \t"
_SPACE = frozenset(" \t\n")
_FLOW_END = frozenset(" \t\n,[]{}")
_TEXT_HEADER = re.compile(r"[|>]([-+0-9]*)[ \t]*(#[^\n]*)?(?:\n|\Z)")
_BLANK_LINES = re.compile(r"(?: *\n)*")
_SPACES = re.compile(" *")


class _Check:
    """Follows the tokens of a text: how deep in brackets, below which column."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._before: Token | None = None
        self._last: Token | None = None
        """The last one that is not the end of a block."""
        self._columns = [-1]
        """Of the keys or dashes around; what belongs to one of them stands to the right of it."""
        self._brackets: list[Token] = []
        self._may_direct = True
        self._told: Token | None = None
        """What was told to hold lines that are not indented: once is enough."""

    def follow(self, token: Token) -> Iterator[Lapse]:
        """What is wrong at the next token."""
        yield from self._separation(token)
        rule = _RULES.get(token.__class__)
        if rule is not None:
            yield from rule(self, token)
        self._before = token
        if not isinstance(token, BlockEndToken):
            self._last = token
            self._may_direct = isinstance(token, (StreamStartToken, DocumentEndToken, DirectiveToken))

    def _separation(self, token: Token) -> Iterator[Lapse]:
        """Sections 6.6 and 6.7: a blank before a comment, and the lines of a flow node indented."""
        if self._before is None:
            return
        end = self._before.end_mark
        if end.index and self._text.startswith("#", end.index) and self._text[end.index - 1] not in _SPACE:
            yield end.index, errors.TIGHT_COMMENT
        if self._brackets and token.start_mark.line > end.line:
            closes = isinstance(token, (FlowMappingEndToken, FlowSequenceEndToken))
            # A closing bracket may stand in the column of its key or dash: there all readers take it alike.
            yield from self._continued(token.start_mark.index, self._brackets[0], self._columns[-1] + (not closes))

    def _continued(self, index: int, owner: Token, least: int) -> Iterator[Lapse]:
        """Section 6.3, s-flow-line-prefix: the lines of a flow node are indented; an owner is told of once."""
        spaces = self._spaces(index)
        if spaces < least and owner is not self._told:
            self._told = owner
            start = owner.start_mark
            tab = self._text[index - 1] == "\t"
            yield index, errors.flow_indentation(self._text[start.index], start.line + 1, tab=tab)

    def _spaces(self, index: int) -> int:
        """How many spaces the line of a character begins with."""
        start = self._text.rfind("\n", 0, index) + 1
        spaces = _SPACES.match(self._text, start)
        assert spaces is not None
        return spaces.end() - start

    def _scalar(self, token: Token) -> Iterator[Lapse]:
        assert isinstance(token, ScalarToken)
        if token.style in {"|", ">"}:
            yield from self._block_text(token)
            return
        start, end = token.start_mark, token.end_mark
        if self._brackets and token.plain and self._text[start.index : end.index] == "-":
            yield start.index, errors.DASH_IN_BRACKETS
        if end.line > start.line and (self._brackets or not token.plain):
            yield from self._folded(token)

    def _folded(self, token: Token) -> Iterator[Lapse]:
        line = self._text.find("\n", token.start_mark.index) + 1
        while 0 < line < token.end_mark.index:
            after = self._text.find("\n", line)
            content = self._text[line : after if after >= 0 else None]
            if content.strip(_BLANKS):
                yield from self._continued(
                    line + len(content) - len(content.lstrip(_BLANKS)), token, self._columns[-1] + 1
                )
            line = after + 1

    def _block_text(self, token: ScalarToken) -> Iterator[Lapse]:
        """Sections 8.1.1 and 8.1.2: the header, and the indentation that the first line with a text sets."""
        header = _TEXT_HEADER.match(self._text, token.start_mark.index)
        assert header is not None
        start = token.start_mark
        if self._before is not None and start.line > self._before.end_mark.line and start.column <= self._columns[-1]:
            yield start.index, errors.UNINDENTED_TEXT
        if header[2] and self._text[header.start(2) - 1] not in _BLANKS:
            yield header.start(2), errors.TIGHT_COMMENT
        if not header[1].strip("+-"):
            yield from self._leading_lines(header.end())

    def _leading_lines(self, start: int) -> Iterator[Lapse]:
        blank = _BLANK_LINES.match(self._text, start)
        assert blank is not None
        first = _SPACES.match(self._text, blank.end())
        assert first is not None
        indent = first.end() - first.start()
        longest = max(map(len, blank.group().split("\n")))
        if self._columns[-1] < indent < longest and first.end() < len(self._text):
            yield first.end(), errors.LONG_BLANK_LINE

    def _end(self, token: Token) -> Iterator[Lapse]:
        """Section 8.1.1.2: without a line end it is open whether the last blanks are a line of the text."""
        last = self._last
        blanks = self._text[self._text.rfind("\n") + 1 :]
        if not blanks or not isinstance(last, ScalarToken) or last.style not in {"|", ">"}:
            return
        if not blanks.strip(_BLANKS) and not self._text[last.end_mark.index :].strip(" \t\n"):
            yield len(self._text) - len(blanks), errors.BLANKS_AT_END

    def _key(self, token: Token) -> Iterator[Lapse]:
        """Section 8.2.2: an explicit key's question mark, which libyaml takes without a blank in brackets."""
        if token.end_mark.index > token.start_mark.index and self._next(token) not in _SPACE:
            yield token.start_mark.index, errors.QUESTION_MARK

    def _value(self, token: Token) -> Iterator[Lapse]:
        """Section 7.4.2: only behind quotes and brackets a colon may do without a blank."""
        if not self._brackets or self._next(token) in _SPACE | {",", "]", "}"}:
            return
        key = self._before
        quoted = isinstance(key, ScalarToken) and not key.plain
        if not quoted and not isinstance(key, (FlowMappingEndToken, FlowSequenceEndToken)):
            yield token.start_mark.index, errors.TIGHT_COLON

    def _name(self, token: Token) -> Iterator[Lapse]:
        """Section 6.9.2: a name ends at a blank, while libyaml ends it at the first sign."""
        if self._next(token) not in _FLOW_END:
            yield token.start_mark.index, errors.anchor_name(self._text[token.start_mark.index])

    def _tag(self, token: Token) -> Iterator[Lapse]:
        """Section 6.9.1: "!" alone makes a text of whatever follows, which libyaml forgets."""
        assert isinstance(token, TagToken)
        if not token.value[0] and token.value[1] == "!":
            yield token.start_mark.index, errors.forbidden_tag("!")

    def _directive(self, token: Token) -> Iterator[Lapse]:
        """Section 9.2: a document with directives begins the file, or follows a document end marker."""
        if not self._may_direct:
            yield token.start_mark.index, errors.LATE_DIRECTIVE

    def _open_block(self, token: Token) -> Iterator[Lapse]:
        self._columns.append(token.start_mark.column)
        yield from ()

    def _close_block(self, _token: Token) -> Iterator[Lapse]:
        self._columns.pop()
        yield from ()

    def _open_bracket(self, token: Token) -> Iterator[Lapse]:
        self._brackets.append(token)
        yield from ()

    def _close_bracket(self, _token: Token) -> Iterator[Lapse]:
        if self._brackets:
            self._brackets.pop()
        yield from ()

    def _next(self, token: Token) -> str:
        """The character behind a token; a line end at the end of the text."""
        return self._text[token.end_mark.index : token.end_mark.index + 1] or "\n"


_RULES: dict[type[Token], Callable[[_Check, Token], Iterator[Lapse]]] = {
    AliasToken: _Check._name,
    AnchorToken: _Check._name,
    BlockEndToken: _Check._close_block,
    BlockMappingStartToken: _Check._open_block,
    BlockSequenceStartToken: _Check._open_block,
    DirectiveToken: _Check._directive,
    FlowMappingEndToken: _Check._close_bracket,
    FlowMappingStartToken: _Check._open_bracket,
    FlowSequenceEndToken: _Check._close_bracket,
    FlowSequenceStartToken: _Check._open_bracket,
    KeyToken: _Check._key,
    ScalarToken: _Check._scalar,
    StreamEndToken: _Check._end,
    TagToken: _Check._tag,
    ValueToken: _Check._value,
}
