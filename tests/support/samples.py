"""An answer of a type that says as little as may be said."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

SHA = "0" * 40


def sample(type_: Any) -> Any:
    """JSON that this type accepts: empty lists, zeros, and null where that may be."""
    return _of(inspect.type_info(type_))


def _of(found: inspect.Type) -> Any:  # noqa: PLR0911  one line for each type
    match found:
        case inspect.Metadata(type=inner):
            return _of(inner)
        case inspect.StructType(fields=fields):
            return {one.encode_name: _of(one.type) for one in fields if one.required}
        case inspect.UnionType(types=types):
            return None if found.includes_none else _of(types[0])
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.StrType(pattern=pattern):
            return SHA if pattern else "x"
        case inspect.BoolType():
            return False
        case inspect.IntType():
            return 0
        case inspect.VarTupleType() | inspect.ListType():
            return []
        case inspect.DictType():
            return {}
        case _:
            return None
