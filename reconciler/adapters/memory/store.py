"""The live rows in dictionaries. Implements the port `Store`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.adapters.memory.base import MemoryBase
from reconciler.errors import BugError, NeedsHuman
from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.ports import Applied, Attempt, LiveRow
from reconciler.tables.rows import is_live, live_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.kinds.registry import Kinds
    from reconciler.model.change import Row
    from reconciler.model.resource import RowId
    from reconciler.ports import Application, Base, Clock


class MemoryStore:
    """Holds every row by its id; what stands in a table is worked out when it is asked for.

    It has no tables, hence no checks either: a row that a schema does not allow is taken as it is.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owner: tuple[str, str] | None = None
        self._kinds: dict[str, Kind] = {}
        self._rows: dict[RowId, Row] = {}
        self._applied: Applied | None = None
        self._attempted: Attempt | None = None

    def claim(self, repository: str, branch: str) -> None:
        """Bind the store to a repository and branch."""
        if self._owner is not None and self._owner[0] != repository:
            raise NeedsHuman(f"this store belongs to the repository {self._owner[0]}, not to {repository}")
        self._owner = (repository, branch)

    def applied(self) -> Applied | None:
        """The applied commit."""
        return self._applied

    def attempted(self) -> Attempt | None:
        """The newest attempt."""
        return self._attempted

    def kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schemas of the kinds in force, by kind."""
        return {name: kind.schema for name, kind in self._kinds.items()}

    def base(self, kinds: Kinds) -> Base:
        """The state at the applied commit."""
        return MemoryBase(self._rows, kinds)

    def apply(self, kinds: Kinds, step: Application) -> None:
        """Write the touched rows; every other stays."""
        rows = self._rows | _by_id(kinds, step)
        declared = [row.resource for row in rows.values() if row.removed is None]
        homeless = {resource.kind for resource in declared if resource.kind not in kinds.by_name}
        if homeless:
            raise NeedsHuman(f"the kind {min(homeless)} is gone, but rows of it are still declared")
        self._become(kinds, step, rows)

    def replace(self, kinds: Kinds, step: Application) -> None:
        """Hold exactly the rows of a step."""
        self._become(kinds, step, _by_id(kinds, step))

    def refuse(self, attempt: Attempt) -> None:
        """Record that a commit was refused."""
        if not attempt.refused:
            raise BugError(f"the attempt at {attempt.stamp.commit} was not refused")
        self._attempted = attempt

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind."""
        return {name: len(self.live(kind)) for name, kind in self._kinds.items()}

    def live(self, kind: Kind, name: str | None = None) -> tuple[LiveRow, ...]:
        """The live rows of a kind in order of name, or those that go by a name."""
        if kind.name not in self._kinds:
            return ()
        rows = (row for row in self._rows.values() if row.resource.kind == kind.name and is_live(kind, row))
        found = (row for row in rows if name in (None, row.resource.name))
        return tuple(_live_row(kind, row) for row in sorted(found, key=_order))

    def _become(self, kinds: Kinds, step: Application, rows: dict[RowId, Row]) -> None:
        now, stamp = self._clock.now(), step.commit.stamp
        self._kinds = dict(kinds.by_name)
        self._rows = rows
        self._applied = Applied(stamp, step.height, step.digest, now)
        self._attempted = Attempt(stamp, now, refused=False, problems=step.warnings)


def _by_id(kinds: Kinds, step: Application) -> dict[RowId, Row]:
    rows = {row.row_id: row for row in step.rows}
    if len(rows) < len(step.rows):
        raise BugError("a step holds a row twice")
    for row in step.rows:
        if row.removed is None and row.resource.kind not in kinds.by_name:
            raise BugError(f"a step declares {row.resource.name}, but there is no kind {row.resource.kind}")
    return rows


def _order(row: Row) -> tuple[str, bool, str]:
    return (row.resource.name, row.removed is not None, row.resource.id)


def _live_row(kind: Kind, row: Row) -> LiveRow:
    *values, created, updated = live_values(kind, row)
    read = {
        column.name: json.loads(value) if column.type is SqlType.JSON and value is not None else value
        for column, value in zip(kind.columns, values, strict=True)
    }
    stamps = zip(TIMESTAMPS, map(canonical.utc, (created, updated)), strict=True)
    declared = row.removed is None
    return LiveRow(
        kind=kind.name,
        name=row.resource.name,
        values={**read, **dict(stamps)},
        path=row.resource.path if declared else None,
        line=row.resource.line if declared else None,
    )
