"""Which two states policies are asked about, which two the process holds, and how it gets from these to those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row
    from reconciler.ports import Between


@dataclass(frozen=True, slots=True)
class Wanted:
    """Two states, with the kinds of which policies name the tables."""

    kinds: Kinds
    names: frozenset[str]
    live: Iterable[Row]
    desired: Iterable[Row]
    step: Between | None


@dataclass(frozen=True, slots=True)
class Held:
    """The rows of some kinds in two states, by what those are known by; None for one that nobody will ask for again.

    `kinds` is the digest of all kinds. With `reversible` the process knows what was in place of all that differs.
    """

    kinds: str
    names: frozenset[str]
    live: str | None = None
    desired: str | None = None
    reversible: bool = False

    def serves(self, wanted: Wanted) -> bool:
        """Whether the tables are those that policies ask for."""
        return wanted.kinds.digest == self.kinds and wanted.names <= self.names

    def has(self, step: Between) -> bool:
        """Whether these are the two states, reached in the same way."""
        return self.reversible and step.rows is not None and (self.live, self.desired) == (step.old, step.new)

    def settles(self, step: Between) -> bool | None:
        """Whether the way there begins with the desired state going live, or with giving it up; None for no way."""
        if step.rows is None:
            return None
        if self.desired == step.old:
            return True
        return False if self.reversible and self.live == step.old else None
