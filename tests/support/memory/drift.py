"""Live rows that somebody wrote past the program, and how they differ from what git says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.model.rows import TABLE_ITSELF, Drift, Drifts, DriftType, LiveRow, differing_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from reconciler.model.change import RowId

    Rows = Mapping[RowId, LiveRow]
    Written = Mapping[RowId, Mapping[str, Any] | None]
    """Values by row, None for a row that was deleted."""


def with_written(said: Rows, written: Written, kind: str) -> Iterator[LiveRow]:
    """The live rows of a kind: those that git says, as somebody left them, and those that git does not know."""
    for row_id, row in said.items():
        values = written.get(row_id, row.values)
        if values is not None:
            yield replace(row, values=values)
    for row_id, values in written.items():
        if row_id.kind == kind and row_id not in said and values is not None:
            yield LiveRow(kind, row_id.id, values, path=None, line=None)


def scan(said: Rows, written: Written, leaving: Collection[RowId], limit: int) -> Drifts:
    """What differs, in order of kind and id."""
    left = {row.kind for row in leaving if row.id == TABLE_ITSELF}
    asked = sorted(row for row in written if row not in leaving and row.kind not in left)
    found = [drift for row in asked if (drift := _drift(row, said.get(row), written[row])) is not None]
    return Drifts(tuple(found[:limit]), dict(Counter(drift.kind for drift in found)))


def _drift(row_id: RowId, said: LiveRow | None, found: Mapping[str, Any] | None) -> Drift | None:
    name, after = (said.name, said.values) if said else (None, None)
    if after is None or found is None:
        what = DriftType.MISSING if found is None else DriftType.EXTRA
        return None if after is found else Drift(row_id.kind, row_id.id, name, what, found, after)
    fields = differing_columns(after, found.values(), after.values())
    return Drift(row_id.kind, row_id.id, name, DriftType.CHANGED, found, after, fields) if fields else None
