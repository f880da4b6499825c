"""The kinds as shapes: their JSON Schemas as they are, and their live rows, typed by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.web.openapi.shapes import MOMENT, NEXT, NUMBER, ROWS_HEAD, listed, named, nullable, record, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = dict[str, Any]

STAMPS = ("created_at", "updated_at")
OF_FILES = ("$schema", "$id")
"""What a schema says about itself as a file."""


def kind_shapes(schemas: Mapping[str, Mapping[str, Any]]) -> Json:
    """Of each kind its documents, a row's values and a list of rows; then what may be any of them.

    A dot keeps their names apart from all others: no kind's name has one.
    """
    shapes: Json = {}
    for kind, schema in schemas.items():
        shapes[f"Document.{kind}"] = _moved(schema, f"Document.{kind}")
        shapes[f"Values.{kind}"] = _values(kind, schema)
        shapes[f"Rows.{kind}"] = _rows(kind)
    rows = {"anyOf": [named(f"Rows.{kind}") for kind in schemas]} if schemas else {}
    return {
        **shapes,
        "Rows": rows,
        "RowsPage": {"allOf": [named("Rows"), record(next=NEXT)]},
        "KindSchema": {"type": "object", "description": "JSON Schema 2020-12", "required": ["properties"]},
    }


def _rows(kind: str) -> Json:
    row = record(name=text(), path=nullable(text()), line=nullable(NUMBER), values=named(f"Values.{kind}"))
    shape = record(kind={"const": kind}, **ROWS_HEAD, rows=listed(row))
    shape["properties"]["at"] = named("Place")
    return shape


def _values(kind: str, schema: Mapping[str, Any]) -> Json:
    """The columns. What left git may lack what became necessary later, so each may be null."""
    spec = f"#/components/schemas/Document.{kind}/properties/spec/properties"
    fields = schema["properties"]["spec"]["properties"]
    columns = {name: nullable({"$ref": f"{spec}/{_escaped(name)}"}) for name in fields}
    return record(**columns, **dict.fromkeys(STAMPS, MOMENT))


def _moved(value: Any, to: str) -> Any:
    """A schema with its references as they are where it stands now."""
    if isinstance(value, list):
        return [_moved(one, to) for one in value]
    if not isinstance(value, dict):
        return value
    told = {name: _moved(one, to) for name, one in value.items() if name not in OF_FILES}
    reference = told.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        told["$ref"] = f"#/components/schemas/{to}/{reference[2:]}"
    return told


def _escaped(name: str) -> str:
    """RFC 6901."""
    return name.replace("~", "~0").replace("/", "~1")
