"""The valid state in a dictionary. Implements the port `Base` by looking at everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Key, Resource, Row, RowId


class MemoryBase:
    """Rows by their ids, tombstones too."""

    def __init__(self, rows: Mapping[RowId, Row], kinds: Kinds) -> None:
        self._rows = rows
        self._kinds = kinds

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        """What a file declares, in order of line."""
        found = (one for one in self._declared() if one.path == path)
        return tuple(sorted(found, key=lambda one: (one.line, one.key)))

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        """What goes by this kind and name."""
        return tuple(one for one in self._declared() if one.key == key)

    def row(self, row_id: RowId) -> Row | None:
        """The row with this id, a tombstone too."""
        return self._rows.get(row_id)

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        """The resources with a reference to this kind and name, in order of kind and name."""
        return tuple(sorted((one for one in self._declared() if self._refers(one, key)), key=lambda one: one.key))

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        """The files that declare any resource of these kinds, sorted."""
        return tuple(sorted({one.path for one in self._declared() if one.kind in kinds}))

    def count(self, kind: str) -> int:
        """How many resources of a kind are declared."""
        return sum(one.kind == kind for one in self._declared())

    def rows(self) -> Iterator[Row]:
        """Everything, tombstones too."""
        yield from self._rows.values()

    def _declared(self) -> Iterator[Resource]:
        return (row.resource for row in self._rows.values() if row.removed is None)

    def _refers(self, resource: Resource, key: Key) -> bool:
        kind = self._kinds.by_name.get(resource.kind)
        roles = [reference.role for reference in kind.references if reference.kind == key.kind] if kind else []
        return any(key.name in resource.refs.get(role, ()) for role in roles)
