"""Live rows that somebody wrote past the program, and how they differ from what git says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler.model.rows import (
    DRIFT_FOUND,
    DRIFT_GONE,
    DRIFT_HEALED,
    RESTORED,
    TABLE_ITSELF,
    Drift,
    Drifts,
    DriftType,
    LiveRow,
    differing_columns,
)
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.model.change import RowId
    from reconciler.model.host import HostEvent
    from reconciler.model.rows import DriftFilter

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


def filter_drift_events(events: Iterable[HostEvent], only: DriftFilter) -> tuple[HostEvent, ...]:
    """The events about drift that a filter lets through, cut to what it asks for, the oldest first."""
    about = [one for one in events if one.event in {DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE, RESTORED}]
    cut = [replace(one, detail=_cut_detail(one.detail, only)) for one in about if _is_asked(one, only)]
    kept = [one for one in cut if not only.kind or one.event != DRIFT_HEALED or one.detail["rows"]]
    nearest = sorted(kept, key=lambda one: (abs(one.at - only.near), -one.seq))[: only.limit]
    return tuple(sorted(nearest, key=lambda one: (one.at, one.seq)))


def _is_asked(event: HostEvent, only: DriftFilter) -> bool:
    return only.commits is None or event.commit in only.commits


def _cut_detail(detail: Mapping[str, Any], only: DriftFilter) -> dict[str, Any]:
    rows = detail.get("rows", [])
    kept = [row for row in rows if row["kind"] == only.kind and (only.ids is None or row["id"] in (None, *only.ids))]
    counts = detail.get("counts", {})
    return {"checked": detail.get("checked"), "counts": counts, "recorded": len(rows), "rows": kept}
