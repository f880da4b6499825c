"""What it costs to publish a commit that changed one row, among few rows and many."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Figure
from reconciler.adapters.duckdb.published import Change, PublishedCopy
from reconciler.adapters.duckdb.store import open_store
from reconciler.tables.view import view_mark
from tests.support.kinds import KINDS, FixedClock, row, step, widget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.duckdb.store import DuckDBStore

FEW, MANY, TIMES = 1_000, 100_000, 100


def one_row(folder: Path) -> Iterator[Figure]:
    """Of each size: all rows at first, then one row at a time; in the end the file is no larger for it."""
    for size in (FEW, MANY):
        (place := folder / str(size)).mkdir()
        with open_store(place, FixedClock()) as store:
            yield from _figures(store, PublishedCopy(place / "live.duckdb", 0o400, None, is_ours=True), size)


def _figures(store: DuckDBStore, copy: PublishedCopy, size: int) -> Iterator[Figure]:
    copy.begin()
    store.apply(KINDS, step(1, *(row(widget(f"w{number}"), 1) for number in range(size))))
    yield Figure(f"all of {size:,} rows", f"{_publish(store, copy) * 1000:.0f} ms")
    before, taken, written = copy.file.stat().st_size, [], []
    for number in range(2, TIMES + 2):
        base, update = store.applied(), step(number, row(widget(f"w{number * 7}", pieces=number), 1, number))
        assert base is not None
        copy.hear(Change.of(KINDS, base, store.apply(KINDS, update), update.rows))
        began = _written()
        taken.append(_publish(store, copy))
        written.append(_written() - began)
    yield Figure("one row of them, median", f"{median(taken) * 1000:.0f} ms", "100 ms")
    yield Figure("the slowest", f"{max(taken) * 1000:.0f} ms")
    yield Figure("written for it, median", f"{median(written) / 1e6:.2f} MB", "1 MB")
    after = copy.file.stat().st_size
    yield Figure(f"the file before, and after {TIMES} of them", f"{before / 1e6:.1f}, {after / 1e6:.1f} MB")
    began_comparing = time.perf_counter()
    assert copy.verify(lambda: nullcontext(store))
    yield Figure("comparing all rows", f"{(time.perf_counter() - began_comparing) * 1000:.0f} ms")


def _publish(store: DuckDBStore, copy: PublishedCopy) -> float:
    """Seconds that it takes to publish what is live."""
    began, applied = time.perf_counter(), store.applied()
    assert applied is not None
    assert copy.publish(view_mark(applied), lambda: nullcontext(store))
    return time.perf_counter() - began


def _written() -> int:
    """Bytes that this process has written (proc(5))."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))
