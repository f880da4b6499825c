"""Where a change of a row stands among all that are recorded: what is asked for in pages goes on after one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.change import ORDER, Op
from reconciler.ports import ChangePlace
from reconciler.tables.rows import name_column

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind
    from reconciler.ports import PastChange

Order = tuple[int, int, str, str, str]


def change_place(kind: Kind, change: PastChange) -> ChangePlace:
    """The place of a change of a kind's row."""
    row = change.row
    rank, id_ = ORDER.index(Op(row.op)), str(row.values[kind.key])
    return ChangePlace(row.height, rank, kind.name, str(row.values[name_column(kind)]), id_)


def order_of(place: ChangePlace) -> Order:
    """What places are sorted by: the highest commit first."""
    return -place.height, *place[1:]
