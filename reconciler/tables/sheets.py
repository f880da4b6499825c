"""What a kind's sheet has: the columns of the live table, then what git says of a row beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind

BESIDE = ("name", "labels", "annotations", "refs")
"""What `import` makes the same documents of, with the columns."""


def sheet_columns(kind: Kind) -> tuple[tuple[str, str], ...]:
    """Names and DuckDB types, in order: the kind's columns, the time stamps, `BESIDE` as this kind's tables have it."""
    own = ((column.name, "DOUBLE" if column.type is SqlType.FLOAT else column.type.value) for column in kind.columns)
    stamps = ((name, "TIMESTAMP") for name in TIMESTAMPS)
    pairs = zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)
    return (*own, *stamps, *(column for (plain, _), column in pairs if plain in BESIDE))
