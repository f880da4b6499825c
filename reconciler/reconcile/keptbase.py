"""The state at the applied commit, kept in memory from one reconcile to the next where it is small.

Its rows are what the applied commit's history makes of it, whoever wrote them: they are known by that commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.snapshot.snapshot import LoadedBase

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied
    from reconciler.ports import Base

MAX_ROWS = 1_000
"""Rows that are kept: of more, looking up what a commit touches takes no longer, and memory is dear."""


class KeptBase:
    """One state at most."""

    def __init__(self) -> None:
        self._applied: Applied | None = None
        self._base: LoadedBase | None = None

    def find(self, applied: Applied, kinds: Kinds) -> LoadedBase | None:
        """The state at an applied commit, with these kinds; good until the next step is taken."""
        kept = self._base
        return kept if kept is not None and self._applied == applied and kept.kinds.digest == kinds.digest else None

    def keep(self, applied: Applied, base: LoadedBase) -> LoadedBase:
        """Keep a state that was loaded, unless it is large."""
        self._applied, self._base = (applied, base) if len(base) <= MAX_ROWS else (None, None)
        return base

    def follow(self, base: Base, applied: Applied, kinds: Kinds, rows: Collection[Row]) -> None:
        """A commit went live that differs from a state by these rows."""
        if isinstance(base, LoadedBase) and base is self._base and base.kinds.digest == kinds.digest:
            base.take(rows)
            self.keep(applied, base)
        else:
            self._applied = self._base = None
