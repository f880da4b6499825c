"""What a verification finds, counted by sort, the first of each told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

MOST_TOLD: Final = 20
"""Differences of a sort that are told; all are counted."""
MOST_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One difference: what it is about, and what is wrong with it."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Difference:
    """All differences of one sort: how many, and the first of them."""

    sort: str
    count: int
    examples: tuple[Example, ...]


class Differences:
    """Takes differences as they come."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[Example]] = {}

    def add(self, sort: str, subject: str, message: str) -> None:
        """One more."""
        self._counts[sort] += 1
        told = self._examples.setdefault(sort, [])
        if len(told) < MOST_TOLD:
            told.append(Example(subject, message))

    def all(self) -> tuple[Difference, ...]:
        """The sorts in the order they were first found."""
        return tuple(Difference(sort, self._counts[sort], tuple(told)) for sort, told in self._examples.items())


def unlike(found: list[tuple[str, str, str]]) -> str:
    """Fields that differ, as text: each a name, what it is, and what git says."""
    told = [f"{name} is {is_}, git says {should}" for name, is_, should in found[:MOST_FIELDS]]
    more = len(found) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told)
