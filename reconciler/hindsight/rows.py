"""A row of the history as the resource it was made from, and what happened from one to the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.model.change import Change, Op, Prune
from reconciler.model.resource import Resource
from reconciler.ports import LiveRow
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns, name_column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.kinds.kind import Kind
    from reconciler.ports import PastRow


def change(kind: Kind, old: PastRow | None, new: PastRow | None) -> Change | None:
    """What happened to a resource from one state of its row to another; None when git declares the same at both.

    As `snapshot.difference` has it: what was a tombstone and is declared again is a create.
    """
    was, now = (resource(kind, row) if row is not None and is_declared(row) else None for row in (old, new))
    if was is not None and now is not None:
        return Change(Op.UPDATE, was, now) if was.digest != now.digest else None
    if now is not None:
        return Change(Op.CREATE, None, now)
    if was is None:
        return None
    # Without a row there was nothing yet at the other point: going back there, nothing of it stays
    return Change(Op.DELETE, was, None, _prune(new) if new is not None else Prune.DELETE)


def removal(kind: Kind, row: PastRow) -> Change:
    """What a commit did that removed a resource, where what was there before it is not known."""
    return Change(Op.DELETE, resource(kind, row), None, _prune(row))


def is_declared(row: PastRow) -> bool:
    """Whether git declared it then."""
    return row.op != Op.DELETE


def is_live(row: PastRow) -> bool:
    """Whether the row stood in the live table then: what left git may have left its row, switched off or as it was.

    The projection has switched it off wherever that is what became of it. So its status tells, whatever the kind is
    by now.
    """
    prune = _prune(row)
    if is_declared(row) or prune is Prune.OFF:
        return True
    return prune is Prune.DEACTIVATE and row.values.get(STATUS_FIELD) == INACTIVE


def live_row(kind: Kind, row: PastRow) -> LiveRow:
    """The row as `get` would have shown it."""
    declared = _declaration(kind, row)
    fields = (*(column.name for column in kind.columns), *TIMESTAMPS)
    values = {field: value(kind, row, field) for field in fields}
    return LiveRow(kind.name, declared["name"], values, declared["path"], declared["line"])


def best_first(kind: Kind, rows: Iterable[PastRow], name: str) -> list[PastRow]:
    """Those that went by a name before the one that goes by an id, what git declared before what it no longer did."""
    return sorted(rows, key=lambda row: (names(kind, row)[0] != name, not is_declared(row), row.values[kind.key]))


def names(kind: Kind, row: PastRow) -> tuple[Any, Any]:
    """What the row went by: its name and its id."""
    return row.values[name_column(kind)], row.values[kind.key]


def resource(kind: Kind, row: PastRow) -> Resource:
    """The resource that the row was made from. Its place is empty where it had left git; a removed one's may say
    INACTIVE where it did not.
    """
    declared = _declaration(kind, row)
    return Resource(
        kind=kind.name,
        name=declared["name"],
        id=str(row.values[kind.key]),
        values={column.name: value(kind, row, column.name) for column in kind.columns},
        labels=json.loads(declared["labels"]),
        annotations=json.loads(declared["annotations"]),
        refs={role: tuple(names) for role, names in json.loads(declared["refs"]).items()},
        path=declared["path"] or "",
        line=declared["line"] or 1,
        digest=declared["digest"],
    )


def value(kind: Kind, row: PastRow, field: str) -> Any:
    """A field's value as git has it: JSON is a value, not its text."""
    found, column = row.values.get(field), kind.column(field)
    is_json = column is not None and column.type is SqlType.JSON and isinstance(found, str)
    return json.loads(str(found)) if is_json else found


def _declaration(kind: Kind, row: PastRow) -> dict[str, Any]:
    pairs = zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)
    return {plain: row.values[column] for (plain, _), (column, _) in pairs}


def _prune(row: PastRow) -> Prune:
    """Rows that were recorded before the ledger kept it were removed in the usual way."""
    return Prune(row.prune) if row.prune else Prune.DEACTIVATE
