"""Rows as they are read back: live ones and their drift from git, results of queries, the history with its versions."""

from __future__ import annotations

import math
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct, field

from reconciler import canonical
from reconciler.model.change import RowId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from reconciler.canonical import Value
    from reconciler.model.commit import Commit
    from reconciler.model.host import HostEvent
    from reconciler.model.problem import Problem

    Record = Sequence[Any]


class Search(Struct, frozen=True):
    """`text` is part of a name, path, label or text column, in any case, or a number that a column holds.

    `equals` maps columns to exact values. Of the rows found, in order of the column `sort` and then name, `limit` from
    the one with number `offset` on; what has no value there comes last.
    """

    text: str = ""
    equals: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    limit: int = 100
    sort: str = ""
    descending: bool = False


class Tally(Struct, frozen=True):
    """How many rows name one resource in a role, or how many there are (None), and how many of them are switched on."""

    name: str | None
    rows: int
    active: int


class QueryLimits(Struct, frozen=True):
    """The limits of a query: rows returned, and seconds."""

    rows: int = 1_000
    seconds: float = 10.0


class CutBy(StrEnum):
    """The limit that kept the rest of the rows out of a result."""

    ROWS = "rows"
    BYTES = "bytes"


class QueryResult(Struct, frozen=True):
    """Columns as name and SQL type, and rows of JSON values; `cut` by which limit if there are more."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]
    cut: CutBy | None = None


MAX_QUERY_BYTES = 16 * 1024 * 1024
"""Bytes of JSON that the rows of a result may have, so that neither side has to hold more."""


class TableExport(Struct, frozen=True):
    """A table: its name, its columns as name and DuckDB's SQL type, and its rows in blocks, to be read once.

    Values are those of Python; ids and JSON are text, moments are in UTC.
    """

    table: str
    columns: tuple[tuple[str, str], ...]
    blocks: Iterable[Sequence[Record]]


class Declared(Struct, frozen=True):
    """What git says of a row beside its values."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    refs: Mapping[str, tuple[str, ...]]


class LiveRow(Struct, frozen=True):
    """A live row as consumers see it, and where git declares it (`path` None for what left git).

    `declared` is there where it was asked for, and so are `names`: of columns that hold ids, what has these.
    """

    kind: str
    name: str
    values: Mapping[str, Any]
    path: str | None
    line: int | None
    declared: Declared | None = None
    names: Mapping[str, str] | None = None


ORPHANED = "ORPHANED"
"""Beside VALID and INVALID, the status of versions that the branch no longer reaches."""


class VersionRow(Struct, frozen=True):
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


class RecordedEvent(Struct, frozen=True):
    """A host event as it is read back from the ledger, and the host it happened on."""

    host: str
    event: HostEvent


class HistoryPoint(Struct, frozen=True):
    """A place in the history: so many commits of the mainline, and then some that the branch no longer reaches.

    Of those only the valid ones are named. An invalid commit is the same place as the last valid one before it.
    """

    height: int
    dropped: tuple[str, ...] = ()


class SideVersion(Struct, frozen=True):
    """A version off the mainline: its parents, and whether its rows are recorded (it was valid and on it once)."""

    parents: tuple[str, ...]
    has_rows: bool


class HistoryRow(Struct, frozen=True):
    """A row as a mainline commit left it. `values` has the columns of the desired table, with their projection.

    `op` is what the commit did; `prune` what became of the row if that was a delete, else empty.
    """

    op: str
    prune: str
    commit: str
    height: int
    values: Mapping[str, Value]


class HistoryChange(Struct, frozen=True):
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


class ActiveDay(Struct, frozen=True):
    """The mainline's commits of one day by committer time in UTC: how many, and the changes of those not refused."""

    day: date
    commits: int
    invalid: int
    creates: int
    updates: int
    deletes: int
    refused: int = 0


class DriftFilter(Struct, frozen=True):
    """Which host events about drift to find: up to `limit`, those nearest to a time.

    Their detail is cut to `checked`, `counts`, `recorded` (how many rows the event has) and `rows`. With a kind these
    are its rows and its table, or of the rows those of some `ids`, and healed drift of others is left out; else there
    are none. With `commits`, only events while one of these was live.
    """

    near: datetime
    kind: str = ""
    ids: Collection[str] | None = None
    commits: Collection[str] | None = None
    limit: int = 1_000


MAX_REPORTED = 1_000
"""Drifts reported at a time: with before and after, about a megabyte."""

TABLE_ITSELF = ""
"""The id of a drift that is about a table, not about one of its rows."""

DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE = "drift-found", "drift-healed", "drift-gone"
"""Host events: drift was found and left, was healed, or is gone without healing."""
RESTORED = "restored"
"""The host event after which all rows are those of a backup."""
MAX_EVENT_SIZE = 1_000_000
"""Characters of JSON of the rows that one of these events has; `counts` counts them all."""
MAX_EVENT_TEXT = 4_000
"""Characters of JSON of a value in them; of a longer one its beginning is kept, as text."""


class DriftType(StrEnum):
    """How something differs from git."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


class Drift(Struct, frozen=True):
    """One row, or one table as such, that is not what it should be.

    A row: `before` and `after` map columns to values as a live row has them, None where there is no row. Of an altered
    table `before` has only the columns that are as they should be. `name` is None for what git does not know.
    A table: `id` is empty, and they map parts (`column weight`, `index …`, `table`) to their definitions in SQL.
    `fields` are the columns or parts that differ; none for what is missing or extra as a whole. `halted` are those
    of which a halt says what they should be, whatever git says.
    """

    kind: str
    id: str
    name: str | None
    what: DriftType
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    fields: tuple[str, ...] = ()
    halted: tuple[str, ...] = ()

    @property
    def row_id(self) -> RowId:
        """Kind and id; the id is empty for a table."""
        return RowId(self.kind, self.id)

    @property
    def is_table(self) -> bool:
        return self.id == TABLE_ITSELF

    @property
    def digest(self) -> str:
        """Equal when the same was found again."""
        return canonical.digest(self.as_json())

    def as_json(self, longest: int | None = None) -> dict[str, Value]:
        """As JSON values, whatever the row holds; with `longest`, a value of more characters is cut."""
        return {
            "kind": self.kind,
            "id": self.id or None,
            "name": self.name,
            "what": str(self.what),
            "fields": list(self.fields),
            "before": _plain(self.before, longest),
            "after": _plain(self.after, longest),
            **({"halted": list(self.halted)} if self.halted else {}),
        }


class Drifts(Struct, frozen=True):
    """All drift. `reported` holds the first drifts, in order of kind and id; `counts` counts all, by kind."""

    reported: tuple[Drift, ...] = ()
    counts: Mapping[str, int] | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values()) if self.counts else 0

    def only(self, rows: Collection[RowId]) -> Drifts:
        """Those of some rows, among what is reported."""
        reported = tuple(one for one in self.reported if one.row_id in rows)
        return Drifts(reported, dict(Counter(one.kind for one in reported)))

    @property
    def digest(self) -> str:
        """Equal when the same was found again."""
        return canonical.digest(self._content())

    def detail(self, checked: datetime | None = None) -> dict[str, Value]:
        """The detail of a host event; `checked` is when the rows were compared before, where that is known."""
        when: dict[str, Value] = {"checked": canonical.timestamp(checked)} if checked else {}
        return {"found": self.digest, **when, "counts": dict(self.counts or {}), "rows": list(self._rows_of_event())}

    def _rows_of_event(self) -> Iterator[dict[str, Value]]:
        room = MAX_EVENT_SIZE
        for drift in self.reported[:MAX_REPORTED]:
            row = drift.as_json(MAX_EVENT_TEXT)
            room -= len(canonical.dumps(row))
            if room < 0:
                return
            yield row

    def _content(self) -> dict[str, Value]:
        return {"counts": dict(self.counts or {}), "rows": [drift.as_json() for drift in self.reported]}


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of a column are the same: NULL equals NULL, NaN equals NaN, 0.0 equals -0.0."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


def differing_columns(columns: Iterable[str], before: Iterable[Any], after: Iterable[Any]) -> tuple[str, ...]:
    return tuple(name for name, old, new in zip(columns, before, after, strict=True) if not is_same(old, new))


def next_drift_event(found: Drifts, last: tuple[str, str] | None) -> str | None:
    """The event that a scan gives rise to: `DRIFT_FOUND`, `DRIFT_GONE`, or None when the last one says it already.

    `last` is the newest of the events about drift, and the digest of what was found then.
    """
    event, digest = last or (DRIFT_GONE, "")
    if found.total:
        return None if event == DRIFT_FOUND and digest == found.digest else DRIFT_FOUND
    return DRIFT_GONE if event == DRIFT_FOUND else None


def _plain(values: Mapping[str, Any] | None, longest: int | None) -> dict[str, Value] | None:
    if values is None:
        return None
    plain = {name: canonical.to_json_value(value) for name, value in values.items()}
    return plain if longest is None else {name: _cut(value, longest) for name, value in plain.items()}


def _cut(value: Value, longest: int) -> Value:
    text = value if isinstance(value, str) else canonical.dumps(value)
    return value if len(text) <= longest else f"{text[:longest]}…"
