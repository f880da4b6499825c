"""Values of any SQL type as JSON has them: what a query finds may be of types that no kind has.

Numbers, moments and ids look as `canonical` has them. What JSON has no value for is text: `NaN`, `Infinity`, a decimal
that no double holds, bytes as hexadecimal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.canonical import Value

    Row = tuple[Value, ...]

ITEMS = (list, tuple, set, frozenset)


def cell(value: Any) -> Value:
    """One value."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)):
        return _number(value)
    if isinstance(value, datetime):
        return canonical.timestamp(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {str(cell(key)): cell(one) for key, one in value.items()}
    return [cell(one) for one in value] if isinstance(value, ITEMS) else str(value)


def fitting(rows: Iterable[Row], most_rows: int, most_bytes: int) -> tuple[list[Row], bool]:
    """The first rows, as many as there may be and as fit into so many bytes of JSON; and whether there are more."""
    kept: list[Row] = []
    for row in rows:
        most_bytes -= len(json.dumps(row))
        if len(kept) == most_rows or most_bytes < 0:
            return kept, True
        kept.append(row)
    return kept, False


def _number(value: float | Decimal) -> Value:
    """A number where a double says the same, else its digits as text."""
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        return str(value).replace("inf", "Infinity").replace("nan", "NaN") if isinstance(value, float) else str(value)
    near = float(value)
    if isinstance(value, float) or (math.isfinite(near) and Decimal(repr(near)) == value):
        return canonical.normal(near)
    return f"{value:f}"
