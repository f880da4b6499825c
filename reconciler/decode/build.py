"""Nodes to plain values: every problem is noted and building goes on, so that one never hides another."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from reconciler.decode import explain, limits
from reconciler.decode.places import Marks
from reconciler.decode.scalars import Odd, resolve
from reconciler.decode.weight import weigh
from reconciler.kinds.pointers import child
from reconciler.model.problem import Problem
from reconciler.model.resource import Document

if TYPE_CHECKING:
    from reconciler.canonical import Value

Text: TypeAlias = tuple[str, str, str]
"""Code, message and hint of a problem."""

_HARMLESS_TAGS = {
    "tag:yaml.org,2002:str": ScalarNode,
    "tag:yaml.org,2002:map": MappingNode,
    "tag:yaml.org,2002:seq": SequenceNode,
}

MERGE = "<<"


class Builder:
    """Builds the documents of one file. `problems` collects what is wrong in all of them.

    `may_alias` says that the file could hold aliases, whose expansion then has to be weighed before it is built.
    """

    def __init__(self, path: str, *, may_alias: bool) -> None:
        self.problems: list[Problem] = []
        self._path = path
        self._may_alias = may_alias
        self._weight = 0
        self._open: set[int] = set()
        self._ambiguous: dict[str, str] = {}

    def document(self, root: Node) -> Document:
        """The document of a root node. Raises `LimitExceededError`."""
        if self._may_alias:
            self._weight += weigh(root)
            if self._weight > limits.MAX_WEIGHT:
                raise limits.too_expanded(root)
        self._open.clear()
        self._ambiguous = {}
        value = self._value(root, "", None)
        return Document(value, Marks(root), self._ambiguous)

    def _value(self, node: Node, parent: str, token: str | None) -> Value:
        """A value; its pointer is in two parts because most scalars never need it joined."""
        if not isinstance(node, ScalarNode):
            return self._collection(node, _join(parent, token))
        if node.style or node.tag:
            return self._written(node, _join(parent, token))
        value = resolve(node.value)
        return self._odd(node, value, _join(parent, token)) if isinstance(value, Odd) else value

    def _odd(self, node: ScalarNode, odd: Odd, pointer: str) -> str | None:
        text: str = node.value
        if odd is Odd.AMBIGUOUS:
            self._ambiguous[pointer] = text
            return text
        self._report(node, pointer, explain.not_finite(text))
        return None

    def _written(self, node: ScalarNode, pointer: str) -> str:
        """A scalar that is its text: quoted, a block, or tagged as a string."""
        text: str = node.value
        if "\0" in text:
            self._report(node, pointer, explain.escaped_nul())
        self._check_tag(node, pointer)
        return text

    def _collection(self, node: Node, pointer: str) -> Value:
        assert isinstance(node, CollectionNode)
        identity = id(node)
        if identity in self._open:
            self._report(node, pointer, explain.recursive())
            return None
        if len(self._open) == limits.MAX_DEPTH:
            raise limits.too_deep(node)
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
            self._report(key_node, below, explain.duplicate(key, firsts[key], line))
            self._check_only(value_node, below)

    def _key(self, node: Node, pointer: str) -> str | None:
        """The text of a key; None when the entry cannot be kept."""
        if not isinstance(node, ScalarNode):
            self._report(node, pointer, explain.complex_key())
            return None
        text: str = node.value
        if len(text) > limits.MAX_KEY:
            raise limits.long_key(node)
        if node.style or node.tag:
            return self._written(node, child(pointer, text))
        value = resolve(text)
        if value.__class__ is not str and value is not Odd.AMBIGUOUS:
            self._report(node, child(pointer, text), explain.key_type(text))
        elif text == MERGE:
            self._report(node, child(pointer, text), explain.merge_key())
            return None
        return text

    def _check_only(self, node: Node, pointer: str) -> None:
        """Find the problems in a value that has no place in the document."""
        kept, self._ambiguous = self._ambiguous, {}
        self._value(node, pointer, None)
        self._ambiguous = kept

    def _check_tag(self, node: Node, pointer: str) -> None:
        if node.tag and _HARMLESS_TAGS.get(node.tag) is not node.__class__:
            self._report(node, pointer, explain.tag(node.tag))

    def _report(self, node: Node, pointer: str, text: Text) -> None:
        code, message, hint = text
        start = node.start_mark
        self.problems.append(Problem(self._path, start.line + 1, start.column + 1, code, pointer, message, hint))
        if len(self.problems) == limits.MAX_PROBLEMS:
            raise limits.too_wrong(node)


def _join(parent: str, token: str | None) -> str:
    return parent if token is None else child(parent, token)
