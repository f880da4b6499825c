"""The store against git: the live rows, and what it keeps of what git says, as a fresh walk has them."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import TIMESTAMPS, Kinds, SqlType
from reconciler.pipeline.differences import unlike
from reconciler.tables.rows import declaration_columns, desired_values, is_live, live_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.change import Row
    from reconciler.pipeline.differences import Differences
    from reconciler.pipeline.stepping import Position
    from reconciler.ports import StoreReader

    RowsById = Mapping[str, Row]

DESIRED, LIVE = "desired", "main"


class RowCheck:
    """Compares the store with the position of a walk at the applied commit."""

    def __init__(self, store: StoreReader, differences: Differences) -> None:
        self._store, self._differences = store, differences

    def compare(self, position: Position) -> int:
        """Compare everything; returns how many live rows there should be."""
        kinds = self._same_kinds(position.snapshot.kinds)
        rows: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        for row in position.rows():
            rows[row.resource.kind][row.resource.id] = row
        self._compare_desired(kinds, rows)
        return sum(self._compare_live(kind, rows[kind.name]) for kind in kinds)

    def _same_kinds(self, kinds: Kinds) -> Kinds:
        """The kinds that the store's tables were made from, too. Rows of others cannot be compared."""
        stored = self._store.kinds()
        same = tuple(kind for kind in kinds if stored.get(kind.name) == kind.schema)
        names = {kind.name for kind in same}
        for name in sorted({*kinds.by_name, *stored} - names):
            self._differences.add(
                "other-schema", name, "its tables were made under another schema than git and this program have now"
            )
        return Kinds(same)

    def _compare_desired(self, kinds: Kinds, rows: Mapping[str, RowsById]) -> None:
        seen: set[tuple[str, str]] = set()
        for found in self._store.base(kinds).rows():
            kind = kinds.by_name.get(found.resource.kind)
            if kind is None:
                continue
            seen.add(found.row_id)
            should = rows[kind.name].get(found.resource.id)
            if should is None:
                self._differences.add("unknown-row", _subject(DESIRED, found), "git does not have it")
            elif found != should:
                differing = _differing(_desired(kind, found), _desired(kind, should))
                self._differences.add("wrong-row", _subject(DESIRED, should), unlike(differing) or "it is another")
        for row in (row for kind in kinds for row in rows[kind.name].values()):
            if row.row_id not in seen:
                self._differences.add("missing-row", _subject(DESIRED, row), "it is not there")

    def _compare_live(self, kind: Kind, rows: RowsById) -> int:
        due = {id_: row for id_, row in rows.items() if is_live(kind, row)}
        try:
            live = self._store.live(kind)
        except NeedsHuman as error:
            self._differences.add("altered-table", f"{LIVE} {kind.name}", str(error))
            return len(due)
        seen = set()
        for found in live:
            id_ = str(found.values[kind.key])
            seen.add(id_)
            if id_ not in due:
                self._differences.add("unknown-row", f"{LIVE} {kind.name} {found.name}", "git does not have it")
                continue
            differing = _differing(found.values, _live(kind, due[id_]))
            if differing:
                self._differences.add("wrong-row", _subject(LIVE, due[id_]), unlike(differing))
        for id_ in due.keys() - seen:
            self._differences.add("missing-row", _subject(LIVE, due[id_]), "it is not there")
        return len(due)


def _subject(table: str, row: Row) -> str:
    return f"{table} {row.resource.kind} {row.resource.name}"


def _desired(kind: Kind, row: Row) -> dict[str, Any]:
    names = [*(column.name for column in kind.columns), *TIMESTAMPS, *(name for name, _ in declaration_columns(kind))]
    values = dict(zip(names, desired_values(kind, row), strict=True))
    if row.removed is None:
        return values
    return {**values, "prune": str(row.removed.prune), "path": row.resource.path, "updated_at": row.updated.time}


def _live(kind: Kind, row: Row) -> dict[str, Any]:
    names = [*(column.name for column in kind.columns), *TIMESTAMPS]
    values = dict(zip(names, live_values(kind, row), strict=True))
    for column in kind.columns:
        if column.type is SqlType.JSON and values[column.name] is not None:
            values[column.name] = json.loads(values[column.name])
    return values


def _differing(found: Mapping[str, Any], should: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    names = dict.fromkeys((*should, *found))
    pairs = ((name, _text(found.get(name)), _text(should.get(name))) for name in names)
    return [(name, is_, wanted) for name, is_, wanted in pairs if is_ != wanted]


def _text(value: Any) -> str:
    return canonical.text(canonical.plain(value))
