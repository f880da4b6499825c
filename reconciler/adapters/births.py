"""When a process began, as its system tells: a process id is given again, this is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

UNKNOWN = ""
"""There is such a process, and this system does not tell when it began."""

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    QUERY_LIMITED_INFORMATION = 0x1000
    STILL_ACTIVE = 259
    ACCESS_DENIED = 5

    def birth(pid: int) -> str | None:
        """A mark that no other process has; None when there is no such process."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
        kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *(ctypes.POINTER(wintypes.FILETIME),) * 4)
        kernel.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        handle = kernel.OpenProcess(QUERY_LIMITED_INFORMATION, False, pid)
        if not handle:
            return UNKNOWN if ctypes.get_last_error() == ACCESS_DENIED else None
        try:
            code = wintypes.DWORD()
            if kernel.GetExitCodeProcess(handle, ctypes.byref(code)) and code.value != STILL_ACTIVE:
                return None  # it has ended, and somebody still has a handle
            began, ended, inside, outside = (wintypes.FILETIME() for _ in range(4))
            times = (ctypes.byref(one) for one in (began, ended, inside, outside))
            if not kernel.GetProcessTimes(handle, *times):
                return UNKNOWN
            return f"{began.dwHighDateTime << 32 | began.dwLowDateTime}"
        finally:
            kernel.CloseHandle(handle)

else:
    BOOT = Path("/proc/sys/kernel/random/boot_id")
    STAT = "/proc/{}/stat"
    BEGAN = 19
    """Of the words after the command's name, which is in brackets: the 22nd of all, in ticks since boot (proc(5))."""

    def birth(pid: int) -> str | None:
        """A mark that no other process has; None when there is no such process."""
        try:
            os.kill(pid, 0)
        except PermissionError:
            pass  # it is somebody else's
        except (ProcessLookupError, OverflowError):
            return None
        try:
            words = Path(STAT.format(pid)).read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            return f"{BOOT.read_text(encoding='utf-8').strip()}/{words[BEGAN]}"
        except OSError:  # not Linux, or /proc is hidden
            return UNKNOWN
