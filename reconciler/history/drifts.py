"""When live rows were not what git said, out of what a host recorded: values in, values out."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from reconciler import canonical
from reconciler.model.rows import DRIFT_FOUND, DRIFT_GONE, DRIFT_HEALED
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.model.host import HostEvent
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.rows import HistoryChange

    RowKey = tuple[str, str | None]
    """Kind and id, None for the table."""


class DriftEnd(StrEnum):
    """Why a row is not as it was found any more.

    This host put it right; it was right at a later scan, or all rows were replaced; something else was found there.
    """

    HEALED = "healed"
    GONE = "gone"
    CHANGED = "changed"


class PastDrift(Struct, frozen=True):
    """A row, or a table as such, was found at a time not to be what git said.

    `row` is what `model.rows.Drift.as_json` makes of it, `commit` was live. `right_at` is when it was last seen to be
    right before; None where that is not known. `ended` and `end` are None while it is so.
    """

    row: Mapping[str, Any]
    commit: str | None
    found: datetime
    right_at: datetime | None = None
    ended: datetime | None = None
    end: DriftEnd | None = None

    @property
    def key(self) -> RowKey:
        return self.row["kind"], self.row["id"]

    def begins(self, interval: LiveInterval) -> datetime:
        """From when on the row may have been so, given what was live at a time that is asked about."""
        if self.right_at is not None:
            return self.right_at
        is_within = interval.since <= self.found and (interval.until is None or self.found <= interval.until)
        return interval.since if is_within else self.found

    def may_hold_at(self, moment: datetime, interval: LiveInterval) -> bool:
        """Whether the row was, or may have been, so at a time of an interval."""
        return (self.begins(interval) <= moment) and (self.ended is None or moment < self.ended)


def collect_drifts(events: Iterable[HostEvent]) -> list[PastDrift]:
    """What the events of a host about drift tell, in the order in which it was found.

    Their detail is as `model.rows.DriftFilter` says. A scan that found other rows proves that a row is right, unless it
    recorded only a part of them.
    """
    found: list[PastDrift] = []
    at: dict[RowKey, int] = {}
    """Where in `found` the drift of a row is that has not ended."""
    right: dict[RowKey, datetime] = {}
    store = ""

    def close(key: RowKey, event: HostEvent, how: DriftEnd) -> None:
        number = at.pop(key)
        found[number] = replace(found[number], ended=max(event.at, found[number].found), end=how)
        if how is not DriftEnd.CHANGED:
            right[key] = event.at

    def begin(key: RowKey, row: Mapping[str, Any], event: HostEvent) -> None:
        is_open = key in at
        if is_open and _is_same(found[at[key]].row, row):
            return
        if is_open:
            close(key, event, DriftEnd.CHANGED)
        known = [one for one in (_checked(event), right.get(key)) if one is not None and one <= event.at]
        at[key] = len(found)
        found.append(PastDrift(row, event.commit, event.at, None if is_open else max(known, default=None)))

    for event in sorted(events, key=lambda event: (event.at, event.seq)):
        rows = {(row["kind"], row["id"]): row for row in cast("list[Mapping[str, Any]]", event.detail.get("rows", []))}
        over: Iterable[RowKey] = ()
        if event.event not in (DRIFT_FOUND, DRIFT_GONE, DRIFT_HEALED) or event.store != store:
            over = tuple(at)
        elif event.event != DRIFT_HEALED and _is_complete(event):
            over = at.keys() - rows.keys()
        for key in tuple(over):
            close(key, event, DriftEnd.GONE)
        store = event.store
        for key, row in rows.items():
            begin(key, row, event)
            if event.event == DRIFT_HEALED:
                close(key, event, DriftEnd.HEALED)
    return found


def assign_drifts(
    drifts: Iterable[PastDrift], changes: Sequence[HistoryChange], key: str, heights: Mapping[str, int]
) -> tuple[dict[tuple[str, str], list[PastDrift]], list[PastDrift]]:
    """Drifts by the change that had made the row what git said: its commit and the row's id in the column `key`.

    `heights` are those of the mainline's commits. Also what is left: found while another branch was live, or a commit
    that the branch has lost.
    """
    assigned: dict[tuple[str, str], list[PastDrift]] = defaultdict(list)
    left: list[PastDrift] = []
    for drift in drifts:
        height, id_ = heights.get(drift.commit or ""), drift.row["id"]
        below = [
            change
            for change in changes
            if height is not None
            and not change.version.orphaned
            and change.row.height <= height
            and id_ in (None, str(change.row.values[key]))
        ]
        if below:
            newest = max(below, key=lambda change: change.row.height)
            assigned[newest.version.commit.sha, str(newest.row.values[key])].append(drift)
        else:
            left.append(drift)
    return assigned, left


def of_interval(events: Iterable[HostEvent], interval: LiveInterval) -> Iterator[HostEvent]:
    """The events about drift while a commit was live."""
    for event in events:
        is_drift = event.event in (DRIFT_FOUND, DRIFT_HEALED, DRIFT_GONE) and event.commit == interval.commit
        if is_drift and interval.since <= event.at and (interval.until is None or event.at < interval.until):
            yield event


def _is_complete(event: HostEvent) -> bool:
    """Whether an event has all rows that were found."""
    counts, recorded = cast("dict[str, int]", event.detail["counts"]), cast("int", event.detail["recorded"])
    return recorded >= sum(counts.values())


def _checked(event: HostEvent) -> datetime | None:
    text = event.detail.get("checked")
    return canonical.utc(datetime.fromisoformat(text)) if isinstance(text, str) else None


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical.dumps(dict(one)) == canonical.dumps(dict(other))
