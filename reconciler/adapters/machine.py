"""What the machine says: its clock, the room and permissions of a folder, and its processes.

A process id is given again, a start time is not.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

from reconciler.errors import NeedsHuman

MODE_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DiskSpace(NamedTuple):
    """Bytes on a disk."""

    free: int
    total: int


def measure_disk(folder: Path) -> DiskSpace:
    """The room on the disk that a folder is on, or would be on. Raises `NeedsHuman` when the disk does not answer."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        usage = shutil.disk_usage(place)
    except OSError as error:
        raise NeedsHuman(
            f"the disk of {place} does not answer: {error.strerror}", hint="see that it is mounted"
        ) from error
    return DiskSpace(usage.free, usage.total)


def check_writable(folder: Path) -> None:
    """Write a file into a folder, and take it away. Raises `NeedsHuman` when that is refused."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".reconciler-") as file:
            file.write(b"x")
    except OSError as error:
        raise NeedsHuman(
            f"{folder} cannot be written: {(error.strerror or str(error)).lower()}",
            hint="make it writable for whoever runs this, see that its disk has room, or choose another with --state",
        ) from error


def is_open_to_others(path: Path) -> bool:
    """Whether others on this machine may look into a file or folder. Windows: they may not, so far as modes tell."""
    return sys.platform != "win32" and bool(path.stat().st_mode & MODE_OF_OTHERS)


def find_foreign_owner(path: Path) -> int | None:
    """The user id that a file belongs to, when it is not ours; None when it is, and on Windows."""
    if sys.platform == "win32":
        return None
    owner = path.stat().st_uid
    return None if owner == os.geteuid() else owner


class SystemClock:
    """Implements the port `Clock`."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)


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
