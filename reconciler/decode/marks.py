"""Where values and keys stand in a text, worked out only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.kinds.kind import child, split
from reconciler.model.problem import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

_Entry: TypeAlias = tuple[Node | None, Node]
"""A key, if there is one, and its value."""


def mark_of(node: Node) -> Mark:
    """The place where a node starts."""
    start = node.start_mark
    return Mark(start.line + 1, start.column + 1)


class Marks(Mapping[str, Mark]):
    """JSON Pointer to the place of the value there; with a `#` behind it, to the place of its key.

    Valid documents are never asked, and a mark for each node would take as long as parsing: so the nodes are kept,
    and walked when asked. A value that came through an alias stands where its anchor is.
    """

    __slots__ = ("_entries", "_root")

    def __init__(self, root: Node) -> None:
        self._root = root
        self._entries: dict[int, dict[str, _Entry]] = {}

    def __getitem__(self, pointer: str) -> Mark:
        entry = self._find(pointer)
        if entry is not None:
            return mark_of(entry[1])
        owner = self._find(pointer[:-1]) if pointer.endswith("#") else None
        if owner is None or owner[0] is None:
            raise KeyError(pointer)
        return mark_of(owner[0])

    def __iter__(self) -> Iterator[str]:
        return self._pointers(self._root, "", frozenset())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _find(self, pointer: str) -> _Entry | None:
        """The key and the value at a pointer."""
        if not pointer:
            # A root mapping starts at its first key, not at a brace or an anchor before it.
            starts = isinstance(self._root, MappingNode) and self._root.value
            return None, self._root.value[0][0] if starts else self._root
        if not pointer.startswith("/"):
            return None
        entry: _Entry = (None, self._root)
        for token in split(pointer):
            below = self._below(entry[1]).get(token)
            if below is None:
                return None
            entry = below
        return entry

    def _below(self, node: Node) -> dict[str, _Entry]:
        """What stands directly below a node: its key and its value by token. Of a repeated key the first counts."""
        entries = self._entries.get(id(node))
        if entries is None:
            entries = self._entries[id(node)] = {}
            if isinstance(node, SequenceNode):
                entries.update((str(index), (None, item)) for index, item in enumerate(node.value))
            elif isinstance(node, MappingNode):
                for key, value in node.value:
                    if isinstance(key, ScalarNode):
                        entries.setdefault(key.value, (key, value))
        return entries

    def _pointers(self, node: Node, pointer: str, above: frozenset[int]) -> Iterator[str]:
        yield pointer
        if id(node) in above:  # an alias inside its own anchor
            return
        for token, (key, value) in self._below(node).items():
            below = child(pointer, token)
            if key is not None:
                yield f"{below}#"
            yield from self._pointers(value, below, above | {id(node)})


class LateMarks(Mapping[str, Mark]):
    """The same of a document that was read without nodes: it is parsed when anything but its start is asked."""

    __slots__ = ("_found", "_parse", "_start")

    def __init__(self, start: Mark, parse: Callable[[], Marks]) -> None:
        self._start = start
        self._parse = parse
        self._found: Marks | None = None

    def __getitem__(self, pointer: str) -> Mark:
        return self._marks()[pointer] if pointer else self._start

    def __iter__(self) -> Iterator[str]:
        return iter(self._marks())

    def __len__(self) -> int:
        return len(self._marks())

    def _marks(self) -> Marks:
        if self._found is None:
            self._found = self._parse()
        return self._found
