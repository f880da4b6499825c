"""The live view: the live rows as other programs look them up, by name and by id, within a share of memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model.change import Op

USE_STEP = 10**14
"""What one more step of use counts in an order of rows: more than any moment in milliseconds."""

OVERHEAD = 420
"""Bytes that a row takes beside its keys and values: the server's entries for them, and for what is kept about it."""


class Use(IntEnum):
    """How much a row is missed when it is not there, the least first: what left git, what is switched off, the rest."""

    GONE = 0
    INACTIVE = 1
    LIVE = 2


@dataclass(frozen=True, slots=True)
class ViewMark:
    """Whose state the view is: a commit, its height and the state's digest."""

    commit: str
    digest: str
    height: int


@dataclass(frozen=True, slots=True)
class ViewWrite:
    """What becomes of one row. `kind` is the kind's name in lower case; `json` is the row, None when it goes.

    `use` and `changed` (milliseconds since 1970) say what is dropped first when there is not enough room.
    """

    op: Op
    kind: str
    name: str
    id: str
    json: str | None
    use: Use = Use.LIVE
    changed: int = 0

    @property
    def order(self) -> int:
        """Rows with a lower one are dropped before those with a higher one."""
        return self.use * USE_STEP + self.changed

    @property
    def bytes(self) -> int:
        """About what the row takes in memory."""
        texts = (self.kind, self.name, self.id, self.kind, self.name, self.json or "")
        return sum(len(text.encode()) for text in texts) + OVERHEAD


@dataclass(frozen=True, slots=True)
class ViewStep:
    """From one state to the next: only a view that is at `base` can take it."""

    base: ViewMark
    to: ViewMark
    writes: tuple[ViewWrite, ...]


@dataclass(frozen=True, slots=True)
class CacheState:
    """What the view holds. `mark` is None when nothing is there, or only a part: it has to be rebuilt.

    `dropped` is how many live rows are not in it for want of room; `bytes` is about what its rows
    take in memory; the names of dropped ones take about 100 bytes each beside that. `kept_by` is set when it is another
    host that keeps the view.
    """

    mark: ViewMark | None
    rows: int
    dropped: int
    bytes: int
    kept_by: str = ""
