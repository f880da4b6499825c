"""Who holds the embedded engine's folder: it locks its `status` file and writes its process id there.

Asking first keeps the engine from writing its own complaint to stderr, and gives the reader a process to look for.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path


def holder(folder: Path) -> str | None:
    """The id of another process that has the folder open ("?" when it cannot be told), None when nobody has."""
    status = folder / "status"
    if sys.platform == "win32" or not status.exists():
        return None
    with status.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            found = re.search(rb"PID: (\d+)", file.read())
            process = found[1].decode() if found else "?"
            return None if process == str(os.getpid()) else process
    return None
