"""Tables as values: what a column holds, how much it matters, and what the words of a state mean."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence


class Nature(Enum):
    """What the cells of a column hold. Names and states are whole at every width; only texts go over several lines."""

    NAME = auto()
    STATE = auto()
    NUMBER = auto()
    VALUE = auto()
    TEXT = auto()
    """Broken at blanks."""
    SUBJECT = auto()
    """Cut at a blank, so that each row is one line."""


class Column(NamedTuple):
    """A column. Where the room is short those of the highest rank are left out first, and those of rank 0 never."""

    header: str
    rank: int = 0
    nature: Nature = Nature.VALUE


class TextTable(Struct, frozen=True):
    """Columns and rows of cells. `links` has for each row where its first cell leads to."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    links: Sequence[str | None] = ()


class Meaning(Enum):
    """What a state means, in order of how much it needs somebody."""

    OFF = auto()
    GOOD = auto()
    WAITING = auto()
    WRONG = auto()
    BAD = auto()


MEANINGS: dict[str, Meaning] = {
    word: meaning
    for meaning, words in {
        Meaning.GOOD: "active valid live synced healthy following ok ready",
        Meaning.OFF: "inactive expired was-live skipped orphaned unknown deleted",
        Meaning.WAITING: "pending held progressing starting retrying waiting paused suspended",
        Meaning.WRONG: "drifted outofsync warning changed",
        Meaning.BAD: "trouble invalid refused degraded stalled problem error failed blocked",
    }.items()
    for word in words.split()
}
"""By the words of states in lower case. Of others, as a kind of a repository may have them, nothing is known."""


def find_meaning(state: str) -> Meaning | None:
    """What a state means; of several words the one that needs somebody most: `live, drifted` as `drifted`."""
    found = [MEANINGS[word] for word in state.lower().replace(",", " ").split() if word in MEANINGS]
    return max(found, key=lambda meaning: meaning.value, default=None)
