"""A way down the lines of a document: what stands between its values is blank lines and comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconciler.format.tree import NotUnderstoodError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLANKS = " \t"
"""The white space of YAML: a no-break space is text."""
INDENT = 2

_LOOSE = frozenset({"", "#"})
"""How a line begins that is blank or a comment."""
_NO_COMMENTS: tuple[tuple[str, ...], frozenset[int]] = ((), frozenset())

DOCUMENT_MARK = re.compile(r"(---|\.\.\.)(?=[ \t]|$)")
PROPERTIES = re.compile(r"[&!][^ \t]*(?:[ \t]+[&!][^ \t]*)*")
"""An anchor, a tag, or both."""
ALIAS = re.compile(r"[ \t]*(\*[^ \t,\[\]{}]+)")
COLON = re.compile(r"[ \t]*:(?=[ \t]|$)")
TEXT_HEADER = re.compile(rf"(?:{PROPERTIES.pattern}[ \t]+)?[|>]([-+0-9]*)(?=[ \t]|$)")
"""The first line of a block text and its indicators."""


class Cursor:
    """Stands on the line `at` of the lines of a file, and goes no further than `end`."""

    def __init__(self, lines: Sequence[str], at: int, end: int) -> None:
        self.lines = lines
        self.at = at
        self.end = end

    def gap(self) -> tuple[str, ...]:
        """Pass the comments and blank lines before the next value."""
        found = []
        while self.at < self.end:
            text = self.lines[self.at].strip(BLANKS)
            if text and text[0] != "#":
                break
            found.append(text)
            self.at += 1
        return tuple(found)

    def deeper(self, column: int) -> tuple[tuple[str, ...], frozenset[int]]:
        """Pass the comments that are indented deeper than a column, up to the first that is not; with their columns."""
        if self.at < self.end and self.lines[self.at].lstrip(BLANKS)[:1] not in _LOOSE:
            return _NO_COMMENTS
        found: list[str] = []
        columns: set[int] = set()
        for text in self._comments_deeper_than(column):
            stripped = text.strip(BLANKS)
            found.append(stripped)
            if stripped:
                columns.add(len(text) - len(text.lstrip(BLANKS)))
        while found and not found[-1]:
            found.pop()
        self.at += len(found)
        return tuple(found), frozenset(columns)

    def rest(self, line: int, column: int) -> str:
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

    def _comments_deeper_than(self, column: int) -> Iterator[str]:
        for line in range(self.at, self.end):
            text = self.lines[line]
            stripped = text.lstrip(BLANKS)
            if stripped and (stripped[0] != "#" or len(text) - len(stripped) <= column):
                return
            yield text
