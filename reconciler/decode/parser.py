"""libyaml's parser, composing nodes in C and resolving nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml._yaml import CParser

from reconciler.decode.limits import MAX_DEPTH, MAX_NODES, too_deep, too_many

if TYPE_CHECKING:
    from yaml.nodes import Node

HARMLESS_INDICATORS = 200
"""Of so few characters that may begin a node none can make too many of them, or nest deeper than the C stack bears."""

_INDICATORS = (b":", b"-", b",", b"[", b"{", b"?")


class PlainParser(CParser):
    """Nodes with `tag` None wherever no tag is written. The three methods are those that the C code calls back."""

    def resolve(self, _kind: type[Node], _value: str | None, _implicit: object) -> None:
        """The tag of a node without one: none."""

    def descend_resolver(self, _parent: Node | None, _index: object) -> None:
        """Before each node."""

    def ascend_resolver(self) -> None:
        """After each node."""


class GuardedParser(PlainParser):
    """The same with a check at every node, for files that could hold too many or nest too deep.

    The C code recurses per level without a limit of its own, so depth has to be checked before it descends.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._depth = 0
        self._nodes = 0

    def descend_resolver(self, parent: Node | None, _index: object) -> None:
        """Count a node. Raises `LimitExceededError`."""
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH + 1:  # the scalars of the deepest level are one further down
            raise too_deep(parent)
        if self._nodes > MAX_NODES:
            raise too_many(parent)

    def ascend_resolver(self) -> None:
        """Leave a node."""
        self._depth -= 1


def parser_for(data: bytes) -> PlainParser:
    """A parser that is safe on these bytes: the guarded one is a quarter slower and seldom needed.

    Every node but the first has an indicator of its own before or behind it.
    """
    indicators = sum(map(data.count, _INDICATORS))
    return PlainParser(data) if indicators <= HARMLESS_INDICATORS else GuardedParser(data)
