"""Collections in brackets: one space after a comma and a colon, none inside of the brackets.

Between the members of [ ] and { } white space counts for nothing. Line breaks stay where they are; on one line the keys
are brought in order.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from yaml._yaml import CParser
from yaml.tokens import (
    AliasToken,
    AnchorToken,
    FlowEntryToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    KeyToken,
    ScalarToken,
    TagToken,
    ValueToken,
)

from reconciler.decode.pairs import swap_pairs
from reconciler.kinds.kind import child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from yaml.nodes import Node
    from yaml.tokens import Token

BLANKS = " \t"
"""The white space of YAML: a no-break space is text."""
INDENT = 2

_OPENING = (FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (FlowMappingEndToken, FlowSequenceEndToken)


class Tokens:
    """The tokens of a text that have a width; scanned when the first collection in brackets comes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def inside(self, node: Node) -> list[Token]:
        """Those of a collection in brackets, without its anchor and tag."""
        first = bisect_left(self._starts, node.start_mark.index)
        end = bisect_left(self._starts, node.end_mark.index)
        tokens = self.all[first:end]
        while tokens and not isinstance(tokens[0], _OPENING):
            tokens.pop(0)
        return tokens

    @cached_property
    def all(self) -> list[Token]:
        scanner = CParser(swap_pairs(self._text.encode())[0])
        tokens: list[Token] = []
        try:
            while (token := scanner.get_token()) is not None:
                if token.end_mark.index > token.start_mark.index:
                    tokens.append(token)
        finally:
            scanner.dispose()
        return tokens

    @cached_property
    def _starts(self) -> list[int]:
        return [token.start_mark.index for token in self.all]


Piece: TypeAlias = "tuple[Token, str]"
"""A token, and as much of it as is on one line."""


def join_pieces(pieces: Sequence[Piece]) -> str:
    """A line, or the part of one, with canonical spaces."""
    parts: list[str] = []
    for (before, _), (token, text) in zip([pieces[0], *pieces], pieces, strict=False):
        parts += (" " if parts and _is_parted(before, token) else "", text)
    return "".join(parts)


def _is_parted(before: Token, token: Token) -> bool:
    """Whether a space is between two tokens: also where a colon or a name would take what follows for its own."""
    if isinstance(token, ValueToken):
        return isinstance(before, (KeyToken, AliasToken, AnchorToken, TagToken))
    if isinstance(token, (FlowEntryToken, *_CLOSING)):
        return isinstance(before, (KeyToken, ValueToken, TagToken))
    return not isinstance(before, _OPENING)


class Member(NamedTuple):
    """A member of a collection; `key` is that of a mapping's."""

    key: str | None
    parts: tuple[Flow | Piece, ...]


class Flow(NamedTuple):
    """A collection in brackets on one line; `comma` is the one after its last member."""

    opening: Piece
    members: tuple[Member, ...]
    comma: Piece | None
    closing: Piece

    def __str__(self) -> str:
        return join_pieces([*self._pieces()])

    def arrange(self, ranks_at: Callable[[str], Mapping[str, int]], pointer: str) -> Flow:
        """With keys in order: `ranks_at` gives that of the mapping at a pointer."""
        ranks = ranks_at(pointer)
        is_mapping = isinstance(self.opening[0], FlowMappingStartToken)
        members = [
            member._replace(
                parts=tuple(
                    part.arrange(ranks_at, child(pointer, member.key or "" if is_mapping else place))
                    if isinstance(part, Flow)
                    else part
                    for part in member.parts
                )
            )
            for place, member in enumerate(self.members)
        ]
        if is_mapping and ranks:
            members.sort(key=lambda member: ranks.get(member.key or "", len(ranks)))
        return self._replace(members=tuple(members))

    def _pieces(self) -> Iterator[Piece]:
        yield self.opening
        for number, member in enumerate(self.members):
            if number:
                yield _COMMA
            for part in member.parts:
                if isinstance(part, Flow):
                    yield from part._pieces()
                else:
                    yield part
        if self.comma is not None:
            yield self.comma
        yield self.closing


_COMMA: Piece = (FlowEntryToken(None, None), ",")


def read_one_line(lines: Sequence[str], tokens: Sequence[Token]) -> Flow:
    """A collection whose tokens are all on one line."""
    pieces = (
        (token, lines[token.start_mark.line][token.start_mark.column : token.end_mark.column]) for token in tokens
    )
    return _read_flow(pieces, next(pieces))


def _read_flow(pieces: Iterator[Piece], opening: Piece) -> Flow:
    members: list[Member] = []
    parts: list[Flow | Piece] = []
    comma: Piece | None = None
    for piece in pieces:
        token = piece[0]
        if isinstance(token, (FlowEntryToken, *_CLOSING)):
            if parts:
                members.append(Member(_key_of(parts), tuple(parts)))
                comma = None
            parts = []
            if isinstance(token, _CLOSING):
                return Flow(opening, tuple(members), comma, piece)
            comma = piece
        else:
            parts.append(_read_flow(pieces, piece) if isinstance(token, _OPENING) else piece)
    raise AssertionError("brackets are closed")


def _key_of(parts: Sequence[Flow | Piece]) -> str | None:
    for part in parts:
        if isinstance(part, Flow) or isinstance(part[0], ValueToken):
            return None
        if isinstance(part[0], ScalarToken):
            return str(part[0].value)
    return None


_LEADING_CLOSERS = re.compile(r"[ \t\]}]*")


def read_lines(lines: Sequence[str], node: Node, tokens: Sequence[Token]) -> list[str]:
    """The lines of a collection in brackets up to the closing one, indented by how deep inside of it they are."""
    first, last = tokens[0].start_mark.line, node.end_mark.line
    shape = _Shape(tokens)
    flow_lines: list[str] = []
    for line in range(first, last + 1):
        end = node.end_mark.column if line == last else len(lines[line])
        depth = 0 if line == first else shape.depth(line, lines[line])
        code = _write_line(lines[line][:end], line, shape.by_line.get(line, ()))
        if code or line in shape.begins_inside or flow_lines[-1]:
            flow_lines.append(" " * (INDENT * depth) + code if code else "")
    return flow_lines


def _write_line(text: str, line: int, tokens: Sequence[Token]) -> str:
    """The part of a line that belongs to the tokens on it, and its comment two spaces apart."""
    pieces: list[Piece] = []
    end = 0
    for token in tokens:
        begin, after = token.start_mark, token.end_mark
        start = begin.column if begin.line == line else len(text) - len(text.lstrip(BLANKS))
        if after.line > line:
            return join_pieces([*pieces, (token, trim_line(text[start:]))])
        pieces.append((token, text[start : after.column]))
        end = after.column
    comment = text[end:].strip(BLANKS)
    return join_comment(join_pieces(pieces) if pieces else "", comment)


def join_comment(code: str, comment: str) -> str:
    return f"{code}  {comment}" if code and comment else code or comment


def trim_line(text: str) -> str:
    r"""Without the blanks at the end, unless a backslash is before them: in double quotes `\ ` is a space."""
    trimmed = text.rstrip(BLANKS)
    return text if trimmed.endswith("\\") else trimmed


class _Shape:
    """Which tokens are on each line of a collection, and how deep in brackets each line is."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.by_line: dict[int, list[Token]] = {}
        self.begins_inside: set[int] = set()
        """Lines whose beginning is inside a scalar."""
        self._brackets: list[_Bracket] = []
        """Of several lines, the last to open first."""
        self._around: list[_Bracket] = []
        opened: list[Token] = []
        for token in tokens:
            first, last = token.start_mark.line, token.end_mark.line
            self.begins_inside.update(range(first + 1, last + 1))
            for line in range(first, last + 1):
                self.by_line.setdefault(line, []).append(token)
            if isinstance(token, _OPENING):
                opened.append(token)
            elif isinstance(token, _CLOSING):
                line = opened.pop().start_mark.line
                if line < last:
                    self._brackets.append(_Bracket(line, last, token.end_mark.column))
        self._brackets.sort(reverse=True)

    def depth(self, line: int, text: str) -> int:
        """The depth of a line: brackets opened on one line count once, those that it closes first do not.

        To be asked for one line after the other.
        """
        while self._brackets and self._brackets[-1].first < line:
            self._around.append(self._brackets.pop())
        self._around = [bracket for bracket in self._around if bracket.last >= line]
        closing = _LEADING_CLOSERS.match(text)
        closed = closing.end() if closing and line not in self.begins_inside else 0
        around = {bracket.first for bracket in self._around if (bracket.last, bracket.after) > (line, closed)}
        return len(around) + (line in self.begins_inside)


class _Bracket(NamedTuple):
    """The lines of a pair of brackets, and the column after the closing one."""

    first: int
    last: int
    after: int
