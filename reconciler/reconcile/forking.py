"""Reading files by copies of this process, on Linux, where it has one thread and so may be copied.

A fresh process takes a quarter of a second to start and is sent its files; a copy takes milliseconds and has them. That
is for a command that checks files and has opened nothing yet: an engine or a git under watch brings a thread.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from reconciler.reconcile.crossing import Shared, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.model.change import FileEntry

    File = tuple[str, bytes]
    Read = Callable[[Iterable[File]], Iterator[tuple[File, FileEntry | None]]]
    """Reads files: each with what it declares, None where that failed."""

MIN_SHARE = 500
"""Files for which a copy is made at least: a machine of many cores makes no copy for a handful."""


def count_readers(files: int) -> int:
    """How many processes may read files at once, this one and copies of it: one where it cannot be copied.

    A copy has only the thread that made it, and the locks that others hold stay locked in it: threads of libraries
    count as well.
    """
    if sys.platform != "linux" or len(list(Path("/proc/self/task").iterdir())) > 1:
        return 1
    return max(1, min(len(os.sched_getaffinity(0)), files // MIN_SHARE))


def read_in_copies(read: Read, files: list[File], readers: int) -> Iterator[tuple[File, FileEntry | None]]:
    """Each file with what it declares, in order: this process reads the first of so many shares, copies the others.

    What a copy failed to read, this process reads as well: so it meets the same failure, and can tell of it.
    """
    size = -(-len(files) // readers)
    own, *others = (files[at : at + size] for at in range(0, len(files), size))
    copies: list[_Copy] = []
    try:
        with suppress(OSError):  # no more processes or files may be had: what has no copy is read here
            for share in others:
                copies.append(_start_copy(read, share))
        yield from read(own)
        for copy, share in zip_longest(copies, others):
            if copy is None:
                yield from read(share)
                continue
            answer = copy.answers.read()
            if copy.wait() != 0:
                yield from read(share)
                continue
            packed = pickle.loads(answer)  # noqa: S301  this program wrote it
            yield from ((file, unpack(file[0], entry)) for file, entry in zip(share, packed, strict=True))
    finally:
        for copy in copies:
            copy.end()


class _Copy:
    """A copy of this process and the pipe that it answers through."""

    def __init__(self, process: int, answers: IO[bytes]) -> None:
        self._process, self.answers = process, answers
        self._code: int | None = None

    def wait(self) -> int:
        """Its exit code; below 0 when a signal ended it."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        return self._code

    def end(self) -> None:
        """End it unless it has ended; nobody wants its answer any more."""
        self.answers.close()
        if self._code is None and sys.platform != "win32":  # which has no such signal, and no copies
            os.kill(self._process, signal.SIGKILL)
            self.wait()


def _start_copy(read: Read, files: list[File]) -> _Copy:
    if sys.platform == "win32":
        raise AssertionError("Windows copies no process")
    receiving, sending = os.pipe()
    try:
        process = os.fork()
    except OSError:
        os.close(receiving)
        os.close(sending)
        raise
    if process == 0:
        _answer(read, files, sending)
    os.close(sending)
    return _Copy(process, os.fdopen(receiving, "rb"))


def _answer(read: Read, files: list[File], sending: int) -> NoReturn:
    """What a copy does. It ends at once: what else this process would do in the end is not the copy's."""
    code = 1
    try:
        gc.disable()  # it would look at all that the process had before
        shared = Shared()
        with os.fdopen(sending, "wb") as pipe:
            pickle.dump([pack(entry, shared) for _, entry in read(files)], pipe, pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)
