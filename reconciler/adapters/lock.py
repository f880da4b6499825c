"""One daemon per state folder: a lock that lasts as long as the process, however that ends.

The lock is the kernel's, so what a dead process wrote into the file holds nobody back. The file is never deleted: two
processes could then lock two files of the same name.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from filelock import lock_descriptor, unlock_descriptor
from msgspec import Struct

from reconciler import canonical
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.ports import Clock

LOCK_FILE = "daemon.lock"
DAEMON_FILE = "daemon.json"
FIRST_READABLE = 1 if sys.platform == "win32" else 0
"""Windows lets nobody else read what is locked: filelock locks the first byte, a line end, and JSON follows it."""

LOCK_ATTEMPTS, LOCK_PAUSE = 5, 0.05
"""How often the lock is tried for, seconds apart: somebody who only asks who holds it is done by then."""

DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""The disk, or our share of it, is full."""

MAX_NOTE_BYTES = 65_536
"""Bytes read of a file in which a few lines are expected."""


class LockHolder(Struct, frozen=True):
    """Who holds a state folder, as far as its files say: process id, since when (RFC 3339, UTC), command, address."""

    pid: int | None = None
    since: str | None = None
    command: str | None = None
    address: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "another process, which could not write down who it is"
        parts = [f"process {self.pid}"]
        parts += [f"since {self.since}"] if self.since else []
        parts += [f"at {self.address}"] if self.address else []
        return ", ".join(parts) + (f" ({self.command})" if self.command else "")


@contextmanager
def hold_folder(folder: Path, clock: Clock, command: str) -> Iterator[str]:
    """Be the one daemon of a state folder, which is made when missing; until the block or the process ends.

    Gives why nobody else can be told who holds it, empty when they can: a full disk is no reason not to start.
    Raises `RetryLater`, naming the holder, while somebody else holds the folder, or when a full disk has no room for
    the file; `NeedsHuman` when the folder cannot be written.
    """
    fd = _acquire(folder)
    try:
        yield _write_holder(fd, {"pid": os.getpid(), "since": canonical.timestamp(clock.now()), "command": command})
    finally:
        with suppress(OSError):  # a disk gone bad by now: what is left in the file is no lock
            os.ftruncate(fd, 0)
        _release(fd)


def find_holder(folder: Path) -> LockHolder | None:
    """Who holds a state folder; None when nobody does. Writes nothing. Raises `NeedsHuman` when it cannot be told."""
    file = folder / LOCK_FILE
    try:
        fd = os.open(file, os.O_RDWR)  # Windows and network shares lock only what may be written
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _lock_error(folder, error) from error
    try:
        if lock_descriptor(fd, blocking=False):
            return None  # closing it unlocks it
    except OSError as error:
        raise _lock_error(folder, error) from error
    finally:
        os.close(fd)
    return _read_holder(folder)


def find_stale_files(folder: Path) -> tuple[str, ...]:
    """The files of a folder that nobody holds which speak of a daemon all the same: it was killed, not stopped."""
    files = (folder / LOCK_FILE, folder / DAEMON_FILE)
    return tuple(file.name for file in files if _read_object(file).get("pid") is not None)


def _acquire(folder: Path) -> int:
    """A descriptor of the lock file, locked. Children do not inherit it."""
    for attempt in range(LOCK_ATTEMPTS):
        if attempt:
            time.sleep(LOCK_PAUSE)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _lock_error(folder, error) from error
        try:
            if lock_descriptor(fd, blocking=False) and _is_current_file(fd, folder / LOCK_FILE):
                return fd
        except OSError as error:
            os.close(fd)
            raise _lock_error(folder, error) from error
        os.close(fd)
    raise RetryLater(
        f"the state folder {folder} is held by {_read_holder(folder)}",
        hint="one daemon serves a state folder: ask that one, end it first, or choose another folder with --state",
    )


def _release(fd: int) -> None:
    try:
        unlock_descriptor(fd)
    finally:
        os.close(fd)


def _is_current_file(fd: int, file: Path) -> bool:
    """Whether the file that is locked is still the one of that name: somebody may have deleted the folder."""
    try:
        return os.path.samestat(os.fstat(fd), file.stat())
    except FileNotFoundError:
        return False


def _write_holder(fd: int, who: dict[str, Any]) -> str:
    """Write down who holds the lock, over what the one before left; gives why that could not be done."""
    text = ("\n" + json.dumps(who, ensure_ascii=False) + "\n").encode(errors="replace")
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        written = os.write(fd, text)
        os.ftruncate(fd, written)
    except OSError as error:
        os.ftruncate(fd, 0)
        return f"cannot write {LOCK_FILE}: {(error.strerror or str(error)).lower()}"
    return "" if written == len(text) else f"cannot write {LOCK_FILE}: no space left on device"


def _read_holder(folder: Path) -> LockHolder:
    """What the files of a held folder say about its holder. An address counts only when it is that process's."""
    who, daemon = _read_object(folder / LOCK_FILE, FIRST_READABLE), _read_object(folder / DAEMON_FILE)
    pid = who.get("pid")
    if not isinstance(pid, int):
        return LockHolder()
    address = daemon.get("address") if daemon.get("pid") == pid else None
    return LockHolder(pid, *(str(text) if text else None for text in (who.get("since"), who.get("command"), address)))


def _read_object(file: Path, start: int = 0) -> dict[str, Any]:
    """A small JSON object, empty when there is none: half of one is nothing."""
    try:
        with file.open("rb") as opened:
            opened.seek(start)
            value = json.loads(opened.read(MAX_NOTE_BYTES))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _lock_error(folder: Path, error: OSError) -> ReconcilerError:
    why = (error.strerror or str(error)).lower()
    message = f"cannot use {folder / LOCK_FILE}: {why}"
    if error.errno in DISK_FULL:
        return RetryLater(message, hint="free some disk space, or choose another folder with --state")
    return NeedsHuman(message, hint="make the state folder writable for whoever runs this, or choose another")
