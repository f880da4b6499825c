"""Valid documents to resources in canonical form, and the few things that make a valid value unfit for its column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.build import child
from reconciler.kinds.kind import SqlType
from reconciler.model.change import Key, Resource, content_digest
from reconciler.validate.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Column, Kind

INTEGER_MIN, INTEGER_MAX = -(2**31), 2**31 - 1
"""What a SQL INTEGER holds: 32 bits, in both databases."""


def find_unfit_integers(kind: Kind, value: Any) -> Iterator[Finding]:
    """Integers written with a decimal point, which JSON Schema accepts, or beyond the column's range."""
    spec = value.get("spec") if isinstance(value, dict) else None
    if not isinstance(spec, dict):
        return
    for column in kind.columns:
        integer = spec.get(column.name)
        if column.type is SqlType.INTEGER and integer is not None:
            yield from _check_integer(column.name, integer)


def build_resource(kind: Kind, name: str, value: Any, path: str, line: int) -> Resource:
    """The resource that a valid document declares."""
    metadata = value["metadata"]
    values = {column.name: _normalize_value(column, value["spec"].get(column.name)) for column in kind.columns}
    row_id = values[kind.key] = str(values[kind.key] or canonical.derived_id(kind.name, name))
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    refs = _normalize_references(kind, metadata.get("refs", {}))
    digest = content_digest(Key(kind.name, name), values, labels, annotations, refs)
    return Resource(kind.name, name, row_id, values, labels, annotations, refs, path, line, digest)


def _check_integer(field: str, value: Any) -> Iterator[Finding]:
    if isinstance(value, float) and value.is_integer():
        message = f"{value} is written with a point, and a whole number is wanted"
        yield Finding(child("/spec", field), "wrong-type", message, f"write {canonical.text(value)}")
    elif isinstance(value, int) and not INTEGER_MIN <= value <= INTEGER_MAX:
        message = f"{value} is out of range: {INTEGER_MIN} to {INTEGER_MAX}"
        yield Finding(child("/spec", field), "out-of-range", message, "whole numbers are stored in 32 bits")


_CANONICAL: Mapping[SqlType, Callable[[Any], Value]] = {
    SqlType.FLOAT: canonical.number,
    SqlType.UUID: str.lower,
    SqlType.JSON: canonical.normalize,
}


def _normalize_value(column: Column, value: Value) -> Value:
    convert = _CANONICAL.get(column.type)
    return value if value is None or convert is None else convert(value)


def _normalize_references(kind: Kind, written: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The references by role; the order of several names has no meaning, so they are sorted."""
    refs: dict[str, tuple[str, ...]] = {}
    for reference in kind.references:
        if reference.role in written:
            names = written[reference.role]
            refs[reference.role] = tuple(sorted(set(names))) if reference.many else (names,)
    return refs
