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
        while not _lock(handle):
            if time.monotonic() - start > seconds or stop.wait(PAUSE):
                raise RetryLater(
                    f"another process is fetching: {file} is locked", hint="it ends by itself; or is a command running?"
                )
        yield handle
    finally:
        _unlock(handle)
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        with contextlib.suppress(OSError):  # it was not locked
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        """Nothing: an explicit unlock would take the lock from a git that still runs; closing the file does not."""
