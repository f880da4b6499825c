"""What the machine says: its clock, the room and permissions of a folder, and why it refuses something."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from pathlib import Path

MODE_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DiskSpace(NamedTuple):
    """Bytes on a disk."""

    free: int
    total: int


def return_freed_memory() -> None:
    """Give the system what this process has freed and its C library keeps: glibc's can, no other needs to be told."""
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


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


NO_SHELLS = frozenset({"nologin", "false", "sync", "shutdown", "halt"})
"""Programs with which an account is set up so that nobody logs in to it."""

if sys.platform == "win32":
    import winreg

    PROFILES = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"
    PERSONS = ("S-1-5-21-", "S-1-12-1-")
    """How the ids (SIDs) of people begin: of this machine or a domain, of Entra ID."""

    def list_other_users() -> tuple[str, ...]:
        """The names of others who have logged in to this machine, by their profiles; who has not, is not known."""
        names = set()
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, PROFILES) as profiles:
            for number in range(winreg.QueryInfoKey(profiles)[0]):
                sid = winreg.EnumKey(profiles, number)
                if sid.startswith(PERSONS):
                    with suppress(OSError), winreg.OpenKey(profiles, sid) as profile:
                        folder = str(winreg.QueryValueEx(profile, "ProfileImagePath")[0])
                        names.add(folder.rpartition("\\")[2])
        return tuple(sorted(name for name in names if name.lower() != os.environ.get("USERNAME", "").lower()))

else:
    import pwd

    def list_other_users() -> tuple[str, ...]:
        """The names of others who may log in to this machine; not the superuser, who may read everything anyway."""
        others = (one for one in pwd.getpwall() if one.pw_uid not in {0, os.geteuid()})
        return tuple(sorted({one.pw_name for one in others if one.pw_shell.rpartition("/")[2] not in NO_SHELLS}))


class Cause(NamedTuple):
    """Why something cannot be read or written: the words by which it is known, in what systems and drivers say."""

    words: re.Pattern[str]
    error: type[ReconcilerError]
    what: str
    hint: str

    def raised(self, what: str, said: str) -> ReconcilerError:
        """The error of this cause; `what` could not be done, and `said` is what the system or driver says."""
        return self.error(f"{what}: {self.what} ({said})", hint=self.hint)


FULL: Final = Cause(
    re.compile("No space left on device|not enough space|File too large|quota exceeded", re.IGNORECASE),
    RetryLater,
    "the disk is full",
    "free some disk space; the next sync tries again",
)
READ_ONLY: Final = Cause(
    re.compile("Read-only file system|write[- ]protected", re.IGNORECASE),
    NeedsHuman,
    "its disk is read-only",
    "let the disk be written again (the system's log says why it is not), or choose another folder with --state",
)
DENIED: Final = Cause(
    re.compile("Permission denied|Access is denied|Operation not permitted", re.IGNORECASE),
    NeedsHuman,
    "whoever runs this may not do so",
    "let them read and write the state folder and all that is in it, or choose another folder with --state",
)
FAILING: Final = Cause(
    re.compile(
        r"Input/output error|I/O device error|\(CRC\)|Structure needs cleaning|Stale file handle", re.IGNORECASE
    ),
    NeedsHuman,
    "its disk fails",
    "copy the state folder to another disk and choose it with --state; the system's log says what is wrong",
)
NO_MEMORY: Final = Cause(
    re.compile("Out of Memory|Cannot allocate memory|failed to allocate", re.IGNORECASE),
    RetryLater,
    "memory does not suffice",
    "free some memory; the next sync tries again",
)
MANY_FILES: Final = Cause(
    re.compile("Too many open files", re.IGNORECASE),
    RetryLater,
    "too many files are open",
    "let this process open more files (ulimit -n); the next sync tries again",
)
CAUSES: Final = (FULL, READ_ONLY, DENIED, FAILING, NO_MEMORY, MANY_FILES)
ERRNO_CAUSES: Final = {
    errno.ENOSPC: FULL,
    errno.EFBIG: FULL,
    getattr(errno, "EDQUOT", errno.ENOSPC): FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.EIO: FAILING,
    errno.ENOMEM: NO_MEMORY,
    errno.EMFILE: MANY_FILES,
    errno.ENFILE: MANY_FILES,
}


def find_cause(text: str) -> Cause | None:
    """The cause that a driver's words are about; None when the machine is not at fault, so far as they tell."""
    return next((cause for cause in CAUSES if cause.words.search(text)), None)


def explain_os_error(what: str, error: OSError) -> ReconcilerError:
    """What the operating system's error says; `what` could not be done."""
    cause, said = ERRNO_CAUSES.get(error.errno or 0), (error.strerror or str(error)).lower()
    if cause is None:
        return NeedsHuman(f"{what}: {said}", hint="see to what it says, or choose another folder with --state")
    return cause.raised(what, said)


def is_read_only(folder: Path) -> bool:
    """Whether the disk of a folder may not be written. Windows does not tell: the words of its errors have to do."""
    if sys.platform == "win32":
        return False
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


MIN_FREE = 1 << 20
"""Bytes without which nothing can be written."""


def find_refusal(folder: Path) -> Cause | None:
    """Why nothing can be written to a folder, for an engine that does not tell; None where something can."""
    if is_read_only(folder):
        return READ_ONLY
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return DENIED
    return FULL if measure_disk(folder).free < MIN_FREE else None


class SystemClock:
    """Implements the port `Clock`."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)
