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
from uuid import uuid4

import msgspec

from reconciler.adapters.files import retry_while_read, sync_folder
from reconciler.adapters.machine import explain_os_error
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.model.halt import Halts
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE_NAME = "halts.json"
SIZE = 65_536
"""Bytes of the file."""
TURN_SECONDS = 1.0
"""Seconds that another writer is waited for. One that was stopped in the middle must not keep others from halting."""
LEFT_SECONDS = 3600.0
"""Seconds after which nobody is writing to a file any more."""
TRIES = 50
"""How often a change is made anew as another writer came in between."""

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

    def is_newer(self, obeyed: Halts) -> bool:
        """Whether somebody changed what the rows obey; `status` tells of a file that cannot be read."""
        try:
            return self.read().number > obeyed.number
        except NeedsHuman:
            return False

    def change(self, make: Callable[[Halts], Halts], obeyed: Halts | None = None) -> Halts:
        """Write what `make` makes of the halts, unless it is the same, and wait until it is on the disk; gives it.

        `obeyed` are those that the rows obey, where that is known: they count where the file was lost, is older or
        cannot be read. Without them such a file counts as none: it must not keep anybody from halting. Raises
        `UsageError` when there are too many halts, and `NeedsHuman` or `RetryLater` when the file cannot be written.
        """
        with self._turn():
            for _ in range(TRIES):
                mark, before = self.mark(), self.current(obeyed)
                after = make(before)
                if after == before:
                    return after
                with self._prepared(_encode(after)) as prepared:
                    if self.mark() != mark:
                        continue
                    self._exchange(prepared)
                if (found := self.read()) == after or found.number > after.number:
                    return after  # and no other writer, who knew nothing of it, was last
        raise RetryLater(f"others write {self.path} all the time: nothing was changed", hint="try again")

    def current(self, obeyed: Halts | None) -> Halts:
        """The halts of the file, or those that the rows obey, as `change` takes them."""
        try:
            found = self.read()
        except NeedsHuman:
            # A number above whatever stood there, so that the rows obey
            number = time.time_ns() // 1_000_000
            return Halts(number) if obeyed is None else replace(obeyed, number=max(number, obeyed.number))
        return obeyed if obeyed is not None and obeyed.number > found.number else found

    def reserve(self) -> None:
        """Take the room that all changes to come need: of this file and the spare one. Raises `OSError`."""
        for left in self._spare.parent.glob(f"{self._spare.name}-*"):  # by a process that was killed
            if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                left.unlink(missing_ok=True)
        _fill(self._spare)
        if not self.path.exists():
            with self._prepared(_encode(Halts())) as prepared:
                if not self.path.exists():
                    self._exchange(prepared)

    @contextmanager
    def _prepared(self, data: bytes) -> Iterator[Path]:
        """A file with some content that is on the disk: the spare one, under a name that no other writer has."""
        own = self._spare.with_name(f"{self._spare.name}-{uuid4().hex}")
        try:
            with suppress(FileNotFoundError):  # another writer has it
                self._spare.replace(own)
            _fill(own)
            with own.open("r+b") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if os.name == "posix":
                own.chmod(0o600)
            yield own
        except OSError as error:
            raise explain_os_error(f"cannot write {self.path}: nothing was halted or released", error) from error
        finally:
            with suppress(OSError):  # the next change tries again
                if own.exists():
                    own.replace(self._spare)
                _fill(self._spare)

    def _exchange(self, prepared: Path) -> None:
        retry_while_read(lambda: prepared.replace(self.path))
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


def _fill(file: Path) -> None:
    """Let a file have its size, with room on the disk."""
    if file.exists() and file.stat().st_size == SIZE:
        return
    with file.open("wb") as new:
        new.write(b" " * SIZE)
        new.flush()
        os.fsync(new.fileno())


def _encode(halts: Halts) -> bytes:
    """The halts in as many bytes as the file always has. Of too many changes the oldest are forgotten."""
    for first in range(len(halts.changes) + 1):
        data = msgspec.json.format(msgspec.json.encode(replace(halts, changes=halts.changes[first:])), indent=1)
        if len(data) < SIZE:
            return data.ljust(SIZE - 1) + b"\n"
    raise UsageError("there are too many halts", hint="halt by a label, a kind or --all instead of many names")
