"""One YAML text with its nodes, tokens and lines: where something stands, and the text with something else there.

Nodes come from the parser that decodes files. An alias is composed as the node that it stands for, so where an entry of
a mapping ends is told by the tokens.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode
from yaml.tokens import AliasToken, BlockEntryToken, KeyToken, ScalarToken, ValueToken

from reconciler.format.flow import BLANKS, Tokens
from reconciler.format.format import compose_nodes
from reconciler.format.read import TEXT_HEADER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from yaml.error import Mark
    from yaml.tokens import Token

BLOCK_TEXT = frozenset("|>")


class Entry(NamedTuple):
    """A value, and where it belongs: `owner` is the collection, None for the root; `key` is None in a list."""

    owner: CollectionNode | None
    position: int
    key: Node | None
    value: Node


class Page:
    """A text without a byte order mark that decodes without problems."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.roots = compose_nodes(text)
        self._tokens = Tokens(text).all
        self._token_places = [_place(token.start_mark) for token in self._tokens]
        self._line_starts = [0]
        for line in self.lines:
            self._line_starts.append(self._line_starts[-1] + len(line) + 1)

    def root(self, line: int) -> Node:
        """The root of the document whose first key stands on a line, from 0."""
        return next(
            root
            for root in self.roots
            if isinstance(root, MappingNode) and root.value[:1] and _first_line(root) == line
        )

    def child(self, node: Node, token: str) -> Entry | None:
        """The member of a collection with this key or index; None when there is none."""
        if isinstance(node, MappingNode):
            for position, (key, value) in enumerate(node.value):
                if isinstance(key, ScalarNode) and key.value == token:
                    return Entry(node, position, key, value)
        elif isinstance(node, SequenceNode) and token.isdecimal() and int(token) < len(node.value):
            return Entry(node, int(token), None, node.value[int(token)])
        return None

    def find_shared(self, root: Node) -> Collection[int]:
        """The ids of the nodes of a document that stand in it more than once: as an anchor, and as its aliases."""
        seen: set[int] = set()
        shared: set[int] = set()
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                shared.add(id(node))
                continue
            seen.add(id(node))
            waiting += parts_of(node)
        return shared

    def offset(self, mark: Mark) -> int:
        """Where a place is in the text."""
        return self._line_starts[mark.line] + mark.column

    def cut(self, start: int, end: int, text: str) -> str:
        """The text with a part of it replaced."""
        return f"{self.text[:start]}{text}{self.text[end:]}"

    def colon(self, key: Node) -> Token | None:
        """The colon behind a key; None where it has none, as in `{a, b}`."""
        at = bisect_left(self._token_places, _place(key.start_mark))
        for token in self._tokens[at:]:
            if isinstance(token, ValueToken):
                return token
            if _place(token.start_mark) >= _place(key.end_mark):
                return None
        return None

    def alias(self, entry: Entry) -> Token | None:
        """The alias that stands for a value; None where the value itself stands there."""
        colon = self.colon(entry.key) if entry.key is not None else None
        if colon is None:
            return None
        after = bisect_left(self._token_places, _place(colon.end_mark))
        token = self._tokens[after] if after < len(self._tokens) else None
        return token if isinstance(token, AliasToken) else None

    def tokens_of(self, entry: Entry) -> list[Token]:
        """The tokens of an entry of a block mapping or of a block list, its key or dash included."""
        assert entry.owner is not None
        first = bisect_left(self._token_places, _place(entry.key.start_mark if entry.key else self.dash(entry.value)))
        end = bisect_left(self._token_places, _place(self._end_of(entry)))
        tokens = self._tokens[first:end]
        while isinstance(tokens[-1], KeyToken):  # the ? of the next entry
            tokens.pop()
        return tokens

    def dash(self, item: Node) -> Mark:
        """Where the dash of an item of a block list stands."""
        at = bisect_left(self._token_places, _place(item.start_mark))
        mark: Mark = next(one for one in reversed(self._tokens[:at]) if isinstance(one, BlockEntryToken)).start_mark
        return mark

    def lines_of(self, tokens: Iterable[Token]) -> set[int]:
        """The lines that tokens stand on: lines with nothing but a comment are none of them."""
        return {line for token in tokens for line in range(token.start_mark.line, self._last_line(token) + 1)}

    def has_comment(self, node: Node) -> bool:
        """Whether there is a comment inside of a collection in brackets."""
        first = bisect_left(self._token_places, _place(node.start_mark))
        end = bisect_left(self._token_places, _place(node.end_mark))
        tokens = self._tokens[first:end]
        gaps = ((self.offset(one.end_mark), self.offset(two.start_mark)) for one, two in pairwise(tokens))
        return any("#" in self.text[start:end] for start, end in gaps)

    def indicators(self, node: Node) -> tuple[int, int]:
        """Where the `|` or `>` of a block text begins, with its anchor and tag, and where what belongs to it ends."""
        start = node.start_mark
        header = TEXT_HEADER.match(self.lines[start.line].removesuffix("\r"), start.column)
        assert header is not None
        return self.offset(start), self._line_starts[start.line] + header.end()

    def rebuild(self, gone: Collection[int], added: Mapping[int, Sequence[str]]) -> str:
        """The text without some lines, and with others behind those that are numbered; -1 is before the first.

        New lines end as the one before them does; a text that ends without a line end goes on doing so.
        """
        ends = "\r" if self._ends_in_cr(added, gone) else ""
        lines, is_complete = list(self.lines), self.lines[-1] == ""
        if is_complete:
            lines.pop()
        else:
            lines[-1] += ends
        kept = [f"{line}{ends}" for line in added.get(-1, ())]
        for number, line in enumerate(lines):
            kept += () if number in gone else (line,)
            kept += [f"{line}{ends}" for line in added.get(number, ())]
        text = "\n".join(kept)
        return f"{text}\n" if is_complete else text.removesuffix("\r")

    def _ends_in_cr(self, added: Mapping[int, Sequence[str]], gone: Collection[int]) -> bool:
        """Whether the lines around the change end in CRLF; the last one may lack its end."""
        near = max(min([*added, *gone]), 0)
        return self.lines[near if near < len(self.lines) - 1 else max(0, near - 1)].endswith("\r")

    def _end_of(self, entry: Entry) -> Mark:
        """Where what follows an entry begins: the next one, or what is around it ends."""
        owner, following = entry.owner, entry.position + 1
        assert owner is not None
        mark: Mark = owner.end_mark
        if following < len(owner.value):
            next_one = owner.value[following]
            mark = next_one[0].start_mark if isinstance(owner, MappingNode) else self.dash(next_one)
        return mark

    def _last_line(self, token: Token) -> int:
        """The last line of a token: of a block text without the blank lines that do not count."""
        line: int = token.end_mark.line
        if not (isinstance(token, ScalarToken) and token.style in BLOCK_TEXT):
            return line
        if line == len(self.lines) - 1 and self.lines[line].strip(BLANKS):  # the file ends in it
            return line
        line -= 1
        header = TEXT_HEADER.match(self.lines[token.start_mark.line].removesuffix("\r"), token.start_mark.column)
        if header is None or "+" not in header[1]:
            while line > token.start_mark.line and not self.lines[line].strip():
                line -= 1
        return line


def parts_of(node: Node) -> Iterator[Node]:
    """What stands directly below a node, keys included."""
    if isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, SequenceNode):
        yield from node.value


def _place(mark: Mark) -> tuple[int, int]:
    return mark.line, mark.column


def _first_line(root: MappingNode) -> int:
    line: int = root.value[0][0].start_mark.line
    return line
