"""What Redis should hold, brought there: the live view step by step or anew, and no session of who is switched off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.liveview import is_behind, mark, step, writes
from reconciler.reconcile.rules import stored_kinds
from reconciler.tables.rows import is_live, live_values
from reconciler.wiring.redis import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.kinds.kind import Kinds
    from reconciler.liveports import Cache, Sessions
    from reconciler.model.change import Row
    from reconciler.model.live import CacheState, ViewMark
    from reconciler.ports import Applied
    from reconciler.reconcile.sync import WentLive

MOST = 10_000
"""Rows of a step that are passed on one by one; after a larger one the view is made anew from the store."""


class View:
    """The live view and the sessions of one server, for one thread. `ended` hears whose sessions were ended.

    `claim` is asked before each write: it says who else keeps the view. While somebody does nothing is written, and
    no session ended: they know better who may have some.
    """

    def __init__(
        self,
        cache: Cache,
        sessions: Sessions,
        keeper: Keeper,
        claim: Callable[[int], str],
        ended: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._cache, self._sessions, self._keeper = cache, sessions, keeper
        self._claim, self._ended = claim, ended
        self._trusted = self._roomier = False

    def take(self, went: WentLive) -> None:
        """A step went live."""
        if self._claim(went.application.height):
            self._trusted = False
            return
        owners = [row for row in went.application.rows if row.resource.kind == layout().owner_kind]
        self._end(row.resource.id for row in owners if not _may_have_sessions(went.kinds, row))
        large = went.replaced or len(went.application.rows) > MOST
        if went.base is None or large or not self._advanced(went, mark(went.base)):
            self._trusted = False

    def _advanced(self, went: WentLive, base: ViewMark) -> bool:
        return self._cache.advance(step(went.kinds, base, went.application))

    def catch_up(self, applied: Applied | None) -> CacheState:
        """See that the view is that of the applied commit, and make it anew if not."""
        state = self._cache.state()
        kept_by = self._claim(applied.height) if applied is not None else ""
        if kept_by:
            self._trusted = False
            return replace(state, kept_by=kept_by)
        if not self._trusted or is_behind(state, applied):
            self._make_anew()
            state = self._cache.state()
        return state

    def keep_within(self, budget: int) -> None:
        """The view may take so many bytes; what there was no room for before comes with the next time it is made."""
        self._roomier = self._cache.keep_within(budget).dropped > 0
        self._trusted = self._trusted and not self._roomier

    def _make_anew(self) -> None:
        allowed: set[str] = set()
        with self._keeper.reading() as reader:
            applied = reader.applied()
            if applied is None:
                return
            kinds = stored_kinds(reader.kinds())
            rows = _noting(kinds, reader.base(kinds).rows(), allowed)
            wanted = tuple(writes(kinds, rows))
        if self._roomier or is_behind(self._cache.state(), applied):
            self._cache.rebuild(wanted, mark(applied))
            self._roomier = False
        self._end(owner for owner in self._sessions.owners() if owner not in allowed)
        self._trusted = True

    def _end(self, owners: Iterable[str]) -> None:
        ended = {owner: count for owner in owners if (count := self._sessions.expire_all(owner))}
        if ended:
            self._ended(ended)


def _noting(kinds: Kinds, rows: Iterable[Row], allowed: set[str]) -> Iterator[Row]:
    """The same rows; the owners among them who may have sessions are noted in passing."""
    for row in rows:
        if row.resource.kind == layout().owner_kind and _may_have_sessions(kinds, row):
            allowed.add(row.resource.id)
        yield row


def _may_have_sessions(kinds: Kinds, row: Row) -> bool:
    kind = kinds.by_name.get(row.resource.kind)
    if kind is None or not is_live(kind, row):
        return False
    names = (column.name for column in kind.columns)
    return bool(layout().may_have_sessions(dict(zip(names, live_values(kind, row), strict=False))))
