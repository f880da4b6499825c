"""Whose turn it is to write to the mirror: one process at a time, and nobody holds it who is dead.

The lock belongs to an open file, and the git that is started inherits it: when this process is killed and its git goes
on, the turn is still taken, so that nobody cleans up behind a git that is at work.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from filelock import lock_descriptor, unlock_descriptor

from reconciler.errors import RetryLater

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

PAUSE = 0.02


@contextlib.contextmanager
def take_turn(file: Path, seconds: float, stop: threading.Event) -> Iterator[int]:
    """Hold the lock on a file, which is made when missing; gives the handle that child processes may inherit.

    Raises `RetryLater` when somebody else holds it for longer than `seconds`.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        start = time.monotonic()
        while not lock_descriptor(handle, blocking=False):
            if time.monotonic() - start > seconds or stop.wait(PAUSE):
                raise RetryLater(
                    f"another process is fetching: {file} is locked", hint="it ends by itself; or is a command running?"
                )
        try:
            yield handle
        finally:
            if sys.platform == "win32":  # elsewhere it would take the lock from a git that still runs: closing does not
                unlock_descriptor(handle)
    finally:
        os.close(handle)
