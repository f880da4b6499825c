"""Nodes and lines to blocks: the nodes say what is a value, and the lines are taken as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from reconciler.format import cursor
from reconciler.format.cursor import INDENT, Cursor
from reconciler.format.tree import Block, Entry, NotUnderstoodError
from reconciler.format.values import block_text, flow, folded, spaced

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEEPER = " " * INDENT


class BlockReader:
    """Reads the mapping or list at the root of one document, from line `start` to the line before `end`."""

    def __init__(self, lines: Sequence[str], start: int, end: int) -> None:
        self._cursor = Cursor(lines, start, end)
        self._lines = lines

    def read(self, root: CollectionNode) -> tuple[tuple[str, ...], Block]:
        """The comments at the top of the document, and its block. Raises `NotUnderstoodError`."""
        head = self._cursor.gap()
        self._expect_bare(root)
        block = self._block(root, outer=-1, begin=0)
        self._cursor.gap()
        if self._cursor.at < self._cursor.end:
            raise NotUnderstoodError
        return head, block

    def _block(self, node: CollectionNode, outer: int, begin: int) -> Block:
        """A block from the cursor on; `begin` is where its first line does, when that holds something else before."""
        entries = self._members(node, begin) if isinstance(node, MappingNode) else self._items(node, begin)
        tail, _ = self._cursor.deeper(outer)
        return Block(tuple(entries), tail)

    def _members(self, node: MappingNode, begin: int) -> list[Entry]:
        entries: list[Entry] = []
        for key, value in node.value:
            head = self._cursor.gap()
            entries.append(self._member(key, value, head, 0 if entries else begin))
        return entries

    def _items(self, node: CollectionNode, begin: int) -> list[Entry]:
        column = -1
        entries: list[Entry] = []
        for item in node.value:
            head = self._cursor.gap()
            line = self._cursor.at
            if not entries:  # the node itself starts at its anchor, if there is one
                column = self._cursor.next_column(line, begin)
            self._cursor.expect_blank(line, 0 if entries else begin, column)
            if self._lines[line][column : column + 1] != "-":
                raise NotUnderstoodError
            entries.append(self._entry(Entry(None, head, "-"), item, column, column + 1))
        return entries

    def _member(self, key: Node, value: Node, head: tuple[str, ...], begin: int) -> Entry:
        line, start, end = self._cursor.at, key.start_mark, key.end_mark
        if not isinstance(key, ScalarNode) or start.line != line or end.line != line or start.column == end.column:
            raise NotUnderstoodError
        self._cursor.expect_blank(line, begin, start.column)
        text = self._lines[line]
        colon = cursor.COLON.match(text, end.column)
        if colon is None:
            raise NotUnderstoodError
        opened = Entry(key.value, head, f"{text[start.column : end.column]}:")
        return self._entry(opened, value, start.column, colon.end())

    def _entry(self, opened: Entry, value: Node, column: int, after: int) -> Entry:
        """An entry whose key or dash is in a column of the cursor's line and ends before another; passes all of it."""
        line, start = self._cursor.at, value.start_mark
        if (start.line, start.column) < (line, after):
            return self._alias(opened, column, after)
        if isinstance(value, CollectionNode) and not value.flow_style:
            return self._nested(opened, value, column, after)
        if isinstance(value, ScalarNode) and value.style in {"|", ">"}:
            return self._block_text(opened, value, column, after)
        if (start.line, start.column) == (value.end_mark.line, value.end_mark.column):
            return self._closed(opened, opened.opening, after, column)
        return self._inline(opened, value, column, after)

    def _alias(self, opened: Entry, column: int, after: int) -> Entry:
        """The composer gives the node that an alias stands for, so the alias itself is read from the line."""
        found = cursor.ALIAS.match(self._lines[self._cursor.at], after)
        if found is None:
            raise NotUnderstoodError
        return self._closed(opened, f"{opened.opening} {found[1]}", found.end(), column)

    def _nested(self, opened: Entry, value: CollectionNode, column: int, after: int) -> Entry:
        line, start = self._cursor.at, value.start_mark
        if start.line == line and self._is_bare(value):
            self._cursor.expect_blank(line, after, start.column)
            return opened._replace(body=self._block(value, outer=column, begin=start.column))
        if start.line == line:
            self._cursor.expect_blank(line, after, start.column)
            found = cursor.PROPERTIES.match(self._lines[line], start.column)
            if found is None:
                raise NotUnderstoodError
            opened, after = _with(opened, found.group()), found.end()
        else:
            self._expect_bare(value)
        comment = self._cursor.rest(line, after)
        self._cursor.at += 1
        return opened._replace(comment=comment, body=self._block(value, outer=column, begin=0))

    def _block_text(self, opened: Entry, value: ScalarNode, column: int, after: int) -> Entry:
        line, start = self._cursor.at, value.start_mark.column
        header = cursor.TEXT_HEADER.match(self._lines[line], start) if value.start_mark.line == line else None
        if header is None:
            raise NotUnderstoodError
        self._cursor.expect_blank(line, after, start)
        comment = self._cursor.rest(line, header.end())
        self._cursor.at, raw = block_text(self._lines, line + 1, self._cursor.end, column, header[1])
        return _with(opened, header.group())._replace(comment=comment, raw=raw, keeps="+" in header[1])

    def _inline(self, opened: Entry, value: Node, column: int, after: int) -> Entry:
        """A scalar, or a collection in brackets."""
        line, start, end = self._cursor.at, value.start_mark, value.end_mark
        if start.line == end.line == line:
            self._cursor.expect_blank(line, after, start.column)
            text = self._lines[line][start.column : end.column]
            return self._closed(opened, f"{opened.opening} {text}", end.column, column)
        return self._over_lines(opened, value, column, after)

    def _over_lines(self, opened: Entry, value: Node, column: int, after: int) -> Entry:
        """A value that does not end on the line of its key; one that starts on a line of its own stays there."""
        line, start, end = self._cursor.at, value.start_mark, value.end_mark
        texts = flow(self._lines, value) if isinstance(value, CollectionNode) else folded(self._lines, value)
        raw = [_DEEPER + text if text else "" for text in texts]
        if start.line == line:
            self._cursor.expect_blank(line, after, start.column)
            opened = _with(opened, texts[0])
            raw.pop(0)
        else:
            opened = opened._replace(comment=self._cursor.rest(line, after))
            self._cursor.at += 1
            above = [_DEEPER + text for text in self._cursor.gap() if text]
            self._cursor.expect_blank(start.line, 0, start.column)
            raw = [*above, *raw]
        raw[-1] = spaced(raw[-1], self._cursor.rest(end.line, end.column))
        self._cursor.at = end.line + 1
        below, _ = self._cursor.deeper(column)
        return opened._replace(raw=tuple(raw), below=below)

    def _closed(self, opened: Entry, opening: str, after: int, column: int) -> Entry:
        """An entry of one line, with the comments below it that go on about it."""
        line = self._cursor.at
        comment = self._cursor.rest(line, after)
        self._cursor.at = line + 1
        below, columns = self._cursor.deeper(column)
        aligned = bool(comment) and columns == {self._lines[line].rindex(comment)}
        return Entry(opened.key, opened.head, opening, comment, below=below, aligned=aligned)

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


def _with(entry: Entry, text: str) -> Entry:
    return entry._replace(opening=f"{entry.opening} {text}")
