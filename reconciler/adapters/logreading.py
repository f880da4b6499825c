"""Reads the daemon's log while it is written and rotated. See `logfile`, which writes it.

No file stays open between two looks: on Windows that would keep the daemon from rotating it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from reconciler.adapters.logfile import KEPT_FILES
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK = 1 << 16
MAX_LINE = 1 << 20
"""Bytes of a line that are read; no line of the daemon's is longer."""


class LogFiles:
    """The lines of a log and of the files that were rotated away from it, without their ends."""

    def __init__(self, file: Path) -> None:
        self._names = [file, *(file.with_name(f"{file.name}.{number}") for number in range(1, KEPT_FILES + 1))]
        self._file: os.stat_result | None = None
        self._place = 0

    def exist(self) -> bool:
        """Whether there is any."""
        return any(name.exists() for name in self._names)

    def last_lines(self, count: int, wanted: Callable[[bytes], bool]) -> list[bytes]:
        """The last lines that are wanted, oldest first; `new_lines` goes on behind them. Raises `NeedsHuman`."""
        found: list[bytes] = []
        seen: list[os.stat_result] = []
        for name in self._names:
            try:
                with name.open("rb") as file:
                    status = os.fstat(file.fileno())
                    if any(os.path.samestat(status, other) for other in seen):
                        continue  # it was rotated meanwhile
                    seen.append(status)
                    end = _end_of_lines(file)
                    if self._file is None:
                        self._file, self._place = status, end
                    for line in _read_backwards(file, end) if len(found) < count else ():
                        if wanted(line):
                            found.append(line)
                            if len(found) == count:
                                break
            except FileNotFoundError:
                continue
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                hint = "the log is readable for whoever runs the daemon only: run this as the same person"
                raise NeedsHuman(f"cannot read {name}: {why}", hint=hint) from error
        return found[::-1]

    def new_lines(self) -> Iterator[bytes]:
        """The lines that were written since the last look, through any rotation. A file that cannot be read now is
        read by the next look.
        """
        with suppress(OSError):
            while True:
                number = self._find()
                with self._names[number].open("rb") as file:
                    yield from self._read_on(file, is_ended=number > 0)
                if number == 0:
                    return
                status = self._names[number - 1].stat()
                if self._find() == number:  # else it was rotated meanwhile
                    self._file, self._place = status, 0

    def _find(self) -> int:
        """Which of the files was read last; the current one when that is gone, or none was."""
        for number, name in enumerate(self._names):
            with suppress(FileNotFoundError):
                if self._file is not None and os.path.samestat(name.stat(), self._file):
                    return number
        self._file, self._place = None, 0
        return 0

    def _read_on(self, file: IO[bytes], *, is_ended: bool) -> Iterator[bytes]:
        self._file = os.fstat(file.fileno())
        if self._file.st_size < self._place:  # somebody emptied it
            self._place = 0
        file.seek(self._place)
        while line := file.readline(MAX_LINE):
            if not line.endswith(b"\n") and len(line) < MAX_LINE and not is_ended:
                return  # it is being written
            self._place = file.tell()
            yield line.rstrip(b"\r\n")


def _end_of_lines(file: IO[bytes]) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - BLOCK)
        file.seek(start)
        block = file.read(end - start)
        if b"\n" in block:
            return start + block.rindex(b"\n") + 1
        end = start
    return 0


def _read_backwards(file: IO[bytes], end: int) -> Iterator[bytes]:
    """The lines that end before a place, the last one first; of one that is too long its beginning."""
    rest, at = b"", end
    while at:
        start = max(0, at - BLOCK)
        file.seek(start)
        first, *lines = (file.read(at - start) + rest).split(b"\n")
        yield from (line.rstrip(b"\r") for line in reversed(lines) if line)
        rest, at = first[:MAX_LINE], start
    if rest:
        yield rest.rstrip(b"\r")
