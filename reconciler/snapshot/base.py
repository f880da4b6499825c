"""The state below the first snapshot: empty, or what a store holds, loaded into memory."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.model.change import Key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Resource, Row, RowId


class EmptyBase:
    """The state before the first commit. Implements the port `Base`."""

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        return ()

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        return ()

    def row(self, row_id: RowId) -> Row | None:
        return None

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        return ()

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        return ()

    def count(self, kind: str) -> int:
        return 0

    def rows(self) -> Iterator[Row]:
        return iter(())


class LoadedBase:
    """A valid state in memory, for when so much changes that looking it up piece by piece takes longer."""

    def __init__(self, rows: Iterable[Row], kinds: Kinds) -> None:
        self._rows = {row.row_id: row for row in rows}
        self._files: defaultdict[str, list[Resource]] = defaultdict(list)
        self._names: dict[Key, Resource] = {}
        self._referring: defaultdict[Key, list[Resource]] = defaultdict(list)
        for resource in (row.resource for row in self._rows.values() if row.removed is None):
            self._files[resource.path].append(resource)
            self._names[resource.key] = resource
            kind = kinds.by_name.get(resource.kind)
            for reference in kind.references if kind else ():
                for name in resource.refs.get(reference.role, ()):
                    self._referring[Key(reference.kind, name)].append(resource)

    def declared_in(self, path: str) -> tuple[Resource, ...]:
        return tuple(sorted(self._files.get(path, ()), key=lambda resource: (resource.line, resource.key)))

    def by_name(self, key: Key) -> tuple[Resource, ...]:
        return (self._names[key],) if key in self._names else ()

    def row(self, row_id: RowId) -> Row | None:
        return self._rows.get(row_id)

    def referrers_of(self, key: Key) -> tuple[Resource, ...]:
        return tuple(sorted(self._referring.get(key, ()), key=lambda resource: resource.key))

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        return tuple(
            sorted(
                path for path, resources in self._files.items() if any(resource.kind in kinds for resource in resources)
            )
        )

    def count(self, kind: str) -> int:
        return sum(key.kind == kind for key in self._names)

    def rows(self) -> Iterator[Row]:
        return iter(self._rows.values())
