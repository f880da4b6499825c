"""What a store remembers while it is open, and from one opening to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping

    from reconciler.adapters.duckdb.intervals import Timeline
    from reconciler.adapters.duckdb.tables import Catalog

T = TypeVar("T")
APPLIED = "applied"
ATTEMPTED = "attempted"
COUNTS = "counts"
CURSORS = "cursors"
DRILL = "drill"
FAULTS = "faults"
FOLDERS = "folders"
HALTED = "halted rows"
HALTS = "halts"
IDENTITY = "identity"
OWNER = "owner"
ROLLBACK = "rollback"
RULES = "rules"
SUSPENSION = "suspension"
"""What a store that is open remembers. Each write names what of it changes."""


class StoreMemory(Struct, frozen=True):
    """What a store knew when it was closed. It holds for a file that nobody has written to since."""

    position: tuple[Any, ...]
    catalog: Catalog
    known: Mapping[tuple[str, ...], Any]
    timeline: Timeline | None


class Remembered:
    """What was found once: nobody else writes while the store is open, and what is written here is forgotten.

    Each thing has a name, and perhaps more that tells it from others of that name.
    """

    def __init__(self, known: Mapping[tuple[str, ...], Any], lock: threading.RLock) -> None:
        self._known, self._lock = dict(known), lock

    def get(self, what: tuple[str, ...], ask: Callable[[], T]) -> T:
        """What is known, or is found out."""
        with self._lock:
            if what not in self._known:
                self._known[what] = ask()
            value: T = self._known[what]
            return value

    def note(self, known: Mapping[tuple[str, ...], Any]) -> None:
        """Know this without asking: it was written a moment ago."""
        self._known |= known

    def of(self, name: str) -> dict[tuple[str, ...], Any]:
        """All that is known of this name."""
        return {what: value for what, value in self._known.items() if what[0] == name}

    def all(self) -> dict[tuple[str, ...], Any]:
        """All that is known."""
        return dict(self._known)

    def forget(self, names: Collection[str]) -> None:
        """What goes by these names was or will be written."""
        for what in [what for what in self._known if what[0] in names]:
            del self._known[what]

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
