"""When a process began, as its system tells: a process id is given again, this is not."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

UNKNOWN = ""
"""There is such a process, and this system does not tell when it began."""
BOOT = Path("/proc/sys/kernel/random/boot_id")


def birth(pid: int) -> str | None:
    """A mark that no other process has; None when there is no such process."""
    try:
        return _mark(psutil.Process(pid).create_time()) if psutil.pid_exists(pid) else None
    except (psutil.NoSuchProcess, OverflowError):
        return None
    except (psutil.Error, OSError):  # it is somebody else's, or there is no /proc
        return UNKNOWN


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and only waits for its parent to notice."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _mark(began: float) -> str:
    """Linux counts from the boot on: the clock that the time of day is worked out with may be set meanwhile."""
    if sys.platform == "linux":
        mark = f"{BOOT.read_text(encoding='utf-8').strip()}/{began - psutil.boot_time():.2f}"
    else:
        mark = f"{began:.3f}"
    return mark
