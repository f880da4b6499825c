"""Nodes to plain values: every problem is noted and building goes on, so that one never hides another.

A plain scalar means what the core schema of YAML 1.2.2 (section 10.3.2) says, unless YAML 1.1 would differ.
"""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from reconciler.decode import errors
from reconciler.decode.errors import NODE_WEIGHT
from reconciler.decode.marks import Marks
from reconciler.decode.pairs import join_pairs
from reconciler.kinds.kind import child
from reconciler.model.change import Document
from reconciler.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.canonical import Value
    from reconciler.decode.errors import Words


class OddScalar(Enum):
    """Why a plain scalar is not a value that all YAML readers agree on."""

    AMBIGUOUS = "YAML 1.1 and YAML 1.2 readers take it for different things"
    NOT_FINITE = "a number that is infinite, not a number at all or beyond what a double holds"


MAX_NUMBER_LENGTH = 1_000
"""Characters of the longest number: a double ends at 309 digits, and whatever is longer stays text."""

_WORDS: dict[str, bool | OddScalar | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    # Booleans to YAML 1.1 only: https://yaml.org/type/bool.html
    **{
        word: OddScalar.AMBIGUOUS
        for base in ("y", "n", "yes", "no", "on", "off")
        for word in (base, base.capitalize(), base.upper())
    },
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGERS = frozenset({"integer", "hexadecimal"})

# The order matters: what is left for `ambiguous` is what no alternative before it takes. It holds the numbers of
# https://yaml.org/type/int.html and float.html in base 8, 2 and 60, with underscores and with a signed base 16,
# and of YAML 1.2 the 0o17 and the exponents that want a point and a sign in YAML 1.1.
_NUMBER = re.compile(
    r"""(?P<integer>[-+]?(?:0|[1-9][0-9]*))
    | (?P<decimal>[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+][0-9]+)?)
    | (?P<exponent>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+)
    | (?P<hexadecimal>0x[0-9a-fA-F]+)
    | (?P<special>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))
    | (?P<ambiguous>
        [-+]?[0-9][0-9_]*
        | [-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?
        | 0o[0-7]+
        | [-+]?0b[01_]+
        | [-+]?0x[0-9a-fA-F_]+
        | [-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+
        | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
      )""",
    re.VERBOSE,
)


def resolve_scalar(text: str) -> Value | OddScalar:
    """The meaning of a plain (unquoted) scalar. Dates are text: the core schema knows none."""
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMBER_STARTS else text


def parse_number(text: str) -> float | None:
    """The finite number that a text is in YAML or JSON; None for any other text, also where YAML readers disagree."""
    value = resolve_scalar(text)
    if value is OddScalar.AMBIGUOUS:
        value = _read_ambiguous(text)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _number(text: str) -> Value | OddScalar:
    """The meaning of what starts like a number, which need not be one: `2026-01-01`, `-`, `1:500`."""
    match = _NUMBER.fullmatch(text) if len(text) <= MAX_NUMBER_LENGTH else None
    if match is None:
        return text
    form = match.lastgroup
    if form == "ambiguous":
        return OddScalar.AMBIGUOUS
    if form == "special":
        return OddScalar.NOT_FINITE
    number = int(text, 16 if form == "hexadecimal" else 10) if form in _INTEGERS else float(text)
    if not _is_finite(number):
        return OddScalar.NOT_FINITE
    return OddScalar.AMBIGUOUS if form == "exponent" else number


def _read_ambiguous(text: str) -> float | str:
    """What an ambiguous scalar counts as: a number that JSON has too is one, any other is its text."""
    match = _NUMBER.fullmatch(text)
    return float(text) if match is not None and match.lastgroup == "exponent" else text


def _is_finite(number: float) -> bool:
    """Whether the double is finite: what is stored in the end is a double or smaller."""
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the largest double
        return False


def weigh_node(root: Node) -> int:
    """The weight of everything below a node, each alias counted as the whole that it stands for.

    Each node is visited once: an alias refers to something further up in the text, which has its weight by then,
    or to what it is itself inside of, which counts as nothing here and is refused elsewhere.
    """
    return _weigh_known(root, {})


def _weigh_known(node: Node, weights: dict[int, int]) -> int:
    weight = weights.get(id(node))
    if weight is None:
        weights[id(node)] = 0
        content = (
            len(node.value)
            if isinstance(node, ScalarNode)
            else sum(_weigh_known(part, weights) for part in _iter_parts(node))
        )
        weight = weights[id(node)] = NODE_WEIGHT + content
    return weight


def _iter_parts(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for entry in node.value:
            yield from entry
    elif isinstance(node, SequenceNode):
        yield from node.value


_HARMLESS_TAGS = {
    "tag:yaml.org,2002:str": ScalarNode,
    "tag:yaml.org,2002:map": MappingNode,
    "tag:yaml.org,2002:seq": SequenceNode,
}

MERGE = "<<"
_QUOTES = frozenset("'\"")


class Builder:
    """Builds the documents of one file of so many bytes. `problems` collects what is wrong in all of them.

    `may_alias` says that the file could hold aliases, whose expansion then has to be weighed before it is built.
    `spans_lines` tells of a text in quotes or a flow collection over several lines below a block collection. `pairs` is
    what stands for the surrogates of the text that is read, see `swap_pairs`.
    """

    def __init__(self, path: str, size: int, *, may_alias: bool) -> None:
        self.problems: list[Problem] = []
        self.spans_lines = False
        self.pairs: int | None = None
        self._path = path
        self._may_alias = may_alias
        self._size = None if may_alias else size + 1  # `?` is a mapping, and nothing as the value of nothing
        self._weight = 0
        self._open: set[int] = set()
        self._ambiguous: dict[str, str] = {}
        self._told = 0

    def document(self, root: Node) -> Document:
        """The document of a root node. Raises `LimitExceededError`."""
        if self._may_alias:
            self._weight += weigh_node(root)
            if self._weight > errors.MAX_WEIGHT:
                raise errors.too_expanded(root)
        self._open.clear()
        self._ambiguous = {}
        spans_lines = self.spans_lines
        value = self._value(root, "", None)
        if isinstance(root, CollectionNode) and root.flow_style:  # its lines may begin in any column
            self.spans_lines = spans_lines
        return Document(value, Marks(root), self._ambiguous, self._size)

    def _value(self, node: Node, parent: str, token: str | None) -> Value:
        """A value. Its pointer comes in two parts, because most scalars never need it joined."""
        if not isinstance(node, ScalarNode):
            return self._collection(node, _join_pointer(parent, token))
        if node.style or node.tag:
            return self._written(node, _join_pointer(parent, token))
        value = resolve_scalar(node.value)
        return self._odd(node, value, _join_pointer(parent, token)) if isinstance(value, OddScalar) else value

    def _odd(self, node: ScalarNode, odd: OddScalar, pointer: str) -> float | str | None:
        text: str = node.value
        if odd is OddScalar.AMBIGUOUS:
            self._tell(node, pointer)
            self._ambiguous[pointer] = text
            return _read_ambiguous(text)
        self._report(node, pointer, errors.not_finite(text))
        return None

    def _written(self, node: ScalarNode, pointer: str) -> str:
        """A scalar that is its text: quoted, a block, or tagged as a string."""
        if self.pairs is not None and node.style == '"':
            node.value = join_pairs(node.value, self.pairs)
        text: str = node.value
        if "\0" in text:
            self._report(node, pointer, errors.escaped_nul())
        if node.style in _QUOTES and node.start_mark.line != node.end_mark.line:
            self.spans_lines = True
        self._check_tag(node, pointer)
        return text

    def _collection(self, node: Node, pointer: str) -> Value:
        assert isinstance(node, CollectionNode)
        identity = id(node)
        if identity in self._open:
            self._report(node, pointer, errors.recursive_alias())
            return None
        if len(self._open) == errors.MAX_DEPTH:
            raise errors.too_deep(node)
        if node.flow_style and node.start_mark.line != node.end_mark.line:
            self.spans_lines = True
        self._check_tag(node, pointer)
        self._open.add(identity)
        value = self._mapping(node, pointer) if isinstance(node, MappingNode) else self._sequence(node, pointer)
        self._open.remove(identity)
        return value

    def _sequence(self, node: CollectionNode, pointer: str) -> Value:
        return [self._value(item, pointer, str(index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, pointer: str) -> Value:
        result: dict[str, Value] = {}
        repeated: list[tuple[Node, Node]] = []
        for key_node, value_node in node.value:
            key = self._key(key_node, pointer)
            if key is None:
                self._check_only(value_node, pointer)
            elif key in result:
                repeated.append((key_node, value_node))
            else:
                result[key] = self._value(value_node, pointer, key)
        if repeated:
            self._repeated(node, repeated, pointer)
        return result

    def _repeated(self, node: MappingNode, repeated: list[tuple[Node, Node]], pointer: str) -> None:
        firsts: dict[str, int] = {}
        for key_node, _ in node.value:
            if isinstance(key_node, ScalarNode):
                firsts.setdefault(key_node.value, key_node.start_mark.line + 1)
        for key_node, value_node in repeated:
            key, line = key_node.value, key_node.start_mark.line + 1
            below = child(pointer, key)
            self._report(key_node, below, errors.duplicate_key(key, firsts[key], line))
            self._check_only(value_node, below)

    def _key(self, node: Node, pointer: str) -> str | None:
        """The text of a key; None when the entry cannot be kept."""
        if not isinstance(node, ScalarNode):
            self._report(node, pointer, errors.complex_key())
            return None
        text: str = node.value
        if len(text) > errors.MAX_KEY:
            raise errors.long_key(node)
        if node.style or node.tag:
            return self._written(node, child(pointer, text))
        value = resolve_scalar(text)
        if value is OddScalar.AMBIGUOUS:
            value = _read_ambiguous(text)
        if value.__class__ is not str:
            self._report(node, child(pointer, text), errors.wrong_key(text))
        elif text == MERGE:
            self._report(node, child(pointer, text), errors.merge_key())
            return None
        return text

    def _check_only(self, node: Node, pointer: str) -> None:
        """Find the problems in a value that is not kept in the document."""
        kept, self._ambiguous = self._ambiguous, {}
        self._value(node, pointer, None)
        self._ambiguous = kept

    def _check_tag(self, node: Node, pointer: str) -> None:
        if node.tag and _HARMLESS_TAGS.get(node.tag) is not node.__class__:
            self._report(node, pointer, errors.forbidden_tag(node.tag))

    def _report(self, node: Node, pointer: str, words: Words) -> None:
        self._tell(node, pointer)
        code, message, hint = words
        start = node.start_mark
        self.problems.append(Problem(self._path, start.line + 1, start.column + 1, code, pointer, message, hint))
        if len(self.problems) == errors.MAX_PROBLEMS:
            raise errors.too_wrong(node)

    def _tell(self, node: Node, pointer: str) -> None:
        """Count the text of a place. Raises `LimitExceededError`."""
        self._told += len(pointer)
        if self._told > errors.MAX_TOLD:
            raise errors.too_long_places(node)


def _join_pointer(parent: str, token: str | None) -> str:
    return parent if token is None else child(parent, token)
