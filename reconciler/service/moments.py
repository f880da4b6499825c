"""A row as it was at one moment beside another one: the page `/resources/{kind}/{name}?at=`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct

from reconciler import answers, canonical
from reconciler.errors import UsageError
from reconciler.report.history import build_history_point
from reconciler.service.history import rows_at
from reconciler.service.past import open_past

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.rows import LiveRow
    from reconciler.service.context import Context

NOW = "now"


class RowMoment(Struct, frozen=True):
    """A row at a moment; `values` is None where it was not live. `point` is None for what is live now."""

    asked: str
    values: Mapping[str, Any] | None
    point: answers.HistoryPoint | None = None


def read_moments(context: Context, kind: Kind, name: str, times: Sequence[str]) -> list[RowMoment]:
    """A row at each of some commits, tags or points in time. Raises `UsageError` where one of them is none."""
    with open_past(context) as past:
        found = []
        for at in times:
            place = past.live_point(at)
            point = build_history_point(place, past.fate_at(place))
            try:
                values: Mapping[str, Any] | None = rows_at(past, kind.table, name, at).rows[0].values
            except UsageError:  # the point is there, so it is the row that is not
                values = None
            found.append(RowMoment(at, values, point))
        return found


def live_moment(row: LiveRow | None) -> RowMoment:
    """A row as it is live now."""
    return RowMoment(NOW, None if row is None else row.values)


def build_moments(
    kind: Kind, name: str, moments: Sequence[RowMoment], changes: Sequence[answers.RecordedChange]
) -> dict[str, Any]:
    """What the page is made from. `changes` are those of the resource, the newest first: the steps to go by."""
    columns = [column.name for column in kind.columns]
    values = [[canonical.to_json_value((one.values or {}).get(column)) for one in moments] for column in columns]
    return {
        "kind": kind.name,
        "name": name,
        "moments": [
            {
                "asked": one.asked,
                "present": one.values is not None,
                "point": answers.to_json(one.point) if one.point else None,
            }
            for one in moments
        ],
        "fields": [
            {
                "field": column.name,
                "units": [column.unit_in(one.values or {}) for one in moments],
                "values": found,
                "same": len({canonical.dumps(value) for value in found}) == 1,
            }
            for column, found in zip(kind.columns, values, strict=True)
        ],
        **_find_steps(moments[0].point, changes),
    }


def _find_steps(point: answers.HistoryPoint | None, changes: Sequence[answers.RecordedChange]) -> dict[str, Any]:
    """The commits of the changes before and after the one that was in force at a point."""
    steps = [change for change in changes if not change.orphaned and change.branch is UNSET]
    height = point.height if point else 0
    before = [change.commit for change in steps if change.height <= height]
    after = [change.commit for change in steps if change.height > height]
    return {"previous": before[1] if len(before) > 1 else None, "next": after[-1] if after else None}
