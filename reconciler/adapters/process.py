"""What the operating system says about this process: memory, open files, CPU time."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

import psutil


class Usage(NamedTuple):
    """Seconds of CPU time; bytes of memory, open files and how many there may be, None where that is not told."""

    cpu: float
    memory: int | None = None
    open_files: int | None = None
    most_files: int | None = None


def usage() -> Usage:
    """As of now; on Windows, handles count as open files."""
    cpu = time.process_time()
    try:
        process, limit = psutil.Process(), None
        if sys.platform == "win32":
            files = process.num_handles()
        else:
            files = process.num_fds() - 1  # one is the folder that is read
        if sys.platform == "linux":
            limit = process.rlimit(psutil.RLIMIT_NOFILE)[0]
        return Usage(cpu, process.memory_info().rss, files, limit)
    except (psutil.Error, OSError):  # a container without /proc
        return Usage(cpu)
