"""`halts.json` in the state folder: the standing halts of this host. It is written before any row is.

The file has always the same size, and so has a spare one beside it, whose room is taken from the disk beforehand: a
halt is written into the spare file, which then gets the name. So a full disk keeps nobody from halting, and a kill
leaves the old halts or the new ones. A file system that writes each block anew, such as btrfs or ZFS, still wants room.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from reconciler.adapters.duckdb.backup import sync_folder
from reconciler.adapters.files import retry_while_read
from reconciler.adapters.machine import explain_os_error
from reconciler.errors import NeedsHuman, UsageError
from reconciler.model.halt import Halts
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE_NAME = "halts.json"
SIZE = 65_536
"""Bytes of the file."""
TURN_SECONDS = 0.3
"""Seconds that another writer is waited for. One that was stopped in the middle must not keep others from halting."""

FileMark: TypeAlias = "tuple[int, int, int] | None"


class HaltFile:
    """The file in one state folder. For any thread and any process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._spare = folder / f".{FILE_NAME}.spare"
        self._lock = folder / f".{FILE_NAME}.lock"

    def mark(self) -> FileMark:
        """What differs when somebody wrote to it; None where there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def read(self) -> Halts:
        """The halts; none where there is no file. Raises `NeedsHuman` for one that cannot be read."""
        try:
            with self.path.open("rb") as file:
                data = file.read(SIZE + 1)
        except FileNotFoundError:
            return Halts()
        except OSError as error:
            raise explain_os_error(f"cannot read {self.path}: which halts stand is not known", error) from error
        try:
            return msgspec.json.decode(data, type=Halts)
        except msgspec.DecodeError as error:
            raise NeedsHuman(
                f"{self.path} holds no halts: {error}",
                hint="halt again what has to be off: `reconciler halt --all` writes the file anew",
            ) from error

    def change(self, make: Callable[[Halts], Halts]) -> Halts:
        """Write what `make` makes of the halts, unless it is the same, and wait until it is on the disk; gives it.

        A file that cannot be read counts as none: it must not keep anybody from halting. Raises `UsageError` when
        there are too many halts, and `NeedsHuman` or `RetryLater` when the file cannot be written.
        """
        with self._turn():
            try:
                before = self.read()
            except NeedsHuman:
                before = Halts(number=time.time_ns() // 1_000_000)  # above whatever number stood there
            after = make(before)
            if after != before:
                self._write(_encode(after))
            return after

    def reserve(self) -> None:
        """Take the room that all changes to come need: of this file and the spare one. Raises `OSError`."""
        self._take_room()
        if not self.path.exists():
            self._exchange(_encode(Halts()))
            self._take_room()

    def _take_room(self) -> None:
        if self._spare.exists() and self._spare.stat().st_size == SIZE:
            return
        with self._spare.open("wb") as file:
            file.write(b" " * SIZE)
            file.flush()
            os.fsync(file.fileno())

    def _write(self, data: bytes) -> None:
        try:
            self._take_room()
            self._exchange(data)
        except OSError as error:
            raise explain_os_error(f"cannot write {self.path}: nothing was halted or released", error) from error
        with suppress(OSError):  # the next change tries again
            self._take_room()

    def _exchange(self, data: bytes) -> None:
        with self._spare.open("r+b") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.name == "posix":
            self._spare.chmod(0o600)
        retry_while_read(lambda: self._spare.replace(self.path))
        sync_folder(self.path.parent)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        from filelock import FileLock, Timeout  # those who only read the file do without

        lock = FileLock(self._lock, timeout=TURN_SECONDS)
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except (OSError, Timeout):
            yield
            return
        try:
            yield
        finally:
            lock.release()


def _encode(halts: Halts) -> bytes:
    """The halts in as many bytes as the file always has. Of too many changes the oldest are forgotten."""
    for first in range(len(halts.changes) + 1):
        data = msgspec.json.format(msgspec.json.encode(replace(halts, changes=halts.changes[first:])), indent=1)
        if len(data) < SIZE:
            return data.ljust(SIZE - 1) + b"\n"
    raise UsageError("there are too many halts", hint="halt by a label, a kind or --all instead of many names")
