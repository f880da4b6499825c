"""The state below the first snapshot: nothing at all, or what a store already holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.model.change import Row
    from reconciler.model.resource import Key, Resource, RowId


class EmptyBase:
    """The state before the first commit. Implements the port `Base`."""

    def in_file(self, path: str) -> tuple[Resource, ...]:
        """Nothing."""
        return ()

    def named(self, key: Key) -> tuple[Resource, ...]:
        """Nothing."""
        return ()

    def row(self, row_id: RowId) -> Row | None:
        """Nothing."""
        return None

    def referring(self, key: Key) -> tuple[Resource, ...]:
        """Nothing."""
        return ()

    def paths(self, kinds: Collection[str]) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def rows(self) -> Iterator[Row]:
        """Nothing."""
        return iter(())
