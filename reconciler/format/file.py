"""The way from a file's bytes to its canonical bytes, with proof that they say the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.decode.document import decode
from reconciler.errors import BugError
from reconciler.format.cursor import TEXT_HEADER
from reconciler.format.layout import compose, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.format.ordering import Order
    from reconciler.model.problem import Problem
    from reconciler.model.resource import Decoded

UNREADABLE_CODES = frozenset({"yaml-syntax", "unsafe-yaml"})
"""What decoding says about a file that means different things to different readers, or nothing: it stays as it is."""


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file and its canonical bytes; with `problems` it cannot be read as YAML, and `after` is `before`."""

    path: str
    before: bytes
    after: bytes
    problems: tuple[Problem, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the file is not canonical."""
        return self.before != self.after


def format_file(path: str, data: bytes, order: Order) -> Formatted:
    """The canonical form of a file.

    Raises `BugError` when that would not say the same as the file: whatever the reason, it is one of this program,
    and nothing that the person who wrote the file could mend.
    """
    decoded = decode(path, data)
    if any(problem.code in UNREADABLE_CODES for problem in decoded.problems):
        return Formatted(path, data, data, decoded.problems)
    text = _completed(path, data, decoded)
    formatted = lay_out(text, order)
    after = formatted.encode()
    if after != data and not (_has_same_ink(text, formatted) and _say_the_same(decoded, decode(path, after))):
        raise _unsafe(path)
    return Formatted(path, data, after)


def _completed(path: str, data: bytes, decoded: Decoded) -> str:
    """The text with LF at the end of each line, also the last, and without a byte order mark.

    A block text at the end of a file without a last line end has none in its value either: there the indicator `-`
    has to say so.
    """
    text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    if not text or text.endswith("\n"):
        return text
    for candidate in (f"{text}\n", text.rstrip(" "), _stripped_at_end(text)):
        if candidate.endswith("\n") and _say_the_same(decoded, decode(path, candidate.encode())):
            return candidate
    raise _unsafe(path)


def _stripped_at_end(text: str) -> str:
    """The text with a line end, which the last block text is told not to count."""
    scalars = [node for root in compose(text) for node in _scalars(root) if node.style in {"|", ">"}]
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


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)


def _has_same_ink(one: str, other: str) -> bool:
    """Whether two texts have the same characters, but for white space and order: no comment got lost."""
    return sorted("".join(one.split())) == sorted("".join(other.split()))


def _say_the_same(one: Decoded, other: Decoded) -> bool:
    """Whether two decoded files have the same values and the same problems, wherever these stand."""
    return _meaning(one) == _meaning(other)


def _meaning(decoded: Decoded) -> tuple[list[str], list[dict[str, str]], list[tuple[str, str]]]:
    values = [json.dumps(document.value, sort_keys=True) for document in decoded.documents]  # 1, 1.0 and true differ
    ambiguous = [dict(document.ambiguous) for document in decoded.documents]
    return values, ambiguous, sorted((problem.code, problem.pointer) for problem in decoded.problems)


def _unsafe(path: str) -> BugError:
    return BugError(
        f"{path} stays as it is: formatting it would change what it says",
        hint="this is a bug: report it with that file; the other files are not affected",
    )
