"""The values that rules let stand at one place, and the one of them to write there."""

from __future__ import annotations

from functools import reduce
from math import ceil, floor, inf
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.canonical import Value

DIGITS = 10
"""Significant digits of a bound: 0.1 + 0.2 is 0.3 to people."""
TOLERANCE = 1e-9
"""How far a quotient may be off a whole number that it stands for."""


class Bounds(Struct, frozen=True, order=True):
    """Numbers from `at_least` to `at_most`, without those ends that are `above` and `below`; or one of some words.

    Without `words` any text may stand there. `whole`: integers only.
    """

    at_least: float = -inf
    at_most: float = inf
    above: float = -inf
    below: float = inf
    words: tuple[str, ...] = ()
    whole: bool = False

    @property
    def low(self) -> float:
        return max(self.at_least, self.above)

    @property
    def high(self) -> float:
        return min(self.at_most, self.below)

    @property
    def is_empty(self) -> bool:
        """Whether no value satisfies them: they contradict each other."""
        low, high = self._whole_ends if self.whole else (self.low, self.high)
        return low > high or (low == high and high in (self.above, self.below))

    @property
    def _whole_ends(self) -> tuple[float, float]:
        low = self.low if self.low == -inf else ceil(self.low - TOLERANCE)
        return low, self.high if self.high == inf else floor(self.high + TOLERANCE)

    def narrow(self, other: Bounds) -> Bounds:
        """What both let stand."""
        words = tuple(word for word in self.words if word in other.words) if other.words else self.words
        both = Bounds(
            max(self.at_least, other.at_least),
            min(self.at_most, other.at_most),
            max(self.above, other.above),
            min(self.below, other.below),
            words if self.words else other.words,
            self.whole or other.whole,
        )
        return NOTHING if self.words and other.words and not words else both

    def nearest(self, written: Value) -> Value:
        """The one value to write instead of what is written: the only one, or the nearest number. None: not known."""
        if self.is_empty:
            return None
        if self.words:
            return self.words[0] if len(self.words) == 1 and self.words[0] != written else None
        low, high = self._whole_ends if self.whole else (self.low, self.high)
        if low == high:
            return _as_number(low)
        if isinstance(written, bool) or not isinstance(written, (int, float)):
            return None
        nearest = min(max(written, low), high)
        return None if nearest == written or nearest in (self.above, self.below) else _as_number(nearest)


ANY = Bounds()
NOTHING = Bounds(at_least=inf, at_most=-inf)


def bounds_of_row(at_most: str | None, at_least: str | None, value: str | None) -> Bounds:
    """What a row of a policy says of the values that satisfy it; a text that is no number bounds none."""
    bounds = Bounds(_number(at_least, -inf), _number(at_most, inf))
    if value is None:
        return bounds
    exact = _number(value, inf)
    return bounds.narrow(Bounds(words=(value,)) if exact == inf else Bounds(exact, exact))


def intersect(bounds: Iterable[Bounds]) -> Bounds:
    return reduce(Bounds.narrow, bounds, ANY)


def round_number(value: float) -> float:
    """A finite number as people mean it. Raises `ValueError` for others."""
    return float(f"{canonical.number(value):.{DIGITS}g}")


def _number(text: str | None, otherwise: float) -> float:
    try:
        return round_number(float(text)) if text is not None else otherwise
    except ValueError:
        return otherwise


def _as_number(value: float) -> Value:
    return canonical.normalize(float(value))
