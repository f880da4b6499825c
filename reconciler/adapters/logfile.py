"""Events for a log, and a log file of bounded size that outlives full disks and whoever deletes it.

The file handler of the standard library leaves half a line behind when the disk is full, writes it again later, loses a
line for each rotation that Windows refuses, and tells every failure with a traceback.
"""

from __future__ import annotations

import io
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reconciler.model.log import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEPT_FILES = 5
"""Rotated files, `NAME.1` being the youngest: with the one that is written, six times the size at most."""

MAX_GROWTH = 2
"""While rotating is refused, the file may grow to this many times its size."""


LEVEL_NUMBERS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARN: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


class EventLog:
    """Events of one part of the program, with the fields that all of them share. For any thread."""

    def __init__(self, logger: logging.Logger, **shared: Any) -> None:
        self._logger = logger
        self._shared = shared

    def with_fields(self, **fields: Any) -> EventLog:
        """The same log, with fields that every event gets."""
        return EventLog(self._logger, **self._shared, **fields)

    def event(
        self,
        event: str,
        message: str = "",
        *,
        level: Level = Level.INFO,
        error: BaseException | None = None,
        **fields: Any,
    ) -> None:
        """Write down what happened: a CamelCase word, a sentence, and fields such as commit or duration_ms."""
        extra = {"event": event, "fields": {**self._shared, **fields}}
        self._logger.log(LEVEL_NUMBERS[level], "%s", message, extra=extra, exc_info=error)


class RotatingFile(logging.Handler):
    """Appends lines to a file that only its owner can read.

    When it cannot, that is told once with `complain`, and so is that it can again, and how many lines are missing.
    Every line is another try.
    """

    def __init__(
        self, file: Path, max_bytes: int, formatter: logging.Formatter, complain: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._path, self._max_bytes, self._complain = file, max_bytes, complain
        self._file: io.FileIO | None = None
        self._missing = 0
        self.trouble = ""

    def resize(self, max_bytes: int) -> None:
        """Rotate at another size from now on."""
        with self._guarded():
            self._max_bytes = max_bytes

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, rotating before it when it would not fit."""
        line = (self.format(record) + "\n").encode()
        try:
            self._write(self._roomy(len(line)), line)
        except OSError as error:
            self._failed(error)
        else:
            self._worked()

    def close(self) -> None:
        """Close the file."""
        with self._guarded():
            self._shut()
        super().close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _roomy(self, size: int) -> io.FileIO:
        """The file, with room for that many bytes in it."""
        file = self._open()
        length = file.seek(0, os.SEEK_END)
        if length == 0 or length + size <= self._max_bytes:
            return file
        try:
            self._rotate()
        except OSError:  # another program has one of them open, on Windows
            if length + size > MAX_GROWTH * self._max_bytes:
                raise
        return self._open()

    def _open(self) -> io.FileIO:
        """The file as it is by that name now, however it came to be another one."""
        if self._file is not None and not self._is_current(self._file):
            self._shut()
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = io.FileIO(self._path, "a+", opener=_open_private)
            _end_line(self._file)
        return self._file

    def _is_current(self, file: io.FileIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        self._shut()
        for number in range(KEPT_FILES - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{number + 1}"))
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    def _write(self, file: io.FileIO, line: bytes) -> None:
        """All of a line or nothing of it: a disk may be full in the middle."""
        start, done = file.seek(0, os.SEEK_END), 0
        try:
            while done < len(line):
                done += file.write(line[done:]) or 0
        except OSError:
            if done:
                file.truncate(start)
            raise

    def _failed(self, error: OSError) -> None:
        self._missing += 1
        if not self.trouble:
            self.trouble = f"cannot write the log {self._path}: {(error.strerror or str(error)).lower()}"
            self._complain(f"{self.trouble}; going on without it, and trying again")
        self._shut()

    def _worked(self) -> None:
        if self.trouble:
            self._complain(f"the log {self._path} can be written again; {self._missing} lines are missing")
            self.trouble, self._missing = "", 0

    def _shut(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _end_line(file: io.FileIO) -> None:
    """Whoever was killed while writing may have left half a line: the next one begins on its own."""
    if file.seek(0, os.SEEK_END) > 0:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
