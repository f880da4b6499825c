"""What the operating system says about this process: memory, open files, CPU time."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple


class Usage(NamedTuple):
    """Seconds of CPU time; bytes of memory, open files and how many there may be, None where that is not told."""

    cpu: float
    memory: int | None = None
    open_files: int | None = None
    most_files: int | None = None


if sys.platform == "linux":
    import resource
    from pathlib import Path

    PROC, PAGE = Path("/proc/self"), resource.getpagesize()

    def usage() -> Usage:
        """As of now, from `/proc`: https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html."""
        try:
            memory = int((PROC / "statm").read_text(encoding="ascii").split()[1]) * PAGE
            files = sum(1 for _ in (PROC / "fd").iterdir()) - 1  # one is the folder that is read
        except OSError:  # a container without /proc
            return Usage(time.process_time())
        return Usage(time.process_time(), memory, files, resource.getrlimit(resource.RLIMIT_NOFILE)[0])

elif sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _Memory(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS: https://learn.microsoft.com/windows/win32/api/psapi/ns-psapi-process_memory_counters."""

        _fields_ = (
            ("cb", wintypes.DWORD),
            ("PageFaultCount", wintypes.DWORD),
            *(
                (name, ctypes.c_size_t)
                for name in (
                    "PeakWorkingSetSize",
                    "WorkingSetSize",
                    "QuotaPeakPagedPoolUsage",
                    "QuotaPagedPoolUsage",
                    "QuotaPeakNonPagedPoolUsage",
                    "QuotaNonPagedPoolUsage",
                    "PagefileUsage",
                    "PeakPagefileUsage",
                )
            ),
        )

    def usage() -> Usage:
        """As of now; for open files the number of handles."""
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.K32GetProcessMemoryInfo.argtypes = (wintypes.HANDLE, ctypes.POINTER(_Memory), wintypes.DWORD)
        kernel.GetProcessHandleCount.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
        this, memory, handles = kernel.GetCurrentProcess(), _Memory(), wintypes.DWORD()
        told = kernel.K32GetProcessMemoryInfo(this, ctypes.byref(memory), ctypes.sizeof(memory))
        counted = kernel.GetProcessHandleCount(this, ctypes.byref(handles))
        return Usage(time.process_time(), memory.WorkingSetSize if told else None, handles.value if counted else None)

else:

    def usage() -> Usage:
        """CPU time alone."""
        return Usage(time.process_time())
