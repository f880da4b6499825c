"""Who holds the embedded engine's folder: it locks its `status` file and writes its process id there.

Asking first keeps the engine from writing its own complaint to stderr, and gives the reader a process to look for.
"""

from __future__ import annotations

import os
import re
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":

    def _is_locked(file: IO[bytes]) -> bool:
        """It is not: the engine does not exist for Windows."""
        return False

else:
    import fcntl

    def _is_locked(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def holder(folder: Path) -> str | None:
    """The id of another process that has the folder open ("?" when it cannot be told), None when nobody has."""
    status = folder / "status"
    if not status.exists():
        return None
    with status.open("rb") as file:
        if not _is_locked(file):
            return None
        found = re.search(rb"PID: (\d+)", file.read())
    process = found[1].decode() if found else "?"
    return None if process == str(os.getpid()) else process
