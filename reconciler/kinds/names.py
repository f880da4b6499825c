"""Names that are made for a kind's tables beside those of its fields, and where two of them are one.

Fields keep their names. A column that every table has is prefixed where a kind has a field of that name; that the
prefixed name may be a field's as well is a flaw of the schema, as no database takes a name twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds.kind import ANNOTATION, child
from reconciler.kinds.parts import Flaw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.kinds.kind import Kind

DECLARED = ("name", "labels", "annotations", "refs", "path", "line", "digest", "created_commit", "updated_commit")
"""What a desired row has beyond the live one."""

RECORDED = ("repository", "branch", "op", "height", "commit_sha", "committed_at", "prune")
"""What a history row has before the columns of the desired one."""

LOOKED_UP = ("name", "path")
"""Declaration columns with an index of their own, so that a lookup does not scan 100,000 rows."""

_INDEXES = f"/{ANNOTATION}/indexes"
_RENAME = "give one of the two another name"


def declared_name(kind: Kind, name: str) -> str:
    """A column of the declaration as a kind's tables name it."""
    return f"declared_{name}" if kind.column(name) else name


def recorded_name(kind: Kind, name: str) -> str:
    """The history's own column as a kind's table names it."""
    return f"history_{name}" if kind.column(name) else name


def index_name(table: str, columns: Iterable[str]) -> str:
    """The name of an index."""
    return "_".join((table, *columns, "index"))


def find_name_flaws(kind: Kind, accepted: Iterable[Kind]) -> Iterator[Flaw]:
    """Names of a kind that are another one's: its own, or of a kind that was accepted before it."""
    yield from _find_column_flaws(kind)
    live: dict[str, str] = {}
    desired: dict[str, str] = {}
    for other in accepted:
        if other.table == kind.table:  # that is told as it is
            continue
        taken = f"{other.origin or other.name} has an index"
        live |= dict.fromkeys(_live_indexes(other), taken)
        desired |= dict.fromkeys(_desired_indexes(other), taken)
    for name in _desired_indexes(kind):
        if name in desired:
            message = f"{desired[name]} called {name}, as this table would have"
            yield Flaw(f"/{ANNOTATION}/table", message, "give this table another name")
    for number, name in enumerate(_live_indexes(kind)):
        if name in live:
            message = f"{live[name]} called {name}, as this one would be"
            yield Flaw(child(_INDEXES, number), message, "leave one of the two out, or give a column another name")
        live.setdefault(name, f"index {number + 1} is")


def _find_column_flaws(kind: Kind) -> Iterator[Flaw]:
    made = {declared_name(kind, name): name for name in DECLARED}
    made |= {recorded_name(kind, name): name for name in RECORDED}
    for column in kind.columns:
        name = made.get(column.name)
        if name is not None:
            message = f"the column {column.name} is taken: beside a field {name}, every table's own {name} is called so"
            yield Flaw(child(f"/{ANNOTATION}/columns", column.name), message, _RENAME, at_key=True)


def _live_indexes(kind: Kind) -> tuple[str, ...]:
    return tuple(index_name(kind.table, columns) for columns in kind.indexes)


def _desired_indexes(kind: Kind) -> tuple[str, ...]:
    return tuple(index_name(kind.table, (declared_name(kind, name),)) for name in LOOKED_UP)
