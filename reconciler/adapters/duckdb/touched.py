"""The rows of a step, sorted by what has to be done with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.errors import BugError
from reconciler.tables.rows import is_live

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.change import Row


@dataclass(slots=True)
class Touched:
    """One kind's rows of a step: what git declares, and what left it."""

    declared: list[Row] = field(default_factory=list)
    removed: list[Row] = field(default_factory=list)

    def ids(self) -> list[str]:
        """The ids of all of them."""
        return [row.resource.id for row in (*self.declared, *self.removed)]

    def live(self, kind: Kind) -> list[Row]:
        """Those that stand in the tables."""
        return self.declared + [row for row in self.removed if is_live(kind, row)]

    def dead(self, kind: Kind) -> list[str]:
        """The ids of those that leave the tables."""
        return [row.resource.id for row in self.removed if not is_live(kind, row)]


def sort(kinds: Kinds, rows: Iterable[Row]) -> dict[str, Touched]:
    """The rows by the names of their kinds, each of the given kinds among them.

    Raises `BugError` for a row that comes twice, or that is declared but of none of these kinds.
    """
    seen = set()
    sorted_rows = {kind.name: Touched() for kind in kinds}
    for row in rows:
        name = row.resource.kind
        if row.row_id in seen:
            raise BugError(f"a step holds {name} {row.resource.id} twice")
        seen.add(row.row_id)
        if row.removed is not None:
            sorted_rows.setdefault(name, Touched()).removed.append(row)
        elif name in kinds.by_name:
            sorted_rows[name].declared.append(row)
        else:
            raise BugError(f"a step declares {name}/{row.resource.name}, but there is no kind {name}")
    return sorted_rows
