"""The values that rules let stand at one place, and the one of them to write there."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import reduce
from math import ceil, floor, inf, isfinite, lcm
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.canonical import Value

DIGITS = 10
"""Significant digits of a bound: 0.1 + 0.2 is 0.3 to people."""
NOISE = 1e-14
"""Part of a number that arithmetic with doubles may be off. What is cut beyond that is cut towards what is allowed."""
TOLERANCE = 1e-9
"""How far a quotient may be off a whole number that it stands for."""


class Bounds(Struct, frozen=True, order=True):
    """Numbers from `at_least` to `at_most`, without those ends that are `above` and `below`; or one of some words.

    Without `words` any text may stand there. `whole`: integers only. `multiple_of`: its multiples only, 0 for any.
    """

    at_least: float = -inf
    at_most: float = inf
    above: float = -inf
    below: float = inf
    words: tuple[str, ...] = ()
    whole: bool = False
    multiple_of: float = 0

    @property
    def low(self) -> float:
        return max(self.at_least, self.above)

    @property
    def high(self) -> float:
        return min(self.at_most, self.below)

    @property
    def is_empty(self) -> bool:
        """Whether no value satisfies them: they contradict each other."""
        low, high = self._ends
        return low > high or (low == high and high in (self.above, self.below))

    @property
    def _step(self) -> Fraction | None:
        """What every number is a multiple of."""
        steps = [Fraction(Decimal(repr(step))) for step in (self.multiple_of, float(self.whole)) if step > 0]
        return reduce(_common_multiple, steps) if steps else None

    @property
    def _ends(self) -> tuple[float, float]:
        """The smallest and the largest number; of steps, those that are within."""
        step, low, high = self._step, self.low, self.high
        if step is None:
            return low, high
        if low != -inf:
            first = ceil(low / float(step) - TOLERANCE)
            low = float((first + (float(first * step) == self.above)) * step)
        if high != inf:
            last = floor(high / float(step) + TOLERANCE)
            high = float((last - (float(last * step) == self.below)) * step)
        return low, high

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
            max(self.multiple_of, other.multiple_of),
        )
        return NOTHING if self.words and other.words and not words else both

    def nearest(self, written: Value) -> Value:
        """The one value to write instead of what is written: the only one, or the nearest number. None: not known."""
        if self.is_empty:
            return None
        if self.words:
            return self.words[0] if len(self.words) == 1 and self.words[0] != written else None
        low, high = self._ends
        if low == high:
            return _as_number(low)
        if isinstance(written, bool) or not isinstance(written, (int, float)):
            return None
        nearest = min(max(written, low), high)
        step = self._step
        if step is not None and isfinite(nearest):
            nearest = min(max(float(round(Fraction(Decimal(repr(nearest))) / step) * step), low), high)
        return None if nearest == written or nearest in (self.above, self.below) else _as_number(nearest)


ANY = Bounds()
NOTHING = Bounds(at_least=inf, at_most=-inf)


def bounds_of_row(at_most: str | None, at_least: str | None, value: str | None) -> Bounds:
    """What a row of a policy says of the values that satisfy it; a text that is no number bounds none."""
    bounds = Bounds(_number(at_least, -inf, ROUND_CEILING), _number(at_most, inf, ROUND_FLOOR))
    if value is None:
        return bounds
    exact = _number(value, inf)
    return bounds.narrow(Bounds(words=(value,)) if exact == inf else Bounds(exact, exact))


def intersect(bounds: Iterable[Bounds]) -> Bounds:
    return reduce(Bounds.narrow, bounds, ANY)


def round_number(value: float) -> float:
    """A finite number as people mean it. Raises `ValueError` for others."""
    return float(f"{canonical.number(value):.{DIGITS}g}")


def _number(text: str | None, otherwise: float, rounding: str = ROUND_HALF_EVEN) -> float:
    try:
        value = canonical.number(float(text)) if text is not None else otherwise
    except ValueError:
        return otherwise
    if not isfinite(value):
        return value
    rounded = round_number(value)
    if abs(rounded - value) <= abs(value) * NOISE:
        return rounded
    context = Context(prec=DIGITS, rounding=rounding)
    return float(context.create_decimal(Decimal(repr(value))))


def _common_multiple(one: Fraction, other: Fraction) -> Fraction:
    return Fraction(lcm(one.numerator * other.denominator, other.numerator * one.denominator)) / (
        one.denominator * other.denominator
    )


def _as_number(value: float) -> Value:
    return canonical.normalize(float(value))
