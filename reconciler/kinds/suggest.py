"""Did you mean…: the known word that a mistyped one is closest to."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SIMILAR = 0.7
"""How alike two words have to be, by difflib's ratio: a typo or two, or a word left out."""

LONGEST = 80
"""Names are shorter; difflib takes the square of the length."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; case, hyphens and underscores do not count. None when none is alike."""
    by_shape = {_shape(one): one for one in known}
    if len(word) > LONGEST:
        return None
    matches = get_close_matches(_shape(word), by_shape, n=1, cutoff=SIMILAR)
    return by_shape[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` to put behind a message, or nothing."""
    found = closest(word, known)
    return f" (did you mean {found}?)" if found else ""


def _shape(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
