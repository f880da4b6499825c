"""The kinds of schemas that are sound: nothing is checked, which takes the engine that judges."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler import canonical
from reconciler.kinds.kind import (
    ANNOTATION,
    BOUNDS,
    NUMBERS,
    Column,
    Kind,
    Kinds,
    Reference,
    SqlType,
    UnitChoice,
    parse_sql_type,
)
from reconciler.kinds.references import resolve_refs

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        columns=tuple(_build_column(schema, name) for name in names),
        indexes=tuple(tuple(index) for index in annotation["indexes"]),
        references=tuple(Reference(role, one["kind"], one["many"]) for role, one in references),
        importance=tuple(annotation.get("importance", ())),
        halt=annotation.get("halt", {}),
        risk=annotation.get("risk", {}),
        schema=schema,
        origin=origin,
        digest=canonical.digest(schema),
    )


def _build_column(schema: Mapping[str, Any], name: str) -> Column:
    annotation = schema[ANNOTATION]
    spec = schema["properties"]["spec"]
    field = resolve_refs(schema, spec["properties"][name])
    kind, length = parse_sql_type(annotation["columns"][name])
    unit = annotation.get("units", {}).get(name, "")
    choice = UnitChoice(unit["by"], unit["of"]) if isinstance(unit, dict) else None
    return Column(
        name=name,
        type=kind,
        length=length,
        required=name == annotation["key"] or name in spec["required"],
        enum=tuple(word for word in field.get("enum", ()) if isinstance(word, str)) if kind is SqlType.VARCHAR else (),
        bounds={bound: field[bound] for bound in BOUNDS if bound in field} if kind in NUMBERS else {},
        unit=" or ".join(dict.fromkeys(choice.of.values())) if choice else unit,
        description=field["description"],
        unit_choice=choice,
    )


def stored_kinds(schemas: Mapping[str, Mapping[str, Any]]) -> Kinds:
    """The kinds that a store's tables were made from; `schemas` are by kind."""
    return _build_kinds(_Schemas(schemas))


@lru_cache(maxsize=4)
def _build_kinds(stored: _Schemas) -> Kinds:
    return Kinds(tuple(build_kind(stored.schemas[name], "") for name in sorted(stored.schemas)))


class _Schemas(Struct, frozen=True):
    """A cache key: equal when all schemas are equal."""

    schemas: Mapping[str, Mapping[str, Any]]

    def __hash__(self) -> int:
        return hash(tuple(self.schemas))
