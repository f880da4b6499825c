"""Rows of the history as the resources they were made from, what changed between them, and who set each field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler import canonical
from reconciler.history.points import point_of
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.model.change import ORDER, Change, Op, Prune, Resource
from reconciler.model.rows import Declared, LiveRow
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns, name_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.halt import Halts
    from reconciler.model.rows import HistoryChange, HistoryRow, SideVersion, VersionRow


def change_between(kind: Kind, old: HistoryRow | None, new: HistoryRow | None) -> Change | None:
    """The change of a resource from one state of its row to another; None when git declares the same at both.

    As in `snapshot.change_between`: a tombstone that is declared again is a create.
    """
    old_resource, new_resource = (
        resource_of(kind, row) if row is not None and is_declared(row) else None for row in (old, new)
    )
    if old_resource is not None and new_resource is not None:
        return Change(Op.UPDATE, old_resource, new_resource) if old_resource.digest != new_resource.digest else None
    if new_resource is not None:
        return Change(Op.CREATE, None, new_resource)
    if old_resource is None:
        return None
    # Without a row there was nothing yet at the other point: going back there, nothing of it stays
    return Change(Op.DELETE, old_resource, None, _prune(new) if new is not None else Prune.DELETE)


def removal_change(kind: Kind, row: HistoryRow) -> Change:
    """The removal of a resource by a commit, when the row before it is not known."""
    return Change(Op.DELETE, resource_of(kind, row), None, _prune(row))


def is_declared(row: HistoryRow) -> bool:
    """Whether git declared the resource then."""
    return row.op != Op.DELETE


def is_live(row: HistoryRow) -> bool:
    """Whether the row was in the live table then: a resource that left git may have left its row, deactivated or not.

    The projection has set the status of a deactivated row, so the status decides, whatever the kind is by now.
    """
    prune = _prune(row)
    if is_declared(row) or prune is Prune.OFF:
        return True
    return prune is Prune.DEACTIVATE and row.values.get(STATUS_FIELD) == INACTIVE


def fits(kind: Kind | None, row: HistoryRow) -> bool:
    """Whether the row has a place in the live table of its kind as it was then (None: there was none).

    What left git may lose it to a schema.
    """
    if is_declared(row):
        return True
    return kind is not None and all(column.holds(row.values.get(column.name)) for column in kind.columns)


def to_live_row(kind: Kind, row: HistoryRow, halts: Halts) -> LiveRow:
    """The row as `get` would have shown it under some halts."""
    declaration = _declaration(kind, row)
    fields = (*(column.name for column in kind.columns), *TIMESTAMPS)
    values = {field: field_value(kind, row, field) for field in fields}
    labels, annotations, refs = (json.loads(declaration[part]) for part in ("labels", "annotations", "refs"))
    declared = Declared(labels, annotations, {role: tuple(names) for role, names in refs.items()})
    if kind.halt and halts.find(kind.name, declaration["name"], str(values[kind.key]), labels) is not None:
        values |= kind.halt
    return LiveRow(kind.name, declaration["name"], values, declaration["path"], declaration["line"], declared)


def sort_best_first(kind: Kind, rows: Iterable[HistoryRow], name: str) -> list[HistoryRow]:
    """Rows with the name before the one with the id, declared ones before those that had left git."""
    return sorted(rows, key=lambda row: (names_of(kind, row)[0] != name, not is_declared(row), row.values[kind.key]))


def names_of(kind: Kind, row: HistoryRow) -> tuple[Any, Any]:
    """The row's name and id."""
    return row.values[name_column(kind)], row.values[kind.key]


def resource_of(kind: Kind, row: HistoryRow) -> Resource:
    """The resource that the row was made from.

    Its path is empty where it had left git. The status of a removed one may be INACTIVE where the resource's was not.
    """
    declaration = _declaration(kind, row)
    return Resource(
        kind=kind.name,
        name=declaration["name"],
        id=str(row.values[kind.key]),
        values={column.name: field_value(kind, row, column.name) for column in kind.columns},
        labels=json.loads(declaration["labels"]),
        annotations=json.loads(declaration["annotations"]),
        refs={role: tuple(names) for role, names in json.loads(declaration["refs"]).items()},
        path=declaration["path"] or "",
        line=declaration["line"] or 1,
        digest=declaration["digest"],
    )


def field_value(kind: Kind, row: HistoryRow, field: str) -> Any:
    """A field's value as git has it: JSON as a value, not as text."""
    value, column = row.values.get(field), kind.column(field)
    is_json = column is not None and column.type is SqlType.JSON and isinstance(value, str)
    return json.loads(str(value)) if is_json else value


def _declaration(kind: Kind, row: HistoryRow) -> dict[str, Any]:
    pairs = zip(DECLARATION_COLUMNS, declaration_columns(kind), strict=True)
    return {name: row.values[column] for (name, _), (column, _) in pairs}


def _prune(row: HistoryRow) -> Prune:
    """What became of the row; rows recorded before the ledger kept it were removed in the default way."""
    return Prune(row.prune) if row.prune else Prune.DEACTIVATE


class TimelineEntry(NamedTuple):
    """A change and the version that made it."""

    version: VersionRow
    change: Change


def build_timeline(
    kind: Kind, changes: Sequence[HistoryChange], side_versions: Mapping[str, SideVersion], limit: int
) -> list[TimelineEntry]:
    """Up to `limit` changes, the highest commit first.

    `changes` is in that order and holds, for each row among the first `limit`, the change before it too. A commit in
    `side_versions` that was dropped changed what it stood upon, not what took its place.
    """
    entries = []
    for position, change in enumerate(changes[:limit]):
        before = _row_before(kind, change, changes[position + 1 :], side_versions)
        effect = change_between(kind, before, change.row)
        if effect is None and not is_declared(change.row):
            effect = removal_change(kind, change.row)
        if effect is not None:
            entries.append(TimelineEntry(change.version, effect))
    return entries


def merge_timelines(timelines: Iterable[Iterable[TimelineEntry]], limit: int) -> list[TimelineEntry]:
    """The newest entries of several kinds; within a commit in the order of a plan, deletions first."""
    return sorted((entry for entries in timelines for entry in entries), key=_rank)[:limit]


def _row_before(
    kind: Kind, change: HistoryChange, changes: Sequence[HistoryChange], side_versions: Mapping[str, SideVersion]
) -> HistoryRow | None:
    """The row before the commit."""
    point = point_of(change.version, side_versions)
    row_id, own_commit = change.row.values[kind.key], change.row.commit
    return next(
        (
            earlier.row
            for earlier in changes
            if earlier.row.values[kind.key] == row_id
            and earlier.row.commit != own_commit
            and earlier.row.height < change.row.height
            and (
                earlier.row.commit in point.dropped
                or (earlier.row.commit not in side_versions and earlier.row.height <= point.height)
            )
        ),
        None,
    )


def _rank(entry: TimelineEntry) -> tuple[int, str, int, str, str]:
    resource = entry.change.resource
    version = entry.version
    return -version.height, version.commit.sha, ORDER.index(entry.change.op), resource.kind, resource.name


class FieldBlame(NamedTuple):
    """A field with its present value, and the version that last set it."""

    field: str
    value: Any
    version: VersionRow


def blame_fields(kind: Kind, changes: Iterable[tuple[HistoryChange, bool]]) -> list[FieldBlame]:
    """For every field of a live row the version that last set it: columns, then name, labels, annotations, references.

    `changes` are the row's, the oldest first, each with whether what it left went live; the last one is what is live. A
    value that was never live has set nothing: who brings back what was live before it does not either. A row that
    comes back after it had left git starts again.
    """
    live: dict[str, FieldBlame] = {}
    said: dict[str, FieldBlame] = {}
    was_declared = said_declared = False
    for change, went_live in changes:
        declared = is_declared(change.row)
        own = {field: FieldBlame(field, value, change.version) for field, value in _fields(kind, change.row).items()}
        said = own if declared and not said_declared else _carried(said, own)
        said_declared = declared
        if went_live:
            live = said = said if declared and not was_declared else _carried(live, said)
            was_declared = declared
    return list(live.values())


def _carried(before: Mapping[str, FieldBlame], now: Mapping[str, FieldBlame]) -> dict[str, FieldBlame]:
    """Each field as it is now, blamed on what set it before where that is the same value."""
    return {
        field: before[field] if field in before and _is_same(before[field].value, blame.value) else blame
        for field, blame in now.items()
    }


def _fields(kind: Kind, row: HistoryRow) -> dict[str, Any]:
    resource = resource_of(kind, row)
    fields: dict[str, Any] = {**resource.values, "name": resource.name}
    fields |= {f"labels.{key}": text for key, text in sorted(resource.labels.items())}
    fields |= {f"annotations.{key}": text for key, text in sorted(resource.annotations.items())}
    for role, names in sorted(resource.refs.items()):
        fields[f"refs.{role}"] = names[0] if len(names) == 1 else list(names)
    return fields


def _is_same(left: Any, right: Any) -> bool:
    return canonical.dumps(left) == canonical.dumps(right)  # as text: to Python, 1 is True
