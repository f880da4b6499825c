"""What the two processes say to each other. Imported by both: it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Records = Sequence[tuple[Any, ...]]

MAX_ROWS = 1_000
"""Rows of a policy that are kept."""
POLICY_SECONDS = 2.0
"""CPU time that one policy may take before it is interrupted. Wall time would depend on what else the machine does."""
STOP_FACTOR = 1.5
"""How much longer it may take to stop, as a factor, before the process ends itself."""
MEMORY = "512MB"
"""What DuckDB may use, the tables included."""
VIOLATIONS = ("message", "kind", "name", "field", "severity", "at_most", "at_least", "value")
"""The columns of a policy that count; only the first has to be there."""
READINGS = ("value", "label", "unit")
"""The columns of a measure that count; only the first has to be there."""
MAX_CELL = 2_000
"""Characters of a cell that leave the process."""


class TablePair(Struct, frozen=True):
    """The two tables of a kind. The columns of the live one are the first `width` of the desired one's."""

    table: str
    key: str
    columns: tuple[str, ...]
    width: int


class Load(Struct, frozen=True):
    """Hold two states, given as rows of the desired tables and of the live ones, by kind.

    `live` None stands for one state in both. The statements make the tables; a process gets the same ones each time.
    """

    statements: tuple[str, ...]
    pairs: Mapping[str, TablePair]
    desired: Mapping[str, Records]
    live: Mapping[str, Records] | None


class ChangedRows(Struct, frozen=True):
    """What became of some rows of a kind: all their ids, and those that there still are, as in the desired table."""

    ids: tuple[str, ...]
    rows: Records


class Advance(Struct, frozen=True):
    """Change some rows of the desired tables, by kind.

    What the step before this one changed is `settled`, so that the live tables have it now, or else taken back.
    """

    settled: bool
    touched: Mapping[str, ChangedRows]


class PolicyRequest(Struct, frozen=True):
    """Run one policy or measure, for so many seconds of CPU time, and tell these columns of its rows."""

    sql: str
    seconds: float = POLICY_SECONDS
    columns: tuple[str, ...] = VIOLATIONS


class Batch(Struct, frozen=True):
    """Run some policies, an answer to each; those that would begin after so many seconds of CPU time are not run."""

    asks: tuple[PolicyRequest, ...]
    seconds: float


class FillTable(Struct, frozen=True):
    """Have rows in a table, which is made where columns (name and SQL type) are given."""

    schema: str
    table: str
    columns: tuple[tuple[str, str], ...]
    rows: Records


class QueryRequest(Struct, frozen=True):
    """Run somebody's query, for so many seconds, and tell so many of the rows it finds."""

    sql: str
    seconds: float
    most_rows: int
    most_bytes: int


class QueryAnswer(TypedDict, total=False):
    """What came of a `QueryRequest`, as JSON on one line; `error`, `refused` and `slow` as in `Answer`."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    cut: str | None
    error: str
    refused: str
    slow: bool


class Answer(TypedDict, total=False):
    """What came of a request, as JSON on one line: nothing for rows that are held now.

    `error` is DuckDB's text, `above` how many lines of ours stood above the policy's then; `refused` is a text of
    ours with the place in the policy and a hint; `slow` says that it was interrupted, `late` that it was not run.
    `seconds` is the CPU time that a policy of a batch took.
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
    late: bool
    seconds: float
