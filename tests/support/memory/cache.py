"""The live view in dictionaries. Implements the port `Cache`, to the letter of what the Redis scripts do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler.model.live import CacheState, Use, ViewMark, ViewWrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.model.live import ViewStep


class MemoryCache:
    """The live view, in at most `budget` bytes as they are counted here."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._mark: ViewMark | None = None
        self._rows: dict[tuple[str, str], ViewWrite] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._dropped: dict[tuple[str, str], str] = {}

    def state(self) -> CacheState:
        """What the view holds."""
        return CacheState(self._mark, len(self._rows), len(self._dropped), self._taken())

    def advance(self, step: ViewStep) -> bool:
        """Take a step; False when the view is not at its base."""
        if self._mark != step.base:
            return False
        self._take(step.writes)
        self._mark = step.to
        return True

    def rebuild(self, writes: Sequence[ViewWrite], to: ViewMark) -> None:
        """Become the given rows."""
        self._rows.clear()
        self._names.clear()
        self._dropped.clear()
        self._take(one for one in writes if one.json is not None)
        self._mark = to

    def repair(self, writes: Sequence[ViewWrite], unknown: Sequence[str], at: ViewMark) -> bool:
        """Write rows anew; nothing else writes here, so no key is unknown."""
        assert not unknown
        if self._mark != at:
            return False
        self._take(writes)
        return True

    def keep_within(self, budget: int) -> CacheState:
        """Take no more than so many bytes from now on."""
        self._budget = budget
        self._fit()
        return self.state()

    def look_up(self, kind: str, name: str) -> str | None:
        """A row as JSON."""
        found = self._rows.get((kind, name))
        return found.json if found else None

    def name_of(self, kind: str, row_id: str) -> str | None:
        """The name of the row with an id."""
        return self._names.get((kind, row_id))

    def _take(self, writes: Iterable[ViewWrite]) -> None:
        ordered = sorted(writes, key=lambda one: one.order)
        for one in ordered:
            self._leave(one)
        for one in ordered:
            if one.json is not None:
                self._place(one)
        self._fit()

    def _leave(self, write: ViewWrite) -> None:
        """The old name goes, and the row with it when it is to go."""
        old = self._names.get((write.kind, write.id))
        if old is not None and (old != write.name or write.json is None):
            there = self._rows.get((write.kind, old))
            if there is not None and there.id == write.id:
                del self._rows[write.kind, old]
                self._dropped.pop((write.kind, old), None)
        own = [place for place, row in self._dropped.items() if (place[0], row) == (write.kind, write.id)]
        for place in own:
            del self._dropped[place]
        if write.json is None:
            self._names.pop((write.kind, write.id), None)

    def _place(self, write: ViewWrite) -> None:
        place = (write.kind, write.name)
        there = self._rows.get(place)
        if there is not None and there.id != write.id:
            if write.use < there.use:
                return
            self._names.pop((write.kind, there.id), None)
        if place in self._dropped and write.use is Use.GONE:
            return  # the name is that of a row that there is no room for
        self._dropped.pop(place, None)
        self._rows[place] = write
        self._names[write.kind, write.id] = write.name

    def _fit(self) -> None:
        while self._rows and self._taken() > self._budget:
            place = min(self._rows, key=lambda one: (self._rows[one].order, _member(one).encode()))
            gone = self._rows.pop(place)
            self._names.pop((gone.kind, gone.id), None)
            self._dropped[place] = gone.id

    def _taken(self) -> int:
        return sum(one.bytes for one in self._rows.values())


def _member(place: tuple[str, str]) -> str:
    return f"{place[0]}:{quote(place[1], safe='')}"
