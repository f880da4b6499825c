"""Rows as they are read back: live ones, results of queries, the history with its versions and points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from reconciler.canonical import Value
    from reconciler.model.commit import Commit
    from reconciler.model.host import HostEvent
    from reconciler.model.problem import Problem

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
    """The limits of a query: rows returned, and seconds."""

    rows: int = 1_000
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Columns as name and SQL type, and rows of JSON values; `cut` when there are more rows than these."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]
    cut: bool = False


MAX_QUERY_BYTES = 16 * 1024 * 1024
"""Bytes of JSON that the rows of a result may have, so that neither side has to hold more."""


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


ORPHANED = "ORPHANED"
"""Beside VALID and INVALID, the status of versions that the branch no longer reaches."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as it is read back from the ledger."""

    commit: Commit
    height: int
    mainline: bool
    status: str
    problems: tuple[Problem, ...]
    creates: int
    updates: int
    deletes: int
    digest: str
    orphaned: bool
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A host event as it is read back from the ledger, and the host it happened on."""

    host: str
    event: HostEvent


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A place in the history: so many commits of the mainline, and then some that the branch no longer reaches.

    Of those only the valid ones are named. An invalid commit is the same place as the last valid one before it.
    """

    height: int
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SideVersion:
    """A version off the mainline: its parents, and whether its rows are recorded (it was valid and on it once)."""

    parents: tuple[str, ...]
    has_rows: bool


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row as a mainline commit left it. `values` has the columns of the desired table, with their projection.

    `op` is what the commit did; `prune` what became of the row if that was a delete, else empty.
    """

    op: str
    prune: str
    commit: str
    height: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """A row as a commit left it, and the commit's version."""

    row: HistoryRow
    version: VersionRow


class ChangeCursor(NamedTuple):
    """Where a change of a row stands among all that ever were: heights downwards, then by the rest.

    `rank` is the position of what happened in `model.change.ORDER`.
    """

    height: int
    rank: int
    kind: str
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class ActiveDay:
    """The mainline's commits of one day by committer time in UTC: how many, and their changes."""

    day: date
    commits: int
    invalid: int
    creates: int
    updates: int
    deletes: int
