"""From a sound schema to a kind: nothing is checked here, `check` has done that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.kind import Column, Kind, Reference, SqlType
from reconciler.kinds.pointers import value_at

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION = "x-reconciler"
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def build_kind(schema: Mapping[str, Any], origin: str) -> Kind:
    """The kind a sound schema describes; `origin` is the file it is from, for messages.

    A schema that `load_kinds` did not see may raise KeyError: those kept in a store were sound when they came in.
    """
    annotation = schema[ANNOTATION]
    key: str = annotation["key"]
    names = [key, *(name for name in annotation["columns"] if name != key)]
    references = annotation["references"].items()
    return Kind(
        name=schema["properties"]["kind"]["const"],
        table=annotation["table"],
        key=key,
        columns=tuple(_column(schema, name) for name in names),
        indexes=tuple(tuple(index) for index in annotation["indexes"]),
        references=tuple(Reference(role, one["kind"], one["many"]) for role, one in references),
        schema=schema,
        origin=origin,
        digest=canonical.digest(schema),
    )


def resolve_refs(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a schema with its own `$ref` followed; what stands beside a `$ref` goes before what it refers to."""
    while "$ref" in part:
        beside = {keyword: value for keyword, value in part.items() if keyword != "$ref"}
        part = {**value_at(schema, part["$ref"].removeprefix("#")), **beside}
    return part


def parse_sql_type(text: str) -> tuple[SqlType, int | None]:
    """`VARCHAR(20)` as its type and length; the length of all others is None."""
    name, _, length = text.removesuffix(")").partition("(")
    return SqlType(name), int(length) if length else None


def _column(schema: Mapping[str, Any], name: str) -> Column:
    annotation = schema[ANNOTATION]
    spec = schema["properties"]["spec"]
    field = resolve_refs(schema, spec["properties"][name])
    kind, length = parse_sql_type(annotation["columns"][name])
    return Column(
        name=name,
        type=kind,
        length=length,
        required=name == annotation["key"] or name in spec["required"],
        enum=tuple(word for word in field.get("enum", ()) if isinstance(word, str)),
        bounds={bound: field[bound] for bound in BOUNDS if bound in field},
        unit=annotation.get("units", {}).get(name, ""),
        description=field["description"],
    )
