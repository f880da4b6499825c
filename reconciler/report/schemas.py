"""Kinds and their fields as tables and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.authoring.author import Author
    from reconciler.authoring.fields import FieldRow
    from reconciler.kinds.kind import Kind

KIND_HEADERS = ("kind", "table", "key", "columns", "from")
FIELD_HEADERS = ("field", "type", "unit", "allowed", "required", "description")


def kinds_json(author: Author) -> list[dict[str, Any]]:
    """The kinds in order of their names."""
    return [kind_json(kind, author.origin(kind)) for kind in author.kinds]


def kind_json(kind: Kind, origin: str) -> dict[str, Any]:
    """A kind in short. `origin` is where it is from."""
    return {
        "kind": kind.name,
        "table": kind.table,
        "key": kind.key,
        "columns": len(kind.columns),
        "origin": origin,
    }


def kind_cells(author: Author) -> list[tuple[str, ...]]:
    """A row for each kind."""
    return [tuple(str(value) for value in kind.values()) for kind in kinds_json(author)]


def field_cells(row: FieldRow) -> tuple[str, ...]:
    """One field, `-` where there is nothing to say."""
    required = "yes" if row.required else "no"
    cells = (row.name, row.type, row.unit, row.allowed, required, row.description)
    return tuple(cell or "-" for cell in cells)
