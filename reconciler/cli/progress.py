"""A bar on a terminal for what takes longer than a second."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BAR_DELAY = 1.0
"""Seconds before a bar appears."""
REDRAW = 0.1
"""Seconds between two changes of a bar: it may be told of every file."""


class DelayedBar:
    """Shows what is done of what on stderr, as soon as it takes long; a moving bar where nobody knows of how much.

    Most commands are over before that, and never load what draws it.
    """

    def __init__(self, label: str, *, coloured: bool) -> None:
        self._label, self._coloured = label, coloured
        self._counts = (0, 0)
        self._guard = threading.Lock()
        self._drawn: tuple[Progress, TaskID] | None = None
        self._shown = 0.0
        self._timer = threading.Timer(BAR_DELAY, self._appear)
        self._timer.name, self._timer.daemon = "progress bar", True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._drawn is not None:
            with suppress(OSError):  # the terminal was closed
                self._drawn[0].stop()

    def show(self, done: int, total: int) -> None:
        """Note how far it is; a total of 0 is unknown."""
        self._counts = (done, total)
        if self._drawn is not None and time.monotonic() - self._shown > REDRAW:
            self._update()

    def _appear(self) -> None:
        import rich
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        rich.reconfigure(stderr=True, no_color=not self._coloured)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
        )
        bar = Progress(*columns, transient=True, redirect_stdout=False, redirect_stderr=False)
        with suppress(OSError):
            task = bar.add_task(self._label, total=None, counts="")
            bar.start()
            self._drawn = bar, task
            self._update()

    def _update(self) -> None:
        with self._guard:
            if self._drawn is not None:
                self._shown = time.monotonic()
                bar, task = self._drawn
                done, total = self._counts
                is_known = total > 1
                counts = f"{done:,} of {total:,}" if is_known else f"{done:,}" if done else ""
                bar.update(task, completed=done if is_known else 0, total=total if is_known else None, counts=counts)
