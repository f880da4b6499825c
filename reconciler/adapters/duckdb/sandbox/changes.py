"""What has changed in the tables, column by column, so that a policy which reads none of it need not be run again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    Place = tuple[str, str]
    Reads = Mapping[Place, Collection[str]]

WHICH = ""
"""Stands for which rows there are, among the columns of a table."""


class Changes:
    """A moment for each column of each table: when it last changed."""

    def __init__(self) -> None:
        self.now = 0
        self._loaded = 0
        self._moments: dict[tuple[Place, str], int] = {}

    def everything(self) -> None:
        """Other rows everywhere."""
        self.now += 1
        self._loaded = self.now
        self._moments.clear()

    def note(self, schema: str, table: str, columns: Iterable[str]) -> None:
        """Some columns of a table are not what they were."""
        self.now += 1
        self._moments.update((((schema, table), column), self.now) for column in columns)

    def everything_since(self, moment: int) -> bool:
        """Whether all rows are others since then."""
        return self._loaded > moment

    def since(self, moment: int, reads: Reads) -> bool:
        """Whether anything that is read has changed since then."""
        read = ((place, column) for place, columns in reads.items() for column in (WHICH, *columns))
        return any(self._moments.get(one, 0) > moment for one in read)


def differing(
    columns: Sequence[str], key: int, before: Iterable[Sequence[Any]], after: Iterable[Sequence[Any]]
) -> frozenset[str]:
    """The columns in which rows differ, matched by their key; all of them, and `WHICH`, when rows came or went.

    A value that is only written in another way may pass for another one.
    """
    was = {one[key]: one for one in map(_comparable, before)}
    now = {one[key]: one for one in map(_comparable, after)}
    if was.keys() != now.keys():
        return frozenset({WHICH, *columns})
    pairs = [(was[one], now[one]) for one in now]
    return frozenset(
        column for position, column in enumerate(columns) if any(old[position] != new[position] for old, new in pairs)
    )


def _comparable(row: Sequence[Any]) -> list[str]:
    return list(map(_text, row))


def _text(value: Any) -> str:
    """As text: to Python, 0.0 is -0.0. The database gives UUIDs for texts, and moments (UTC) without their zone."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return repr(str(value) if isinstance(value, UUID) else value)
