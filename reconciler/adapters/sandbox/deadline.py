"""The CPU time that a query may take: it is interrupted then, and the process ended if that does not help."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.adapters.sandbox.protocol import STOP_FACTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import _duckdb as duckdb

SHORTEST_WAIT = 0.01


@contextmanager
def deadline(
    cursor: duckdb.DuckDBPyConnection, seconds: float, clock: Callable[[], float], *, early: float | None = None
) -> Iterator[None]:
    """Interrupts what takes too long; if that does not help, ends the process. No clock may be faster than time.

    With `early` it is interrupted after so many seconds already, and still has all of its time to stop.
    """
    done, began = threading.Event(), clock()
    interrupted = began + (seconds if early is None else min(early, seconds))

    def watch() -> None:
        if not _is_set_by(done, interrupted, clock):
            cursor.interrupt()
            if not _is_set_by(done, began + seconds * STOP_FACTOR, clock):
                os._exit(1)

    thread = threading.Thread(target=watch, name="policy-deadline", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _is_set_by(done: threading.Event, end: float, clock: Callable[[], float]) -> bool:
    while (left := end - clock()) > 0:
        if done.wait(max(left, SHORTEST_WAIT)):
            return True
    return done.is_set()
