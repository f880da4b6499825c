"""What the machine says: its clock, the room and permissions of a folder."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from pathlib import Path

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


class SystemClock:
    """Implements the port `Clock`."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)
