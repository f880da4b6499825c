"""How long to wait before the next try. Pure: what is random is given."""

from __future__ import annotations

import random as standard
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, LONGEST, JITTER = 5.0, 300.0, 0.2

IN_USE_RETRY = 0.5
"""Seconds until a file that another process has open is tried again, however long that has had it: trying is cheap,
and what waits for it is wanted the moment that it is free."""

DOUBLINGS = 64
"""More of them make no difference: after months of failures the number must not outgrow what a float holds."""


class Backoff:
    """Seconds that double with each failure, from `first` to `longest`.

    Each is lengthened by up to the share `jitter` of itself, so that a hundred hosts that lost the same server do not
    come back in the same second; `longest` includes that. `random` gives numbers from 0 up to 1.
    """

    def __init__(
        self,
        first: float = FIRST,
        longest: float = LONGEST,
        *,
        jitter: float = JITTER,
        random: Callable[[], float] = standard.random,
    ) -> None:
        if not (0 < first <= longest and 0 <= jitter < 1):
            raise ValueError(f"no back-off from {first} to {longest} s with a jitter of {jitter}")
        self._first, self._longest, self._jitter, self._random = first, longest, jitter, random
        self._failures = 0

    def next(self) -> float:
        """The seconds to wait now, after one more failure."""
        plain = self._first * 2.0 ** min(self._failures, DOUBLINGS)
        self._failures += 1
        plain = max(min(plain, self._longest / (1 + self._jitter)), self._first)
        return min(plain * (1 + self._jitter * self._random()), self._longest)

    def reset(self) -> None:
        """Begin again at `first`: something worked."""
        self._failures = 0
