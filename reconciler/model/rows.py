"""Live rows on their way out: searched, queried in SQL, exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.canonical import Value

    Record = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Search:
    """`text` is part of a name, path, label or text column, in any case; `equals` maps columns to exact values.

    Of the rows found, in order of name, `limit` from the one with number `offset` on.
    """

    text: str = ""
    equals: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What a query may ask for: rows that are told, and seconds that it may take."""

    rows: int = 1_000
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Columns as name and SQL type, and rows of JSON values below them; `cut` when there are more rows than told."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]
    cut: bool = False


MAX_QUERY_ROWS = 100_000
"""What `Limits.rows` may be."""
MAX_QUERY_BYTES = 16 * 1024 * 1024
"""Bytes of JSON that rows are told up to, so that neither side has to hold more."""


@dataclass(frozen=True, slots=True)
class TableExport:
    """A table: its name, its columns as name and DuckDB's SQL type, and its rows in blocks, to be read once.

    Values are those of Python; ids and JSON are text, moments are in UTC.
    """

    table: str
    columns: tuple[tuple[str, str], ...]
    blocks: Iterable[Sequence[Record]]


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A live row as consumers see it, and where git declares it (`path` None for what left git)."""

    kind: str
    name: str
    values: Mapping[str, Any]
    path: str | None
    line: int | None
