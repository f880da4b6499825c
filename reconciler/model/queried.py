"""What a query found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.canonical import Value


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may ask for: rows that are told, and seconds that it may take."""

    rows: int = 1_000
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Queried:
    """Columns as name and SQL type, and rows of JSON values below them; `cut` when there are more rows than told."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]
    cut: bool = False


MOST_ROWS = 100_000
"""What `Limits.rows` may be."""
MOST_BYTES = 16 * 1024 * 1024
"""Bytes of JSON that rows are told up to, so that neither side has to hold more."""
