"""A value of the wrong type: what it is, what is wanted, and what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.validate.fields import column_at, field_at, unit_at
from reconciler.validate.finding import Finding
from reconciler.validate.wording import TYPES, listed, number_hint, shown, written_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.kinds.kind import Kind

CODE = "wrong-type"
_NUMBERS = frozenset({"number", "integer"})


def wrong_type(kind: Kind, pointer: str, value: Any, wanted: Sequence[str]) -> Finding:
    """The finding for a value whose type is none of the wanted ones (JSON Schema's names)."""
    words = " or ".join(TYPES[one] for one in wanted)
    if value is None:
        return Finding(pointer, CODE, f"there is no value here, and {words} is wanted", _empty(kind, pointer, wanted))
    what = "this" if isinstance(value, (dict, list)) else shown(value)
    message = f"{what} is {written_type(value)}, and {words} is wanted"
    return Finding(pointer, CODE, message, _hint(kind, pointer, value, wanted))


def _empty(kind: Kind, pointer: str, wanted: Sequence[str]) -> str:
    """Why there may be nothing where something seems to be: a # after white space starts a comment."""
    if "object" in wanted:
        return "its fields stand on the lines below it, indented"
    column, field = column_at(kind, pointer), field_at(kind.schema, pointer)
    leave = "" if column is None or (column.required and column.name != kind.key) else "leave the field out, or: "
    if field.get("enum"):
        return f"{leave}write one of {listed(field['enum'])}"
    if "string" in wanted and "format" not in field:
        return f"{leave}an unquoted # starts a comment: a value with # in front must be quoted, as in '#US30'"
    return f"{leave}{field.get('description', 'write a value')}"


def _hint(kind: Kind, pointer: str, value: Any, wanted: Sequence[str]) -> str:
    field = field_at(kind.schema, pointer)
    if isinstance(value, str) and _NUMBERS & set(wanted):
        return number_hint(value, field, unit_at(kind, pointer), quoted=True)
    if field.get("enum"):
        return f"allowed: {listed(field['enum'])}"
    if "string" in wanted and isinstance(value, (bool, int, float)):
        return f"if it is meant as text, quote it: '{shown(value)}'"
    if "boolean" in wanted and isinstance(value, str) and value.lower() in {"true", "false"}:
        return f"write it without quotes: {value.lower()}"
    if "array" in wanted and isinstance(value, str):
        return f"write a list: [{value}]"
    return str(field.get("description", ""))
