"""Rows as an adapter found them, before anybody knows whether they are any good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.kinds.kind import Kind

Raw: TypeAlias = "bool | int | float | str | None"
"""A cell: as the database types it where that is exact, else its text."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """The rows of one table or CSV file that are a kind's.

    `place` names the table in messages. `rows` maps a row's number (or a CSV record's line, the header being 1) to its
    cells, in the order of `columns`, which are as they are written there.
    """

    place: str
    kind: Kind
    columns: Sequence[str]
    rows: Mapping[int, Sequence[Raw]]
