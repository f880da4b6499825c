"""The canonical text of a file that is YAML, document by document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from reconciler.decode.parser import parser_for
from reconciler.format.cursor import BLANKS, DOCUMENT_MARK
from reconciler.format.reading import BlockReader
from reconciler.format.tree import NotUnderstoodError
from reconciler.format.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.format.ordering import Order


@dataclass(frozen=True, slots=True)
class _Section:
    """The lines from a document mark (from the top, when there is none) to before the next, and the node in them."""

    mark: str | None
    start: int
    end: int
    root: Node | None

    @property
    def below(self) -> int:
        """The line below the mark."""
        return self.start if self.mark is None else self.start + 1


def lay_out(text: str, order: Order) -> str:
    """The canonical text for a text without carriage returns and byte order mark that ends its lines.

    It has to be YAML as `decode` takes it.
    """
    lines = text.split("\n")[:-1]
    writer = Writer()
    for section in _sections(lines, compose(text)):
        try:
            _write(section, lines, order, writer)
        except NotUnderstoodError:
            writer.verbatim(lines[section.start : section.end])
    return "".join(f"{line}\n" for line in writer.lines)


def compose(text: str) -> list[Node]:
    """The roots of all documents."""
    parser = parser_for(text.encode())
    nodes: list[Node] = []
    try:
        while parser.check_node():
            root = parser.get_node()
            assert root is not None
            nodes.append(root)
    finally:
        parser.dispose()
    return nodes


def _write(section: _Section, lines: Sequence[str], order: Order, writer: Writer) -> None:
    """Write a section, all of it or nothing."""
    root = section.root
    mark = _mark(section, lines)
    if root is None:
        comments = [_loose(line) for line in lines[section.below : section.end]]
        while comments and not comments[-1]:
            comments.pop()
        writer.begin(mark)
        writer.comments(comments, 0)
        return
    if not isinstance(root, CollectionNode) or root.flow_style:
        raise NotUnderstoodError
    head, block = BlockReader(lines, section.below, section.end).read(root)
    if not _has_alias(root, lines[section.start : section.end]):  # an alias has to come after its anchor
        block = order.arranged(block, _kind(root))
    writer.begin(mark)
    writer.document(head, block)


def _sections(lines: Sequence[str], roots: Sequence[Node]) -> Iterator[_Section]:
    marks = [line for line, text in enumerate(lines) if text.startswith(("-", ".")) and DOCUMENT_MARK.match(text)]
    ahead = [root for root in roots if not _is_nothing(root)]
    starts = marks if marks and marks[0] == 0 else [0, *marks]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        root = ahead.pop(0) if ahead and ahead[0].start_mark.line < end else None
        yield _Section(lines[start] if start in marks else None, start, end, root)


def _mark(section: _Section, lines: Sequence[str]) -> str | None:
    """The canonical line of a section's mark. Raises `NotUnderstoodError` when a value is on it."""
    if section.mark is None:
        return None
    mark, rest = section.mark[:3], section.mark[3:].strip(BLANKS)
    if rest and rest[0] != "#":
        raise NotUnderstoodError
    return f"{mark}  {rest}" if rest else mark


def _loose(line: str) -> str:
    """A line of a section without a value: a comment, a directive or a blank line."""
    text = line.strip(BLANKS)
    if text and text[0] not in "#%":
        raise NotUnderstoodError
    return text


def _is_nothing(node: Node) -> bool:
    """Whether a document holds no value, not even an anchor or a tag."""
    start, end = node.start_mark, node.end_mark
    return isinstance(node, ScalarNode) and (start.line, start.column) == (end.line, end.column)


def _kind(root: Node) -> str:
    """What a document says its kind is; empty when it does not."""
    if isinstance(root, MappingNode):
        for key, value in root.value:
            if isinstance(key, ScalarNode) and key.value == "kind" and isinstance(value, ScalarNode):
                return str(value.value)
    return ""


def _has_alias(root: Node, lines: Sequence[str]) -> bool:
    """Whether some node is there twice, which is how an alias is composed."""
    if not any("*" in line for line in lines):
        return False
    seen: set[int] = set()
    ahead = [root]
    for node in ahead:
        if id(node) in seen:
            return True
        seen.add(id(node))
        if isinstance(node, MappingNode):
            ahead.extend(part for entry in node.value for part in entry)
        elif isinstance(node, SequenceNode):
            ahead.extend(node.value)
    return False
