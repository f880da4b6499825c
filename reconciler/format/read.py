"""Nodes and lines to blocks: the nodes say what is a value, and the lines are taken as they stand.

What a line break and the white space around it stand for differs: in a block text all that is right of its indentation
counts, in quoted and plain text lines are folded (YAML 1.2.2, sections 6.5 and 8.1), and between the members of [ ] and
{ } nothing counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from reconciler.format.flow import BLANKS, INDENT, join_comment, read_lines, read_one_line, trim_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.format.flow import Flow, Tokens


class NotUnderstoodError(Exception):
    """A document's layout is not supported: it is left as it is. Never leaves this package."""


class Block(NamedTuple):
    """A mapping or list that is written line by line; `tail` holds the comments after its last entry."""

    entries: tuple[Entry, ...]
    tail: tuple[str, ...]


class Entry(NamedTuple):
    """A key with its value, or an item of a list (`key` is None).

    `opening` is its first line without indentation and comment. What follows is a `body`, or `raw`: lines that are
    indented from where the entry is, which end with the value's own blank lines when it `keeps` them. `head` holds
    the comments above, `below` those after it that are indented deeper, `aligned` when they go on with `comment` in
    its column. Comments are without indentation, and "" is a blank line among them. `flow` is the value when
    it is in brackets on one line: the opening ends with it, or the last line of `raw` has it.
    """

    key: str | None
    head: tuple[str, ...]
    opening: str
    comment: str = ""
    body: Block | None = None
    raw: tuple[str, ...] = ()
    keeps: bool = False
    below: tuple[str, ...] = ()
    aligned: bool = False
    flow: Flow | None = None


_LOOSE = frozenset({"", "#"})
"""The first characters of blank lines and comments."""
_NO_COMMENTS: tuple[tuple[str, ...], frozenset[int]] = ((), frozenset())

DOCUMENT_MARK = re.compile(r"(---|\.\.\.)(?=[ \t]|$)")
PROPERTIES = re.compile(r"[&!][^ \t]*(?:[ \t]+[&!][^ \t]*)*")
"""An anchor, a tag, or both."""
ALIAS = re.compile(r"[ \t]*(\*[^ \t,\[\]{}]+)")
COLON = re.compile(r"[ \t]*:(?=[ \t]|$)")
TEXT_HEADER = re.compile(rf"(?:{PROPERTIES.pattern}[ \t]+)?[|>]([-+0-9]*)(?=[ \t]|$)")
"""The first line of a block text and its indicators."""


class LineCursor:
    """A position in the lines of a file: on line `at`, up to `end`."""

    def __init__(self, lines: Sequence[str], at: int, end: int) -> None:
        self.lines = lines
        self.at = at
        self.end = end

    def take_comments(self) -> tuple[str, ...]:
        """Take the comments and blank lines before the next value."""
        comments = []
        while self.at < self.end:
            text = self.lines[self.at].strip(BLANKS)
            if text and text[0] != "#":
                break
            comments.append(text)
            self.at += 1
        return tuple(comments)

    def take_deeper_comments(self, column: int) -> tuple[tuple[str, ...], frozenset[int]]:
        """Take the comments that are indented deeper than a column, up to the first that is not, and their columns."""
        if self.at < self.end and self.lines[self.at].lstrip(BLANKS)[:1] not in _LOOSE:
            return _NO_COMMENTS
        comments: list[str] = []
        columns: set[int] = set()
        for text in self._iter_comments_deeper_than(column):
            stripped = text.strip(BLANKS)
            comments.append(stripped)
            if stripped:
                columns.add(len(text) - len(text.lstrip(BLANKS)))
        while comments and not comments[-1]:
            comments.pop()
        self.at += len(comments)
        return tuple(comments), frozenset(columns)

    def trailing_comment(self, line: int, column: int) -> str:
        """The comment that ends a line from a column on. Raises `NotUnderstoodError` when there is anything else."""
        text = self.lines[line][column:].strip(BLANKS)
        if text and text[0] != "#":
            raise NotUnderstoodError
        return text

    def next_column(self, line: int, column: int) -> int:
        """The first column from one on that is not blank."""
        text = self.lines[line] if line < self.end else ""
        return len(text) - len(text[column:].lstrip(BLANKS))

    def expect_blank(self, line: int, start: int, end: int) -> None:
        """Raises `NotUnderstoodError` unless there is white space only between two columns."""
        if line >= self.end or self.lines[line][start:end].strip(BLANKS):
            raise NotUnderstoodError

    def _iter_comments_deeper_than(self, column: int) -> Iterator[str]:
        for line in range(self.at, self.end):
            text = self.lines[line]
            stripped = text.lstrip(BLANKS)
            if stripped and (stripped[0] != "#" or len(text) - len(stripped) <= column):
                return
            yield text


def read_block_text(
    lines: Sequence[str], start: int, end: int, column: int, indicators: str
) -> tuple[int, tuple[str, ...]]:
    """The line after a block text, and its lines; `column` is that of the key or dash it belongs to.

    `start` is the line below its header, and `end` the one where the document ends at the latest.
    """
    digits = indicators.strip("+-")
    indent = column + int(digits) if digits else _detect_indent(lines[start:end], column)
    end_line = start
    while end_line < end and (not lines[end_line].strip(" ") or _depth(lines[end_line]) >= indent):
        end_line += 1
    if "+" not in indicators:
        while end_line > start and len(lines[end_line - 1]) <= indent and not lines[end_line - 1].strip(" "):
            end_line -= 1
    margin = " " * (int(digits) if digits else INDENT)
    return end_line, tuple(margin + line[indent:] if len(line) > indent else "" for line in lines[start:end_line])


def read_folded(lines: Sequence[str], node: Node) -> list[str]:
    """The lines of plain or quoted text, without indentation: what they are folded into has none."""
    start, end = node.start_mark, node.end_mark
    if start.line == end.line:
        return [lines[start.line][start.column : end.column]]
    between = [trim_line(line.lstrip(BLANKS)) for line in lines[start.line + 1 : end.line]]
    last = lines[end.line][: end.column].lstrip(BLANKS)
    return [trim_line(lines[start.line][start.column :]), *between, last]


def _detect_indent(lines: Sequence[str], column: int) -> int:
    """The indentation of a block text without an indicator for it: that of its first line that is not blank.

    Where there is none, it is as deep as the longest of the blank lines (YAML 1.2.2, section 8.1.1.1).
    """
    longest = 0
    for line in lines:
        if line.strip(" "):
            return max(_depth(line) if _depth(line) > column else longest, column + 1)
        longest = max(longest, len(line))
    return max(longest, column + 1)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


_DEEPER = " " * INDENT


class BlockReader:
    """Reads the mapping or list at the root of one document, from line `start` to the line before `end`."""

    def __init__(self, lines: Sequence[str], tokens: Tokens, start: int, end: int) -> None:
        self._cursor = LineCursor(lines, start, end)
        self._lines = lines
        self._tokens = tokens

    def read(self, root: CollectionNode) -> tuple[tuple[str, ...], Block]:
        """The comments at the top of the document, and its block. Raises `NotUnderstoodError`."""
        head = self._cursor.take_comments()
        self._expect_bare(root)
        block = self._read_block(root, outer=-1, begin=0)
        self._cursor.take_comments()
        if self._cursor.at < self._cursor.end:
            raise NotUnderstoodError
        return head, block

    def read_flow(self, root: CollectionNode) -> tuple[tuple[str, ...], Flow | None, list[str], tuple[str, ...]]:
        """The same of a root in brackets: comments, the root when it is on one line, its lines, and comments below."""
        head = self._cursor.take_comments()
        tokens = self._tokens.inside(root)
        start, end = root.start_mark, root.end_mark
        if start.line != self._cursor.at or start.index != tokens[0].start_mark.index:
            raise NotUnderstoodError
        flow = read_one_line(self._lines, tokens) if start.line == end.line else None
        texts = read_lines(self._lines, root, tokens) if flow is None else [str(flow)]
        comment = self._cursor.trailing_comment(end.line, end.column)
        self._cursor.at = end.line + 1
        tail = self._cursor.take_comments()
        if self._cursor.at < self._cursor.end:
            raise NotUnderstoodError
        return head, flow, [*texts[:-1], join_comment(texts[-1], comment)], tail

    def _read_block(self, node: CollectionNode, outer: int, begin: int) -> Block:
        """A block from the cursor on; `begin` is where its first line does, when that holds something else before."""
        entries = self._read_members(node, begin) if isinstance(node, MappingNode) else self._read_items(node, begin)
        tail, _ = self._cursor.take_deeper_comments(outer)
        return Block(tuple(entries), tail)

    def _read_members(self, node: MappingNode, begin: int) -> list[Entry]:
        entries: list[Entry] = []
        for key, value in node.value:
            head = self._cursor.take_comments()
            entries.append(self._read_member(key, value, head, 0 if entries else begin))
        return entries

    def _read_items(self, node: CollectionNode, begin: int) -> list[Entry]:
        column = -1
        entries: list[Entry] = []
        for item in node.value:
            head = self._cursor.take_comments()
            line = self._cursor.at
            if not entries:  # the node itself starts at its anchor, if there is one
                column = self._cursor.next_column(line, begin)
            self._cursor.expect_blank(line, 0 if entries else begin, column)
            if self._lines[line][column : column + 1] != "-":
                raise NotUnderstoodError
            entries.append(self._read_entry(Entry(None, head, "-"), item, column, column + 1))
        return entries

    def _read_member(self, key: Node, value: Node, head: tuple[str, ...], begin: int) -> Entry:
        line, start, end = self._cursor.at, key.start_mark, key.end_mark
        if not isinstance(key, ScalarNode) or start.line != line or end.line != line or start.column == end.column:
            raise NotUnderstoodError
        self._cursor.expect_blank(line, begin, start.column)
        text = self._lines[line]
        colon = COLON.match(text, end.column)
        if colon is None:
            raise NotUnderstoodError
        entry = Entry(key.value, head, f"{text[start.column : end.column]}:")
        return self._read_entry(entry, value, start.column, colon.end())

    def _read_entry(self, entry: Entry, value: Node, column: int, after: int) -> Entry:
        """An entry whose key or dash is in a column of the cursor's line and ends before another; passes all of it."""
        line, start = self._cursor.at, value.start_mark
        if (start.line, start.column) < (line, after):
            return self._read_alias(entry, column, after)
        if isinstance(value, CollectionNode) and not value.flow_style:
            return self._read_nested(entry, value, column, after)
        if isinstance(value, ScalarNode) and value.style in {"|", ">"}:
            return self._read_block_text(entry, value, column, after)
        if (start.line, start.column) == (value.end_mark.line, value.end_mark.column):
            return self._close_entry(entry, entry.opening, after, column)
        return self._read_inline(entry, value, column, after)

    def _read_alias(self, entry: Entry, column: int, after: int) -> Entry:
        """The composer gives the node that an alias stands for, so the alias itself is read from the line."""
        line = self._cursor.at
        match = ALIAS.match(self._lines[line], after)
        if match is not None:
            return self._close_entry(entry, f"{entry.opening} {match[1]}", match.end(), column)
        entry = entry._replace(comment=self._cursor.trailing_comment(line, after))
        self._cursor.at += 1
        above = [_DEEPER + text for text in self._cursor.take_comments() if text]
        line = self._cursor.at
        match = ALIAS.match(self._lines[line]) if line < self._cursor.end else None
        if match is None:
            raise NotUnderstoodError
        raw = join_comment(_DEEPER + match[1], self._cursor.trailing_comment(line, match.end()))
        self._cursor.at += 1
        below, _ = self._cursor.take_deeper_comments(column)
        return entry._replace(raw=(*above, raw), below=below)

    def _read_nested(self, entry: Entry, value: CollectionNode, column: int, after: int) -> Entry:
        line, start = self._cursor.at, value.start_mark
        if start.line == line and self._is_bare(value):
            self._cursor.expect_blank(line, after, start.column)
            return entry._replace(body=self._read_block(value, outer=column, begin=start.column))
        if start.line == line:
            self._cursor.expect_blank(line, after, start.column)
            match = PROPERTIES.match(self._lines[line], start.column)
            if match is None:
                raise NotUnderstoodError
            entry, after = _with_opening(entry, match.group()), match.end()
        else:
            self._expect_bare(value)
        comment = self._cursor.trailing_comment(line, after)
        self._cursor.at += 1
        return entry._replace(comment=comment, body=self._read_block(value, outer=column, begin=0))

    def _read_block_text(self, entry: Entry, value: ScalarNode, column: int, after: int) -> Entry:
        line, start = self._cursor.at, value.start_mark.column
        header = TEXT_HEADER.match(self._lines[line], start) if value.start_mark.line == line else None
        if header is None:
            raise NotUnderstoodError
        self._cursor.expect_blank(line, after, start)
        comment = self._cursor.trailing_comment(line, header.end())
        self._cursor.at, raw = read_block_text(self._lines, line + 1, self._cursor.end, column, header[1])
        return _with_opening(entry, header.group())._replace(comment=comment, raw=raw, keeps="+" in header[1])

    def _read_inline(self, entry: Entry, value: Node, column: int, after: int) -> Entry:
        line, start, end = self._cursor.at, value.start_mark, value.end_mark
        if start.line == end.line == line:
            self._cursor.expect_blank(line, after, start.column)
            text, flow = self._lines[line][start.column : end.column], None
            if isinstance(value, CollectionNode):
                tokens = self._tokens.inside(value)
                flow = read_one_line(self._lines, tokens)
                text = f"{text[: tokens[0].start_mark.column - start.column]}{flow}"
            return self._close_entry(entry._replace(flow=flow), f"{entry.opening} {text}", end.column, column)
        return self._read_over_lines(entry, value, column, after)

    def _read_over_lines(self, entry: Entry, value: Node, column: int, after: int) -> Entry:
        """A value that does not end on the line of its key; one that starts on a line of its own stays there."""
        line, start, end = self._cursor.at, value.start_mark, value.end_mark
        texts = self._read_texts(value)
        raw = [_DEEPER + text if text else "" for text in texts]
        if start.line == line:
            self._cursor.expect_blank(line, after, start.column)
            entry = _with_opening(entry, texts[0])
            raw.pop(0)
        else:
            entry = entry._replace(comment=self._cursor.trailing_comment(line, after))
            self._cursor.at += 1
            above = [_DEEPER + text for text in self._cursor.take_comments() if text]
            self._cursor.expect_blank(start.line, 0, start.column)
            raw = [*above, *raw]
        raw[-1] = join_comment(raw[-1], self._cursor.trailing_comment(end.line, end.column))
        self._cursor.at = end.line + 1
        below, _ = self._cursor.take_deeper_comments(column)
        return entry._replace(raw=tuple(raw), below=below, flow=self._read_flow_of(value))

    def _read_flow_of(self, value: Node) -> Flow | None:
        """A collection in brackets when it is on one line."""
        tokens = self._tokens.inside(value) if isinstance(value, CollectionNode) else []
        one_line = tokens and tokens[0].start_mark.line == value.end_mark.line
        return read_one_line(self._lines, tokens) if one_line else None

    def _read_texts(self, value: Node) -> list[str]:
        """The lines of a text, or of a collection in brackets with its anchor and tag before it."""
        if not isinstance(value, CollectionNode):
            return read_folded(self._lines, value)
        tokens = self._tokens.inside(value)
        start, opening = value.start_mark, tokens[0].start_mark
        if start.line != opening.line:
            raise NotUnderstoodError
        first, *others = read_lines(self._lines, value, tokens)
        return [f"{self._lines[start.line][start.column : opening.column]}{first}", *others]

    def _close_entry(self, entry: Entry, opening: str, after: int, column: int) -> Entry:
        """An entry of one line, with the deeper comments below it."""
        line = self._cursor.at
        comment = self._cursor.trailing_comment(line, after)
        self._cursor.at = line + 1
        below, columns = self._cursor.take_deeper_comments(column)
        aligned = bool(comment) and columns == {self._lines[line].rindex(comment)}
        return entry._replace(opening=opening, comment=comment, below=below, aligned=aligned)

    def _is_bare(self, node: CollectionNode) -> bool:
        """Whether a block starts with its first key or dash: without an anchor, a tag or a question mark."""
        start = node.start_mark
        if isinstance(node, MappingNode):
            first = node.value[0][0].start_mark
            return (first.line, first.column) == (start.line, start.column)
        return self._lines[start.line][start.column] == "-"

    def _expect_bare(self, node: CollectionNode) -> None:
        if not self._is_bare(node):
            raise NotUnderstoodError


def _with_opening(entry: Entry, text: str) -> Entry:
    return entry._replace(opening=f"{entry.opening} {text}")
