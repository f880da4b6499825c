"""Rows on their way into a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Record = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its name, its columns as name and DuckDB's SQL type, and its rows in blocks, to be read once.

    Values are those of Python; ids and JSON are text, moments are in UTC.
    """

    table: str
    columns: tuple[tuple[str, str], ...]
    blocks: Iterable[Sequence[Record]]
