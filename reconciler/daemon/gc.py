"""When Python looks for garbage that refers to itself: in small steps while something is done, thoroughly at rest.

A thorough look holds up every thread: a second and more with a hundred thousand resources in memory, of which hardly
any ever refer to themselves. While they are made none is taken, short of a heap that grows without end.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 1_000, 10, 2_000
"""Objects until the youngest are looked at; such looks until those that outlived one are; looks of that kind until all
are. 10,000 objects take about 5 ms; 20 million are 400,000 resources."""
DUE = 5
"""Looks of the second kind after which a rest is used for a thorough one: 50,000 more objects than before."""


def pace() -> None:
    """Look in small steps from now on."""
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def tidy() -> None:
    """Look thoroughly if it is due; to be called while nothing else is done."""
    if gc.get_count()[2] >= DUE:
        gc.collect()
