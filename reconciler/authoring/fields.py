"""The fields of a kind, as a table that people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.build import BOUNDS, resolved
from reconciler.validate.wording import range_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Column, Kind


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field: its name, SQL type, unit, the values that are possible, and what the schema says it is."""

    name: str
    type: str
    unit: str
    allowed: str
    required: bool
    description: str


def field_rows(kind: Kind) -> tuple[FieldRow, ...]:
    """The columns in their order, then the references (`refs.ROLE`, of type `Kind` or `Kind, …`)."""
    return (*(_column(kind, column) for column in kind.columns), *_references(kind))


def allowed(part: Mapping[str, Any], unit: str) -> str:
    """The words or numbers that a field may have: `BUY, SELL or BOTH`, `1 to 1000 trades`; empty for free text."""
    if "enum" in part:
        *most, last = map(canonical.text, part["enum"])
        return f"{', '.join(most)} or {last}" if most else last
    if part.get("type") == "boolean":
        return "true or false"
    bounds = {bound: part[bound] for bound in BOUNDS if bound in part}
    return range_words(bounds, unit) if bounds else ""


def _column(kind: Kind, column: Column) -> FieldRow:
    spec = kind.schema["properties"]["spec"]
    part = resolved(kind.schema, spec["properties"][column.name])
    length = part.get("maxLength")
    values = allowed(part, "") or (f"at most {length} characters" if length is not None else "")
    written = f"{column.type}({column.length})" if column.length is not None else str(column.type)
    return FieldRow(column.name, written, column.unit, values, column.name in spec["required"], column.description)


def _references(kind: Kind) -> Iterator[FieldRow]:
    metadata = kind.schema["properties"]["metadata"]
    roles = resolved(kind.schema, metadata["properties"].get("refs", {}))
    for reference in kind.references:
        part = resolved(kind.schema, roles["properties"][reference.role])
        required = "refs" in metadata["required"] and reference.role in roles.get("required", ())
        what = f"names of {reference.kind}" if reference.many else f"name of {reference.kind}"
        yield FieldRow(f"refs.{reference.role}", what, "", "", required, str(part.get("description", "")))
