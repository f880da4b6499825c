"""Rows of the history as the resources they were made from, what changed between them, and who set each field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import canonical
from reconciler.history.points import place_of
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.model.change import ORDER, Change, Op, Prune
from reconciler.model.resource import Resource
from reconciler.model.rows import LiveRow
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns, name_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.history import HistoryChange, HistoryRow, SideVersion, VersionRow


def change(kind: Kind, old: HistoryRow | None, new: HistoryRow | None) -> Change | None:
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


def removal(kind: Kind, row: HistoryRow) -> Change:
    """What a commit did that removed a resource, where what was there before it is not known."""
    return Change(Op.DELETE, resource(kind, row), None, _prune(row))


def is_declared(row: HistoryRow) -> bool:
    """Whether git declared it then."""
    return row.op != Op.DELETE


def is_live(row: HistoryRow) -> bool:
    """Whether the row stood in the live table then: what left git may have left its row, switched off or as it was.

    The projection has switched it off wherever that is what became of it. So its status tells, whatever the kind is
    by now.
    """
    prune = _prune(row)
    if is_declared(row) or prune is Prune.OFF:
        return True
    return prune is Prune.DEACTIVATE and row.values.get(STATUS_FIELD) == INACTIVE


def live_row(kind: Kind, row: HistoryRow) -> LiveRow:
    """The row as `get` would have shown it."""
    declared = _declaration(kind, row)
    fields = (*(column.name for column in kind.columns), *TIMESTAMPS)
    values = {field: value(kind, row, field) for field in fields}
    return LiveRow(kind.name, declared["name"], values, declared["path"], declared["line"])


def best_first(kind: Kind, rows: Iterable[HistoryRow], name: str) -> list[HistoryRow]:
    """Those that went by a name before the one that goes by an id, what git declared before what it no longer did."""
    return sorted(rows, key=lambda row: (names(kind, row)[0] != name, not is_declared(row), row.values[kind.key]))


def names(kind: Kind, row: HistoryRow) -> tuple[Any, Any]:
    """What the row went by: its name and its id."""
    return row.values[name_column(kind)], row.values[kind.key]


def resource(kind: Kind, row: HistoryRow) -> Resource:
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


def value(kind: Kind, row: HistoryRow, field: str) -> Any:
    """A field's value as git has it: JSON is a value, not its text."""
    found, column = row.values.get(field), kind.column(field)
    is_json = column is not None and column.type is SqlType.JSON and isinstance(found, str)
    return json.loads(str(found)) if is_json else found


def _declaration(kind: Kind, row: HistoryRow) -> dict[str, Any]:
    pairs = zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)
    return {plain: row.values[column] for (plain, _), (column, _) in pairs}


def _prune(row: HistoryRow) -> Prune:
    """Rows that were recorded before the ledger kept it were removed in the usual way."""
    return Prune(row.prune) if row.prune else Prune.DEACTIVATE


class Entry(NamedTuple):
    """A change and the version that made it."""

    version: VersionRow
    change: Change


def timeline(kind: Kind, past: Sequence[HistoryChange], aside: Mapping[str, SideVersion], limit: int) -> list[Entry]:
    """What happened, the highest commit first, so many at most.

    `past` is in that order and has of each row among the first so many the change before, too. `aside` are the versions
    beside the mainline: a commit that was dropped changed what it stood upon, not what took its place.
    """
    told = []
    for position, one in enumerate(past[:limit]):
        before = _before(kind, one, past[position + 1 :], aside)
        happened = change(kind, before, one.row)
        if happened is None and not is_declared(one.row):
            happened = removal(kind, one.row)
        if happened is not None:
            told.append(Entry(one.version, happened))
    return told


def together(timelines: Iterable[Iterable[Entry]], limit: int) -> list[Entry]:
    """The newest of several kinds; within a commit as a plan has them, deletions first."""
    return sorted((entry for entries in timelines for entry in entries), key=_rank)[:limit]


def _before(
    kind: Kind, one: HistoryChange, past: Sequence[HistoryChange], aside: Mapping[str, SideVersion]
) -> HistoryRow | None:
    """The row as the commit found it."""
    place = place_of(one.version, aside)
    id_, own = one.row.values[kind.key], one.row.commit
    return next(
        (
            earlier.row
            for earlier in past
            if earlier.row.values[kind.key] == id_
            and earlier.row.commit != own
            and earlier.row.height < one.row.height
            and (
                earlier.row.commit in place.dropped
                or (earlier.row.commit not in aside and earlier.row.height <= place.height)
            )
        ),
        None,
    )


def _rank(entry: Entry) -> tuple[int, str, int, str, str]:
    resource = entry.change.resource
    version = entry.version
    return -version.height, version.commit.sha, ORDER.index(entry.change.op), resource.kind, resource.name


class Blamed(NamedTuple):
    """A field with its present value, and the version that set it."""

    field: str
    value: Any
    version: VersionRow


def blame(kind: Kind, past: Iterable[HistoryChange]) -> list[Blamed]:
    """Every field of one row: its columns, then name, labels, annotations and references.

    `past` holds its changes, the oldest first. What comes back after it had left git begins anew.
    """
    blamed: dict[str, Blamed] = {}
    declared = False
    for one in past:
        before = blamed
        anew, declared = is_declared(one.row) and not declared, is_declared(one.row)
        blamed = {
            field: before[field]
            if not anew and field in before and _same(before[field].value, value)
            else Blamed(field, value, one.version)
            for field, value in _fields(kind, one.row).items()
        }
    return list(blamed.values())


def _fields(kind: Kind, row: HistoryRow) -> dict[str, Any]:
    found = resource(kind, row)
    fields: dict[str, Any] = {**found.values, "name": found.name}
    fields |= {f"labels.{key}": text for key, text in sorted(found.labels.items())}
    fields |= {f"annotations.{key}": text for key, text in sorted(found.annotations.items())}
    for role, names in sorted(found.refs.items()):
        fields[f"refs.{role}"] = names[0] if len(names) == 1 else list(names)
    return fields


def _same(one: Any, other: Any) -> bool:
    return canonical.dumps(one) == canonical.dumps(other)  # as text: to Python, 1 is True
