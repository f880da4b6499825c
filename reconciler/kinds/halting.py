"""What a halt sets must be what the table and the field can have: a halt that is refused switches nothing off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.engine import compile_schema
from reconciler.kinds.kind import ANNOTATION, SqlType, child
from reconciler.kinds.parts import Flaw
from reconciler.kinds.references import DIALECT, resolve_refs
from reconciler.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind

_HALT = f"/{ANNOTATION}/halt"


def find_halt_flaws(kind: Kind) -> Iterator[Flaw]:
    """Columns that a halt cannot set, and values that they cannot have. The schema has no other flaws."""
    for name, value in kind.halt.items():
        pointer, column = child(_HALT, name), kind.column(name)
        if column is None:
            known = [column.name for column in kind.columns]
            message = f"a halt sets {name}, which is no column{did_you_mean(name, known)}"
            yield Flaw(pointer, message, at_key=True)
        elif name == kind.key:
            yield Flaw(pointer, f"a halt sets {name}, which is the key", at_key=True)
        elif column.type is SqlType.JSON:
            message = f"a halt sets {name}, which holds JSON: only a text, a number or a truth value can be set"
            yield Flaw(pointer, message, at_key=True)
        elif not _is_finite(value) or not column.holds(value) or not _is_valid(kind, name, value):
            message = f"a halt sets {name} to {canonical.dumps(value)}, which the field cannot be"
            yield Flaw(pointer, message, "name a value that the schema of the field takes")


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _is_valid(kind: Kind, name: str, value: Any) -> bool:
    field = resolve_refs(kind.schema, kind.schema["properties"]["spec"]["properties"][name])
    parts = {word: kind.schema[word] for word in ("$defs", "definitions") if word in kind.schema}
    return compile_schema({**field, **parts, "$schema": DIALECT}).is_valid(value)
