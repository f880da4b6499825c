"""A kind of a repository's own with a column of every type and as few limits as possible, and rows of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NAME = {"description": "its name", "type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"}
TEXTS = {"type": "object", "description": "texts", "additionalProperties": {"type": "string"}}
FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "widget_id": ("UUID", {"type": "string", "format": "uuid"}),
    "user_id": ("UUID", {"type": "string", "format": "uuid"}),
    "title": ("VARCHAR(60)", {"type": "string", "maxLength": 60}),
    "note": ("VARCHAR(60)", {"type": "string", "maxLength": 60}),
    "weight": ("FLOAT", {"type": "number"}),
    "pieces": ("INTEGER", {"type": "integer"}),
    "fragile": ("BOOLEAN", {"type": "boolean"}),
    "parts": ("JSON", {"type": "object"}),
}
REQUIRED = ("title", "weight", "pieces")
COLUMNS = tuple(FIELDS)

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "description": "A widget.",
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "reconciler/v1"},
        "kind": {"const": "Widget"},
        "metadata": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {
                "name": NAME,
                "labels": TEXTS,
                "annotations": TEXTS,
                "refs": {"type": "object", "additionalProperties": False, "properties": {"user": NAME}},
            },
        },
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": list(REQUIRED),
            "properties": {name: {"description": f"its {name}", **field} for name, (_, field) in FIELDS.items()},
        },
    },
    "x-reconciler": {
        "table": "widget_config",
        "key": "widget_id",
        "columns": {name: column for name, (column, _) in FIELDS.items()},
        "indexes": [["widget_id"]],
        "references": {"user": {"kind": "User", "many": False}},
        "units": {},
    },
}
SCHEMA_FILE = {"schemas/widget.schema.json": json.dumps(SCHEMA)}

NASTY = [
    "#US30", "1:30", "yes", "Off", "null", "~", "", " x", "x ", "0x1F", "1e5", "-", "- a", "a: b", "a #b", "a:", "'",
    "''", '"', '"a"', "C:\\MT5\\new", "2026-01-01", "12:30:45", ".inf", "1_000", "007", "0o17", "a\nb", "\n", "\t",
    "a\tb", "<<", "=", "---", "...", "[a]", "{a}", "a,b", "&a", "*a", "!a", "%a", "@a", "`a", "?", "? a", "|", ">", "é",
    "日本", "😀", "\u2028", "\ufeff", "\x85", "\xa0", "\x7f", "\x01", "true", "3.0", "+1", "\\", "a\\",
    "a;b", "\r\n", "x\ry",
]  # fmt: skip
"""Texts that some reader somewhere takes for something else."""

texts = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
numbers = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.1, 30.0, -0.0, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, 2.0**53, 0.30000000000000004])
    | st.integers(-(2**60), 2**60).map(float)
)
keys = texts.filter(lambda key: len(key) < 30 and not any(word in key.lower() for word in ("pass", "pw", "key", "tok")))
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
rows: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "widget_id": st.uuids().map(str),
        "user_id": st.none() | st.uuids().map(str),
        "title": texts,
        "note": st.none() | texts,
        "weight": numbers,
        "pieces": st.integers(-(2**31), 2**31 - 1),
        "fragile": st.none() | st.booleans(),
        "parts": st.none() | st.dictionaries(keys, documents, max_size=3),
    }
)
"""One row."""
