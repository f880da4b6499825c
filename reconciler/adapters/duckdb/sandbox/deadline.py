"""Ends a process that does not answer in time: one thread, however many answers are waited for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """A context manager. Unless it is put off or left in time, `end` is called, in a thread of its own."""

    def __init__(self, end: Callable[[], None], seconds: float) -> None:
        self._end = end
        self._at: float | None = time.monotonic() + seconds
        self._left = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="policy-process-deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._left:
            self._at = None
            self._left.notify()
        self._thread.join()

    def put_off(self, seconds: float) -> None:
        """So many seconds from now. It only moves on: who watches looks again when the old time has come."""
        with self._left:
            self._at = time.monotonic() + seconds

    def _watch(self) -> None:
        with self._left:
            while self._at is not None:
                left = self._at - time.monotonic()
                if left <= 0:
                    self._end()
                    return
                self._left.wait(left)
