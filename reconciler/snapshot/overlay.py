"""A persistent map over a look-up: what changed is held here, the rest stays where it is.

Every commit of a history has one, and they share all they have in common, so a commit costs what it changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from rpds import HashTrieMap

from reconciler.slices import slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MISSING: Final[Any] = object()

K = TypeVar("K")
V = TypeVar("V")


class Overlay(Generic[K, V]):
    """An immutable map. `below` answers for every key that was never set, and must always answer the same."""

    __slots__ = ("_below", "_changes")

    def __init__(self, below: Callable[[K], V], changes: HashTrieMap[K, V] | None = None) -> None:
        self._below = below
        self._changes: HashTrieMap[K, V] = HashTrieMap() if changes is None else changes

    def __getitem__(self, key: K) -> V:
        found = self._changes.get(key, MISSING)  # no try: most keys of a first commit are not there
        return self._below(key) if found is MISSING else found

    def changes(self) -> Iterator[tuple[K, V]]:
        """All that was ever set, in no particular order."""
        return iter(self._changes.items())

    def draft(self) -> Draft[K, V]:
        """A copy to write in; this map stays as it is."""
        return Draft(self)

    def updated(self, changes: dict[K, V]) -> Overlay[K, V]:
        """The map with other values for some keys."""
        now = self._changes
        for some in slices(changes.items()):
            now = now.update(dict(some))
        return Overlay(self._below, now) if changes else self


class Draft(Generic[K, V]):
    """Changes to an overlay that are not settled yet."""

    __slots__ = ("_over", "_written")

    def __init__(self, over: Overlay[K, V]) -> None:
        self._over = over
        self._written: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        return self._written[key] if key in self._written else self._over[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._written[key] = value

    def settle(self) -> Overlay[K, V]:
        """The overlay with all that was written here."""
        return self._over.updated(self._written)
