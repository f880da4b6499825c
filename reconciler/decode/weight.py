"""What a document weighs with its aliases expanded, without expanding them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from reconciler.decode.limits import NODE_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.nodes import Node


def weigh(root: Node) -> int:
    """The weight of everything below a node, each alias counted as the whole that it stands for.

    Each node is visited once: an alias refers to something further up in the text, which has its weight by then,
    or to what it is itself inside of, which counts as nothing here and is refused elsewhere.
    """
    return _weigh(root, {})


def _weigh(node: Node, known: dict[int, int]) -> int:
    weight = known.get(id(node))
    if weight is None:
        known[id(node)] = 0
        below = len(node.value) if isinstance(node, ScalarNode) else sum(_weigh(part, known) for part in _parts(node))
        weight = known[id(node)] = NODE_WEIGHT + below
    return weight


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for entry in node.value:
            yield from entry
    elif isinstance(node, SequenceNode):
        yield from node.value
