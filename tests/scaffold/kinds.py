"""Kinds to write skeletons for: the shipped ones, the example repository's own, and ones made of a few fields."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.adapters.bundled import find_example_repository
from reconciler.decode.document import decode
from reconciler.kinds.kind import Kinds
from reconciler.reconcile.rules import read_kinds
from reconciler.validate.validator import Validator
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import FileEntry

SHIPPED = bundled_kinds()
ROW = "7d1f0af0-0000-4000-8000-000000000001"
OWN = "schemas/broker.schema.json"
SQL = {"number": "FLOAT", "integer": "INTEGER", "boolean": "BOOLEAN", "object": "JSON", "array": "JSON"}


def example_kinds() -> Kinds:
    """The kinds of the example repository: those that ship and its own."""
    return own_kinds({OWN: (find_example_repository() / OWN).read_bytes()})


def own_kinds(files: Mapping[str, bytes]) -> Kinds:
    """The shipped kinds and those of some files, which have to be sound."""
    kinds, problems = read_kinds(files, SHIPPED, fault_finder())
    assert problems == ()
    return kinds


def thing(
    fields: Mapping[str, Mapping[str, Any]],
    *,
    required: tuple[str, ...] | None = None,
    refs: tuple[str, ...] = (),
    rules: Mapping[str, Any] | None = None,
) -> Kind:
    """A kind `Thing` with some fields, all of them required unless said otherwise; `refs` are required too."""
    described = {name: {"description": f"The {name}.", **part} for name, part in fields.items()}
    columns = {name: SQL.get(str(part.get("type")), "VARCHAR") for name, part in fields.items()}
    name = {"type": "string", "maxLength": 63, "pattern": "^[a-z][a-z0-9.-]*$"}
    metadata: dict[str, Any] = {"name": name}
    if refs:
        roles = dict.fromkeys(refs, name)
        metadata["refs"] = {"type": "object", "additionalProperties": False, "properties": roles, "required": [*refs]}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "A thing.",
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": "reconciler/v1"},
            "kind": {"const": "Thing"},
            "metadata": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "refs"] if refs else ["name"],
                "properties": metadata,
            },
            "spec": {
                "type": "object",
                "additionalProperties": False,
                "required": [*fields] if required is None else [*required],
                "properties": {
                    "thing_id": {"description": "The id.", "type": "string", "format": "uuid"},
                    **described,
                },
                **(rules or {}),
            },
        },
        "x-reconciler": {
            "table": "thing_config",
            "key": "thing_id",
            "columns": {"thing_id": "UUID", **columns},
            "indexes": [],
            "references": {role: {"kind": "Thing", "many": False} for role in refs},
            "units": {},
        },
    }
    return own_kinds({"schemas/thing.schema.json": json.dumps(schema).encode()}).by_name["Thing"]


def checked(kind: Kind, text: str) -> FileEntry:
    """What a file with this text declares."""
    return Validator(Kinds((kind,))).check("things/x.yaml", decode("things/x.yaml", text.encode()))
