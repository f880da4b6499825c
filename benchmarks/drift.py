"""How long the search for drift takes, and healing, in a store that is open already."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Figure
from reconciler.adapters.duckdb.backup import back_up
from reconciler.adapters.duckdb.store import open_store
from tests.support.kinds import KINDS, START, FixedClock, row, step, widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MANY = 100_000
TIMES = 9
ONE = "UPDATE main.widget_config SET weight = 99 WHERE widget_id = (SELECT min(widget_id) FROM main.widget_config)"


def drift(folder: Path) -> Iterator[Figure]:
    """Scans of many rows, with and without drift, and a copy of the store."""
    with open_store(folder, FixedClock()) as store:
        store.replace(KINDS, step(1, *(row(widget(f"w{number}"), 1) for number in range(MANY))))
        found = _typical(lambda: store.drift(KINDS))
        yield Figure(f"drift scan of {MANY:,} rows, none drifted", f"{found:.0f} ms", "50 ms")
        store._connection.execute(ONE)
        found = _typical(lambda: store.drift(KINDS))
        yield Figure("the same with one row that did", f"{found:.0f} ms", "200 ms")
        yield Figure("that row healed", f"{_once(lambda: store.heal(KINDS)):.0f} ms", "200 ms")
    taken = _once(lambda: back_up(folder, START))
    yield Figure(f"backup of {MANY:,} rows, proved", f"{taken / 1000:.1f} s", "5 s")


def _once(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _typical(work: Callable[[], object]) -> float:
    return median(_once(work) for _ in range(TIMES))
