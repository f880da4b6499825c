"""Values that take several lines: their lines again, indented from where their key or dash stands.

What a line break and the white space around it stand for differs: in a block text all that is right of its
indentation counts, in quoted and plain text lines are folded (YAML 1.2.2, sections 6.5 and 8.1), and between the
members of [ ] and { } nothing counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.format.cursor import BLANKS, INDENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CLOSING = re.compile(r"[ \t\]}]*")


def block_text(lines: Sequence[str], start: int, end: int, column: int, indicators: str) -> tuple[int, tuple[str, ...]]:
    """The line after a block text, and its lines; `column` is that of the key or dash it belongs to.

    `start` is the line below its header, and `end` the one where the document ends at the latest.
    """
    digits = indicators.strip("+-")
    indent = column + int(digits) if digits else _detected(lines, start, end, column)
    after = start
    while after < end and (not lines[after].strip(" ") or _depth(lines[after]) >= indent):
        after += 1
    if "+" not in indicators:
        while after > start and len(lines[after - 1]) <= indent and not lines[after - 1].strip(" "):
            after -= 1
    margin = " " * (int(digits) if digits else INDENT)
    return after, tuple(margin + line[indent:] if len(line) > indent else "" for line in lines[start:after])


def folded(lines: Sequence[str], node: Node) -> list[str]:
    """The lines of plain or quoted text, without indentation: what they are folded into has none."""
    start, end = node.start_mark, node.end_mark
    if start.line == end.line:
        return [lines[start.line][start.column : end.column]]
    between = [_trimmed(line.lstrip(BLANKS)) for line in lines[start.line + 1 : end.line]]
    last = lines[end.line][: end.column].lstrip(BLANKS)
    return [_trimmed(lines[start.line][start.column :]), *between, last]


def flow(lines: Sequence[str], node: Node) -> list[str]:
    """The lines of a collection in brackets up to the closing one, indented by how deep inside of it they are."""
    start, end = node.start_mark, node.end_mark
    shape = _Shape()
    shape.add(node, (start.line, start.column))
    texts = [lines[start.line][start.column :], *lines[start.line + 1 : end.line], lines[end.line][: end.column]]
    if start.line == end.line:
        return [lines[start.line][start.column : end.column]]
    found: list[str] = []
    for line, text in enumerate(texts, start.line):
        offset = start.column if line == start.line else 0
        depth = 0 if line == start.line else shape.depth(line, text)
        code = shape.spaced(line, text, offset)
        if code or line in shape.begins_inside or found[-1]:
            found.append(" " * (INDENT * depth) + code if code else "")
    return found


def spaced(code: str, comment: str) -> str:
    """A line with its trailing comment, two spaces apart."""
    return f"{code}  {comment}" if code and comment else code or comment


@dataclass(slots=True)
class _Shape:
    """Where the scalars and brackets of a collection begin and end."""

    brackets: list[tuple[int, int, int]] = field(default_factory=list)
    """First line, last line, and the column after the closing bracket."""
    ends: dict[int, int] = field(default_factory=dict)
    """The column after the last scalar that ends on a line."""
    begins_inside: set[int] = field(default_factory=set)
    """Lines whose beginning is inside a scalar."""
    seen: set[int] = field(default_factory=set)

    def add(self, node: Node, start: tuple[int, int]) -> None:
        """Note a node and what is in it; what an alias stands for may be elsewhere in the file."""
        first, last = node.start_mark, node.end_mark
        if id(node) in self.seen or (first.line, first.column) < start:
            return
        self.seen.add(id(node))
        if isinstance(node, ScalarNode):
            self.ends[last.line] = max(last.column, self.ends.get(last.line, 0))
            self.begins_inside.update(range(first.line + 1, last.line + 1))
            return
        self.brackets.append((first.line, last.line, last.column))
        for part in _parts(node):
            self.add(part, start)

    def depth(self, line: int, text: str) -> int:
        """How deep a line is inside brackets: those that open on one line count once, those it closes first do not."""
        closing = _CLOSING.match(text)
        closed = closing.end() if closing and line not in self.begins_inside else 0
        around = {
            first for first, last, after in self.brackets if first < line <= last and (last, after) > (line, closed)
        }
        return len(around) + (line in self.begins_inside)

    def spaced(self, line: int, text: str, offset: int) -> str:
        """A line without indentation, its comment two spaces apart; `offset` is the column where the text begins."""
        if line + 1 in self.begins_inside:
            return _trimmed(text.lstrip(BLANKS))
        mark = text.find("#", max(self.ends.get(line, 0) - offset, 0))
        if mark < 0:
            return text.strip(BLANKS)
        return spaced(text[:mark].strip(BLANKS), text[mark:].rstrip(BLANKS))


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for entry in node.value:
            yield from entry
    elif isinstance(node, SequenceNode):
        yield from node.value


def _trimmed(text: str) -> str:
    r"""Without the blanks at the end, unless a backslash is before them: in double quotes `\ ` is a space."""
    trimmed = text.rstrip(BLANKS)
    return text if trimmed.endswith("\\") else trimmed


def _detected(lines: Sequence[str], start: int, end: int, column: int) -> int:
    """The indentation of a block text without an indicator for it: that of its first line."""
    depth = next((_depth(line) for line in lines[start:end] if line.strip(" ")), 0)
    return max(depth, column + 1)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
