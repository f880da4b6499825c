"""What the live view in Redis holds of a row, and of the state at a commit."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.model.change import Op
from reconciler.model.live import Use, ViewMark, ViewStep, ViewWrite, to_milliseconds
from reconciler.tables.rows import is_live, last_stamp, live_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied
    from reconciler.model.live import CacheState


def view_mark(applied: Applied) -> ViewMark:
    """The state of an applied commit."""
    return ViewMark(applied.stamp.commit, applied.live_digest, applied.height)


def is_behind(state: CacheState, applied: Applied | None) -> bool:
    """Whether the view is not what the store holds: flushed, half written, an old snapshot, another server's."""
    return applied is not None and state.mark != view_mark(applied)


def view_step(kinds: Kinds, base: Applied, applied: Applied, rows: Iterable[Row]) -> ViewStep:
    """What changes in a view that is at `base` with the rows that differ."""
    return ViewStep(view_mark(base), view_mark(applied), tuple(view_writes(kinds, rows)))


def view_writes(kinds: Kinds, rows: Iterable[Row]) -> Iterator[ViewWrite]:
    """One write for each row of these kinds, tombstones too."""
    for row in rows:
        kind = kinds.by_name.get(row.resource.kind)
        if kind is not None:
            yield view_write(kind, row)


def view_write(kind: Kind, row: Row) -> ViewWrite:
    """What the view holds of a row."""
    text = _row_json(kind, live_values(kind, row)) if is_live(kind, row) else None
    resource = row.resource
    return ViewWrite(
        op=_operation(row),
        kind=kind.name.lower(),
        name=resource.name,
        id=resource.id,
        json=text,
        use=_use(row),
        changed=to_milliseconds(last_stamp(row).time),
    )


def _operation(row: Row) -> Op:
    if row.removed is not None:
        return Op.DELETE
    return Op.CREATE if row.created == row.updated else Op.UPDATE


def _use(row: Row) -> Use:
    if row.removed is not None:
        return Use.GONE
    status = (row.halted or row.resource.values).get(STATUS_FIELD)
    return Use.INACTIVE if status == INACTIVE else Use.LIVE


def _row_json(kind: Kind, values: tuple[Any, ...]) -> str:
    names, structured = _columns(kind)
    *shown, created, updated = values
    for position in structured:
        shown[position] = None if shown[position] is None else json.loads(shown[position])
    return _ENCODER.encode(dict(zip(names, (*shown, _timestamp(created), _timestamp(updated)), strict=True)))


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=64)
def _columns(kind: Kind) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What a row shows, in order, and which of it is JSON."""
    structured = (position for position, column in enumerate(kind.columns) if column.type is SqlType.JSON)
    return (*(column.name for column in kind.columns), *TIMESTAMPS), tuple(structured)


@lru_cache(maxsize=1_024)
def _timestamp(moment: datetime) -> str:
    """Few commits made most rows."""
    return canonical.timestamp(moment)
