"""What a schema says about one place of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds.build import resolved
from reconciler.kinds.pointers import child, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Column, Kind


def field_at(schema: Mapping[str, Any], pointer: str) -> Mapping[str, Any]:
    """The schema of the value at a pointer, `$ref` followed; empty when the schema does not speak of it."""
    part: Mapping[str, Any] = schema
    for token in split(pointer):
        part = _member(schema, part, token)
    return part


def column_at(kind: Kind, pointer: str) -> Column | None:
    """The column whose value stands at a pointer."""
    return next((column for column in kind.columns if pointer == child("/spec", column.name)), None)


def unit_at(kind: Kind, pointer: str) -> str:
    """The unit of the value at a pointer, empty when it has none."""
    column = column_at(kind, pointer)
    return column.unit if column is not None else ""


def home_of(schema: Mapping[str, Any], field: str) -> str | None:
    """The pointer of the mapping that has a field of this name; None when no mapping has it."""
    for pointer, part in _mappings(schema, schema, ""):
        if field in part.get("properties", {}):
            return pointer
    return None


def _member(schema: Mapping[str, Any], part: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    if part.get("type") == "array":
        found = part.get("items")
    else:
        found = part.get("properties", {}).get(token, part.get("additionalProperties"))
    return resolved(schema, found) if isinstance(found, dict) else {}


def _mappings(
    schema: Mapping[str, Any], part: Mapping[str, Any], pointer: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield pointer, part
    for name in part.get("properties", {}):
        yield from _mappings(schema, _member(schema, part, name), child(pointer, name))
