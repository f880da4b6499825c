"""What people know of rows that something else changes: told at once the first time, later once an hour and counted.

A program that writes all day must not ring all day. What a message leaves open is told with the next one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

PAUSE = timedelta(hours=1)
"""Between two messages about a row that goes on changing, and in which at most `BUDGET` are about any."""
BUDGET = 4
AT_ONCE = 2
"""Messages about one row that nobody waits for: that it differs, and that it is right again."""
MAX_ROWS = 500
"""Rows that are remembered one by one."""
OTHERS = ""
"""Stands for all rows beyond these."""


def is_apart(one: datetime, other: datetime) -> bool:
    """Whether an hour is between two moments, in either direction: a clock may have been set back."""
    return abs(one - other) >= PAUSE


class Row(Struct, frozen=True):
    """One row. `differs` by the newest event, `known` as people believe; `at` is when they were last told, if ever.

    `times` counts its changes since, `messages` those that were about it.
    """

    differs: bool
    known: bool = False
    at: datetime | None = None
    times: int = 0
    messages: int = 0

    @property
    def is_untold(self) -> bool:
        return self.differs != self.known or self.times > 0

    def is_due(self, now: datetime) -> bool:
        """Whether people have to be told of it now."""
        is_turn = self.differs != self.known and self.messages < AT_ONCE
        return self.is_untold and (is_turn or self.at is None or is_apart(now, self.at))

    def is_over(self, now: datetime) -> bool:
        """Whether all is told, and long ago: what comes then is new again."""
        return not (self.differs or self.is_untold) and (self.at is None or is_apart(now, self.at))

    def seen(self, *, differs: bool) -> Row:
        """After an event. Found and healed is one change; what is found once more as it was is none."""
        return replace(self, differs=differs, times=self.times + (not self.differs))

    def told(self, now: datetime) -> Row:
        return replace(self, known=self.differs, at=now, times=0, messages=self.messages + 1)


class Drifting(Struct, frozen=True):
    """All of them, by kind and name. `others` is how many `OTHERS` stands for, `told` when the newest messages were."""

    rows: dict[str, Row] = field(default_factory=dict)
    others: int = 0
    told: tuple[datetime, ...] = ()

    def with_seen(self, names: Sequence[str], total: int, now: datetime, *, differs: bool) -> Drifting:
        """After an event that names some of so many rows."""
        rows = {name: row for name, row in self.rows.items() if not row.is_over(now)}
        new = [name for name in names if name not in rows][: max(0, MAX_ROWS - len(rows))]
        seen = [*(name for name in names if name in rows), *new]
        others = max(total, len(names)) - len(seen)
        for name in [*seen, OTHERS] if others else seen:
            rows[name] = rows.get(name, Row(differs=False)).seen(differs=differs)
        return replace(self, rows=rows, others=others or self.others)

    def with_all_right(self) -> Drifting:
        """When no row differs any more."""
        return replace(self, rows={name: replace(row, differs=False) for name, row in self.rows.items()})

    def due(self, now: datetime, *, differs: bool) -> dict[str, Row]:
        """The rows that a message is about now; none when it is not time. All that wait: the next one is late."""
        news = {name: row for name, row in self.rows.items() if row.differs is differs and row.is_untold}
        is_time = sum(not is_apart(now, at) for at in self.told) < BUDGET
        return news if is_time and any(row.is_due(now) for row in news.values()) else {}

    def with_told(self, names: Sequence[str], now: datetime) -> Drifting:
        """After a message about some rows."""
        told = {name: self.rows[name].told(now) for name in names}
        return replace(self, rows={**self.rows, **told}, told=(*self.told, now)[-BUDGET:])

    @property
    def differing(self) -> tuple[str, ...]:
        """The rows that are not right, as far as is known."""
        return tuple(name for name, row in self.rows.items() if row.differs)
