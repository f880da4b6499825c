"""The canonical order of keys: the envelope's, the table's columns, and what the schema lists inside of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.kinds.pointers import child
from reconciler.validate.fields import field_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.format.tree import Block, Entry
    from reconciler.kinds.kind import Kinds

_ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
_METADATA = ("name", "labels", "annotations", "refs")
_SPEC = "/spec"


@dataclass(frozen=True)
class Order:
    """The order of keys by kind. `others` are schemas of documents that are no resources, by their kind's word."""

    kinds: Kinds
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _ranks: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict, repr=False, compare=False)

    def arranged(self, block: Block, kind: str) -> Block:
        """A document with its keys in order; what no schema lists comes after them, in the order it has."""
        return self._arranged(block, kind, "")

    def _arranged(self, block: Block, kind: str, pointer: str) -> Block:
        ranks = self._rank(kind, pointer)
        entries = [self._inside(entry, kind, pointer) for entry in block.entries]
        if ranks:
            entries.sort(key=lambda entry: ranks.get(entry.key or "", len(ranks)))
        return block._replace(entries=tuple(entries))

    def _inside(self, entry: Entry, kind: str, pointer: str) -> Entry:
        if entry.body is None:
            return entry
        return entry._replace(body=self._arranged(entry.body, kind, child(pointer, entry.key or 0)))

    def _rank(self, kind: str, pointer: str) -> dict[str, int]:
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
        known = self.kinds.by_name.get(kind)
        if known is not None and pointer == _SPEC:
            return tuple(column.name for column in known.columns)
        schema = known.schema if known is not None else self.others.get(kind)
        return tuple(field_at(schema, pointer).get("properties", ())) if schema is not None else ()
