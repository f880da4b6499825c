"""Words that people type: the known one that a mistyped one may mean, and lists of those that there are."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SIMILAR = 0.7
"""The least similarity of two words, by difflib's ratio: a typo or two, or a word left out."""

LONGEST = 80
"""Names are shorter; difflib takes the square of the length."""

MAX_LISTED = 20
"""Words that a hint lists; the others are counted."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to a word, ignoring case, hyphens and underscores; None when none is similar."""
    if len(word) > LONGEST:
        return None
    by_shape = {_shape(name): name for name in known}
    shape = _shape(word)
    matches = get_close_matches(shape, by_shape, n=1, cutoff=SIMILAR)
    if not matches:  # of three letters two that changed places leave a third: `gte`
        matches = [one for one in by_shape if len(one) == len(shape) and sorted(one) == sorted(shape)]
    return by_shape[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` to append to a message, or an empty text."""
    suggestion = closest(word, known)
    return f" (did you mean {suggestion}?)" if suggestion else ""


def suggest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The hint for a word that is none of the known ones: the closest; else `otherwise`, or which there are."""
    known = tuple(known)
    suggestion = closest(word, known)
    if suggestion:
        return f"did you mean {suggestion}?"
    return otherwise or (f"there are: {list_words(known)}" if known else "")


def list_words(words: Iterable[str], most: int = MAX_LISTED) -> str:
    """`a, b, c`; of more than `most`, `a, b, c and 1,200 more`."""
    words = tuple(words)
    left = len(words) - most
    return ", ".join(words[:most]) + (f" and {left:,} more" if left > 0 else "")


def is_spelling_of(word: str, known: str) -> bool:
    """Whether two words differ in case, hyphens and underscores only, or in two letters that changed places."""
    written, meant = _shape(word), _shape(known)
    apart = [at for at, (one, other) in enumerate(zip(written, meant, strict=False)) if one != other]
    is_swap = len(apart) == len("ab") and apart[1] == apart[0] + 1 and sorted(written) == sorted(meant)
    return len(written) == len(meant) and (not apart or is_swap)


def _shape(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
