"""A commented YAML document to start a resource from."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.authoring.fields import allowed
from reconciler.authoring.sample import generous_sample, sample
from reconciler.authoring.scalars import written
from reconciler.kinds.build import resolved
from reconciler.kinds.pointers import child
from reconciler.validate.fields import unit_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kind

WIDTH = 120
"""Columns of a line; what would be longer gets its comment above it."""

INDENT = "  "
ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
METADATA = ("name", "labels", "annotations", "refs")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line goes: how deep, and from which depth on it is commented out (None when it counts)."""

    kind: Kind
    depth: int = 0
    off: int | None = None

    def line(self, text: str) -> str:
        if self.off is None:
            return INDENT * self.depth + text
        return f"{INDENT * self.off}# {INDENT * (self.depth - self.off)}{text}"

    def remark(self, text: str) -> Iterator[str]:
        start = INDENT * (self.depth if self.off is None else self.off)
        yield from textwrap.wrap(
            text, WIDTH, initial_indent=f"{start}# ", subsequent_indent=f"{start}# ", break_on_hyphens=False
        )


def skeleton(kind: Kind, name: str, row_id: str, schema_address: str) -> str:
    """The text of a file that declares one resource: what is required filled in, what is optional commented out.

    `schema_address` is where editors find the kind's schema, relative to the file.
    """
    least, most = sample(kind, name, row_id), generous_sample(kind, name, row_id)
    top = _Place(kind)
    head = [f"# yaml-language-server: $schema={schema_address}", *top.remark(kind.schema["description"])]
    return "\n".join([*head, *_mapping(top, kind.schema, "", least, most)]) + "\n"


def _mapping(
    place: _Place, part: Mapping[str, Any], pointer: str, least: Mapping[str, Any], most: Mapping[str, Any]
) -> Iterator[str]:
    """The lines of a mapping: what `least` has counts, what only `most` has is commented out."""
    properties = part.get("properties", {})
    for name in _ordered(place.kind, pointer, {**properties, **least, **most}):
        value = least.get(name, most.get(name))
        if value is None or (name not in least and value == {}):
            continue
        here = place if name in least or place.off is not None else replace(place, off=place.depth)
        member = resolved(place.kind.schema, properties.get(name, part.get("additionalProperties", {})))
        yield from _field(here, member, child(pointer, name), value, most.get(name))


def _ordered(kind: Kind, pointer: str, names: Iterable[str]) -> list[str]:
    """The canonical order, as `fmt` has it: of the envelope, then of the columns; inside of them the schema's."""
    columns = tuple(column.name for column in kind.columns)
    first = {"": ENVELOPE, "/metadata": METADATA, "/spec": columns}.get(pointer, ())
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _field(place: _Place, part: Mapping[str, Any], pointer: str, value: Any, most: Any) -> Iterator[str]:
    key = f"{written(pointer.rpartition('/')[2])}:"
    nested = isinstance(value, dict) and bool(value)
    text = key if nested else f"{key} {written(value)}"
    words = _words(place.kind, part, pointer)
    commented = place.line(f"{text}  # {words}") if words else place.line(text)
    if len(commented) > WIDTH:
        yield from place.remark(words)
        commented = place.line(text)
    yield commented
    if nested:
        yield from _mapping(replace(place, depth=place.depth + 1), part, pointer, value, most or {})


def _words(kind: Kind, part: Mapping[str, Any], pointer: str) -> str:
    """What to say about a field: the words or numbers that are possible, else what the schema says it is."""
    if pointer.count("/") == 1 or pointer == "/metadata/name":
        return ""
    return allowed(part, unit_at(kind, pointer)) or str(part.get("description", ""))
