"""What the machine says of processes. A process id is given again, a start time is not."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

UNKNOWN_START = ""
"""There is such a process, and this system does not tell when it began."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def read_start_time(pid: int) -> str | None:
    """A mark that no other process has; None when there is no such process."""
    try:
        return _format_start_time(psutil.Process(pid).create_time()) if psutil.pid_exists(pid) else None
    except (psutil.NoSuchProcess, OverflowError):
        return None
    except (psutil.Error, OSError):  # it is somebody else's, or there is no /proc
        return UNKNOWN_START


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and only waits for its parent to notice."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger keeps the process from doing anything."""
    try:
        return psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
    except (psutil.Error, OSError):
        return False


def _format_start_time(began: float) -> str:
    """Linux counts from the boot on: the clock that the time of day is worked out with may be set meanwhile."""
    if sys.platform == "linux":
        mark = f"{BOOT_ID.read_text(encoding='utf-8').strip()}/{began - psutil.boot_time():.2f}"
    else:
        mark = f"{began:.3f}"
    return mark


class Usage(NamedTuple):
    """Seconds of CPU time; bytes of memory, open files and how many there may be, None where that is not told."""

    cpu: float
    memory: int | None = None
    open_files: int | None = None
    most_files: int | None = None


def measure_usage() -> Usage:
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
