"""What the history made of the declarations: every row that ever was, with the commits it came from.

A function of the first-parent history alone. Rows, their time stamps and the tombstones of what left git come out the
same whether a host saw each commit as it came, slept for a week, or starts from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.model.change import Op, Removal, Row
from reconciler.model.commit import RowChange
from reconciler.slices import in_order
from reconciler.snapshot import difference
from reconciler.snapshot.overlay import Overlay

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.change import Prune, Stamp
    from reconciler.model.resource import Resource, RowId
    from reconciler.ports import Base
    from reconciler.snapshot.tree import Tree


@dataclass(frozen=True, slots=True)
class Lineage:
    """Rows by id, tombstones included, and the digest of all that is declared (tombstones not included)."""

    rows: Overlay[RowId, Row | None]
    digest: str = canonical.EMPTY_SET


def begin(base: Base, digest: str) -> Lineage:
    """The lineage of a valid state that a base holds."""
    return Lineage(Overlay(base.row), digest)


def evolve(
    lineage: Lineage, tree: Tree, touched: Collection[RowId], stamp: Stamp, prune: Prune
) -> tuple[Lineage, tuple[RowChange, ...]]:
    """The lineage after a valid commit whose tree is given, and what the commit did to the rows it touched.

    `prune` is what becomes of the rows of what it removes.
    """
    rows = lineage.rows.draft()
    done: list[RowChange] = []
    for row_id in in_order(touched):
        old = lineage.rows[row_id]
        declared = tree.ids[row_id]
        new = _next(old, declared[0] if declared else None, stamp, prune)
        if new is None or new == old:
            continue
        rows[row_id] = new
        change = difference.between(old, new)
        if change is not None:
            done.append(RowChange(change, new))
    return Lineage(rows.settle(), _digest(lineage.digest, done)), tuple(done)


def _next(old: Row | None, declared: Resource | None, stamp: Stamp, prune: Prune) -> Row | None:
    if declared is None:
        gone = old is None or old.removed is not None
        if gone or old is None:
            return old
        return Row(old.resource, old.created, old.updated, Removal(stamp.commit, stamp.time, prune))
    if old is None:
        return Row(declared, created=stamp, updated=stamp)
    same = old.removed is None and old.resource.digest == declared.digest
    return Row(declared, old.created, updated=old.updated if same else stamp)


def _digest(start: str, done: list[RowChange]) -> str:
    changes = [step.change for step in done]
    return canonical.add_digests(
        start,
        added=[change.new.digest for change in changes if change.new is not None and change.op is not Op.DELETE],
        removed=[change.old.digest for change in changes if change.old is not None],
    )
