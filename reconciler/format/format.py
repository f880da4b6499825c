"""From a file's bytes to its canonical bytes, with proof that they say the same.

Two spaces for each level, lists too, never two blank lines in a row; keys in the order of the kind's schema. Line ends
stay.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from reconciler.decode.document import decode, make_parser
from reconciler.decode.pairs import swap_pairs
from reconciler.errors import BugError
from reconciler.format.flow import BLANKS, INDENT, Tokens, join_comment
from reconciler.format.read import DOCUMENT_MARK, TEXT_HEADER, BlockReader, NotUnderstoodError
from reconciler.kinds.kind import child
from reconciler.validate.finding import field_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.format.flow import Flow
    from reconciler.format.read import Block, Entry
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Decoded
    from reconciler.model.problem import Problem


_ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
_METADATA = ("name", "labels", "annotations", "refs")
_SPEC = "/spec"


@dataclass(frozen=True)
class KeyOrder:
    """The order of keys by kind. `others` are schemas of documents that are no resources, by their kind's word."""

    kinds: Kinds
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _ranks: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict, repr=False, compare=False)

    def arrange(self, block: Block, kind: str) -> Block:
        """A document with its keys in order; keys that no schema lists keep their order after them."""
        return self._arrange(block, kind, "")

    def _arrange(self, block: Block, kind: str, pointer: str) -> Block:
        ranks = self.ranks_at(kind, pointer)
        entries = [self._arrange_entry(entry, kind, pointer) for entry in block.entries]
        if ranks:
            entries.sort(key=lambda entry: ranks.get(entry.key or "", len(ranks)))
        return block._replace(entries=tuple(entries))

    def _arrange_entry(self, entry: Entry, kind: str, pointer: str) -> Entry:
        below = child(pointer, entry.key or 0)
        if entry.flow is not None:
            before, after = str(entry.flow), str(self.arrange_flow(entry.flow, kind, below))
            if entry.raw:
                return entry._replace(raw=(*entry.raw[:-1], entry.raw[-1].replace(before, after, 1)))
            return entry._replace(opening=entry.opening.removesuffix(before) + after)
        return entry if entry.body is None else entry._replace(body=self._arrange(entry.body, kind, below))

    def arrange_flow(self, flow: Flow, kind: str, pointer: str) -> Flow:
        """A collection in brackets at a pointer with its keys in order."""
        return flow.arrange(lambda below: self.ranks_at(kind, below), pointer)

    def ranks_at(self, kind: str, pointer: str) -> Mapping[str, int]:
        """The place of each key of the mapping at a pointer; none for those that no schema lists."""
        ranks = self._ranks.get((kind, pointer))
        if ranks is None:
            names = self._names(kind, pointer)
            ranks = self._ranks[kind, pointer] = {name: rank for rank, name in enumerate(names)}
        return ranks

    def _names(self, kind: str, pointer: str) -> tuple[str, ...]:
        if not pointer:
            return _ENVELOPE
        if not pointer.startswith(_SPEC):
            return _METADATA if pointer == "/metadata" else ()
        known_kind = self.kinds.by_name.get(kind)
        if known_kind is not None and pointer == _SPEC:
            return tuple(column.name for column in known_kind.columns)
        schema = known_kind.schema if known_kind is not None else self.others.get(kind)
        return tuple(field_at(schema, pointer).get("properties", ())) if schema is not None else ()


class Writer:
    """Collects the lines of a file in `lines`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._may_break = False
        """Whether a blank line may come next: not where a block begins, and not where it would count as text."""

    def write_document(self, head: Iterable[str], block: Block) -> None:
        self.write_comments(head, 0)
        self._write_block(_lift_comments(block), 0)

    def write_comments(self, comments: Iterable[str], indent: int) -> None:
        for comment in comments:
            if comment:
                self._write_line(" " * indent + comment)
            elif self._may_break:
                self._write_line("", may_break=False)

    def begin_document(self, mark: str | None) -> None:
        """Begin a document, with its separator line if it has one."""
        self.write_verbatim(() if mark is None else (mark,))

    def write_verbatim(self, lines: Iterable[str]) -> None:
        self.lines.extend(lines)
        self._may_break = False

    def write_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._write_line(line)

    def _write_block(self, block: Block, indent: int) -> None:
        for entry in block.entries:
            self._write_entry(entry, indent)
        self.write_comments(block.tail, indent)

    def _write_entry(self, entry: Entry, indent: int) -> None:
        self.write_comments(entry.head, indent)
        if entry.body is not None and _is_compact(entry):
            first = len(self.lines)
            self._write_block(entry.body, indent + INDENT)
            self.lines[first] = f"{' ' * indent}- {self.lines[first][indent + INDENT :]}"
            return
        self._write_line(" " * indent + join_comment(entry.opening, entry.comment), may_break=entry.body is None)
        self.lines.extend(" " * indent + line if line else "" for line in entry.raw)
        if entry.body is not None:
            self._write_block(entry.body, indent + INDENT)
        self._may_break = self._may_break and not entry.keeps
        self.write_comments(entry.below, indent + (len(entry.opening) + INDENT if entry.aligned else INDENT))

    def _write_line(self, text: str, *, may_break: bool = True) -> None:
        self.lines.append(text)
        self._may_break = may_break


def _is_compact(entry: Entry) -> bool:
    """Whether the first line of the body is on the dash's line."""
    return entry.opening == "-" and not entry.comment


def _lift_comments(block: Block) -> Block:
    """The block with comments between a dash and its value moved above the dash."""
    return block._replace(entries=tuple(_lift_entry(entry) for entry in block.entries))


def _lift_entry(entry: Entry) -> Entry:
    if entry.body is None:
        return entry
    body = _lift_comments(entry.body)
    if not _is_compact(entry):
        return entry._replace(body=body)
    first, *others = body.entries
    body = body._replace(entries=(first._replace(head=()), *others))
    return entry._replace(head=(*entry.head, *first.head), body=body)


class _Section(Struct, frozen=True):
    """The lines from a document mark (from the top, when there is none) to before the next, and the node in them."""

    mark: str | None
    start: int
    end: int
    root: Node | None

    @property
    def below(self) -> int:
        return self.start if self.mark is None else self.start + 1


def format_text(text: str, order: KeyOrder) -> str:
    """The canonical text for a text without carriage returns and byte order mark that ends its lines.

    It has to be YAML as `decode` takes it.
    """
    lines = text.split("\n")[:-1]
    writer = Writer()
    tokens = Tokens(text)
    for section in _sections(lines, compose_nodes(text)):
        try:
            _write_section(section, lines, tokens, order, writer)
        except NotUnderstoodError:
            writer.write_verbatim(lines[section.start : section.end])
    return "".join(f"{line}\n" for line in writer.lines)


def compose_nodes(text: str) -> list[Node]:
    parser = make_parser(swap_pairs(text.encode())[0])
    nodes: list[Node] = []
    try:
        while parser.check_node():
            root = parser.get_node()
            assert root is not None
            nodes.append(root)
    finally:
        parser.dispose()
    return nodes


def _write_section(section: _Section, lines: Sequence[str], tokens: Tokens, order: KeyOrder, writer: Writer) -> None:
    """Write a section, all of it or nothing."""
    root = section.root
    mark = _canonical_mark(section, lines)
    if root is None:
        comments = _strip_end([_loose_line(line) for line in lines[section.below : section.end]])
        writer.begin_document(mark)
        writer.write_comments(comments, 0)
        return
    if not isinstance(root, CollectionNode):
        raise NotUnderstoodError
    reader = BlockReader(lines, tokens, section.below, section.end)
    may_move = not _has_alias(root, lines[section.start : section.end])  # an alias has to come after its anchor
    if root.flow_style:
        head, flow, texts, tail = reader.read_flow(root)
        if flow is not None and may_move:
            texts = [texts[0].replace(str(flow), str(order.arrange_flow(flow, kind_of(root), "")), 1)]
        writer.begin_document(mark)
        writer.write_comments(head, 0)
        writer.write_lines(texts)
        writer.write_comments(_strip_end(tail), 0)
        return
    head, block = reader.read(root)
    writer.begin_document(mark)
    writer.write_document(head, order.arrange(block, kind_of(root)) if may_move else block)


def _strip_end(comments: Sequence[str]) -> Sequence[str]:
    """Comments without the blank lines at their end."""
    end = len(comments)
    while end and not comments[end - 1]:
        end -= 1
    return comments[:end]


def _sections(lines: Sequence[str], roots: Sequence[Node]) -> Iterator[_Section]:
    marks = [line for line, text in enumerate(lines) if text.startswith(("-", ".")) and DOCUMENT_MARK.match(text)]
    pending = [root for root in roots if not _is_nothing(root)]
    starts = marks if marks and marks[0] == 0 else [0, *marks]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        root = pending.pop(0) if pending and pending[0].start_mark.line < end else None
        yield _Section(lines[start] if start in marks else None, start, end, root)


def _canonical_mark(section: _Section, lines: Sequence[str]) -> str | None:
    """The canonical line of a section's mark. Raises `NotUnderstoodError` when a value is on it."""
    if section.mark is None:
        return None
    mark, comment = section.mark[:3], section.mark[3:].strip(BLANKS)
    if comment and comment[0] != "#":
        raise NotUnderstoodError
    return f"{mark}  {comment}" if comment else mark


def _loose_line(line: str) -> str:
    """A line of a section without a value: a comment, a directive or a blank line."""
    text = line.strip(BLANKS)
    if text and text[0] not in "#%":
        raise NotUnderstoodError
    return text


def _is_nothing(node: Node) -> bool:
    """Whether a document holds no value, not even an anchor or a tag."""
    start, end = node.start_mark, node.end_mark
    return isinstance(node, ScalarNode) and (start.line, start.column) == (end.line, end.column)


def kind_of(root: Node) -> str:
    """What a document says its kind is; empty when it does not."""
    if isinstance(root, MappingNode):
        for key, value in root.value:
            if isinstance(key, ScalarNode) and key.value == "kind" and isinstance(value, ScalarNode):
                return str(value.value)
    return ""


def _has_alias(root: Node, lines: Sequence[str]) -> bool:
    """Whether some node occurs twice: an alias is composed as the node it stands for."""
    if not any("*" in line for line in lines):
        return False
    seen: set[int] = set()
    pending = [root]
    for node in pending:
        if id(node) in seen:
            return True
        seen.add(id(node))
        if isinstance(node, MappingNode):
            pending.extend(part for entry in node.value for part in entry)
        elif isinstance(node, SequenceNode):
            pending.extend(node.value)
    return False


UNREADABLE_CODES = frozenset({"yaml-syntax", "unsafe-yaml"})
"""Codes of problems with which a file stays as it is: readers disagree on what it means, or cannot read it."""


class Formatted(Struct, frozen=True):
    """A file and its canonical bytes; with `problems` it cannot be read as YAML, and `after` is `before`."""

    path: str
    before: bytes
    after: bytes
    problems: tuple[Problem, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the file is not canonical."""
        return self.before != self.after


def format_file(path: str, data: bytes, order: KeyOrder) -> Formatted:
    """The canonical form of a file.

    Raises `BugError` when that would not say the same as the file: whatever the reason, it is one of this program,
    and nothing that the person who wrote the file could mend.
    """
    decoded = decode(path, data)
    if any(problem.code in UNREADABLE_CODES for problem in decoded.problems):
        return Formatted(path, data, data, decoded.problems)
    text = _complete(path, data, decoded)
    formatted = format_text(text, order)
    after = formatted.encode()
    if _has_windows_ends(data):
        after = after.replace(b"\n", b"\r\n")
    if after != data and not (_has_same_ink(text, formatted) and _mean_the_same(decoded, decode(path, after))):
        raise _unsafe_error(path)
    return Formatted(path, data, after)


def _has_windows_ends(data: bytes) -> bool:
    """Whether all lines end in CRLF, as git writes them where it is told so: line ends are git's business."""
    return 0 < data.count(b"\n") == data.count(b"\r\n")


def _complete(path: str, data: bytes, decoded: Decoded) -> str:
    """The text with LF at the end of each line, also the last, and without a byte order mark.

    A block text at the end of a file without a last line end has none in its value either: there the indicator `-`
    has to say so.
    """
    text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    if not text or text.endswith("\n"):
        return text
    for candidate in (f"{text}\n", text.rstrip(" "), _strip_at_end(text)):
        if candidate.endswith("\n") and _mean_the_same(decoded, decode(path, candidate.encode())):
            return candidate
    raise _unsafe_error(path)


def _strip_at_end(text: str) -> str:
    """The text with a line end that the last block text strips."""
    scalars = [node for root in compose_nodes(text) for node in _iter_scalars(root) if node.style in {"|", ">"}]
    if not scalars:
        return text
    start = max((node.start_mark.line, node.start_mark.column) for node in scalars)
    lines = text.split("\n")
    line, column = start
    header = TEXT_HEADER.match(lines[line], column)
    if header is None:
        return text
    indicators = header[1].replace("+", "") + "-"
    lines[line] = f"{lines[line][: header.start(1)]}{indicators}{lines[line][header.end(1) :]}"
    return "\n".join([*lines, ""])


def _iter_scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _iter_scalars(item)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _iter_scalars(key)
            yield from _iter_scalars(value)


def _has_same_ink(one: str, other: str) -> bool:
    """Whether two texts have the same characters, except for white space and order: no comment got lost."""
    return sorted("".join(one.split())) == sorted("".join(other.split()))


def _mean_the_same(one: Decoded, other: Decoded) -> bool:
    """Whether two decoded files have the same values and the same problems, wherever these stand."""
    return _meaning(one) == _meaning(other)


def _meaning(decoded: Decoded) -> tuple[list[str], list[dict[str, str]], list[tuple[str, str]]]:
    values = [json.dumps(document.value, sort_keys=True) for document in decoded.documents]  # 1, 1.0 and true differ
    ambiguous = [dict(document.ambiguous) for document in decoded.documents]
    return values, ambiguous, sorted((problem.code, problem.pointer) for problem in decoded.problems)


def _unsafe_error(path: str) -> BugError:
    return BugError(
        f"{path} stays as it is: formatting it would change what it says",
        hint="this is a bug: report it with that file; the other files are not affected",
    )
