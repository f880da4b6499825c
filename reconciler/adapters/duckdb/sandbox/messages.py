"""What the two processes say to each other. Imported by both: it imports nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_ROWS = 1_000
"""Rows of a policy that are kept."""
SECONDS = 2.0
"""What one policy may take before it is interrupted."""
LAST_WORD = 1.5
"""How much longer it may take to stop, as a factor, before the process ends itself."""
MEMORY = "512MB"
"""What DuckDB may use, the tables included."""
COLUMNS = ("message", "kind", "name", "field", "severity")
"""The columns of a policy that count; only the first has to be there."""
LONGEST_CELL = 2_000
"""Characters of a cell that leave the process."""


@dataclass(frozen=True, slots=True)
class Load:
    """Hold these rows, by quoted table. The statements make the tables; a process gets the same ones each time."""

    statements: tuple[str, ...]
    rows: Mapping[str, Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Ask:
    """Run one policy, for so many seconds."""

    sql: str
    seconds: float = SECONDS


class Answer(TypedDict, total=False):
    """What came of either, as JSON on one line: nothing for a load that went well.

    `error` is DuckDB's text, `above` how many lines of ours stood above the policy's then; `refused` is a text of
    ours with the place in the policy and a hint; `slow` says that it was interrupted.
    """

    rows: Sequence[Sequence[str | None]]
    cut: bool
    error: str
    above: int
    refused: str
    line: int
    column: int
    hint: str
    slow: bool
