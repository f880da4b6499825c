"""Reading many files on all cores: decoding and validating are pure, and nine tenths of a first sync."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.slices import slices
from reconciler.validate.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.resource import FileEntry

    File = tuple[str, bytes]

CHUNK = 100
AHEAD = 3
"""Chunks under way for each helper: enough to keep it busy, few enough that nobody waits long for the last ones."""
NICE = 10
"""How far helpers stand back for whoever else has something to do, such as answering a question."""


def read_in_parallel(kinds: Kinds, files: Iterable[File]) -> Iterator[FileEntry]:
    """What each file declares, in order. Helpers read; this process has others to answer meanwhile."""
    helpers = os.cpu_count() or 1
    under_way: deque[Future[list[FileEntry]]] = deque()
    # Spawned, not forked: a fork would take over the engines and threads of this process.
    with ProcessPoolExecutor(helpers, get_context("spawn"), _begin, (kinds, gc.get_threshold())) as pool:
        for chunk in slices(files, CHUNK):
            under_way.append(pool.submit(_read, chunk))
            if len(under_way) >= helpers * AHEAD:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()


class _Helper:
    """What a process keeps between chunks."""

    validator: Validator


def _begin(kinds: Kinds, threshold: tuple[int, int, int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    if sys.platform != "win32":  # where a process has no such number to lower
        os.nice(NICE)
    gc.set_threshold(*threshold)
    _Helper.validator = Validator(kinds)


def _read(files: list[File]) -> list[FileEntry]:
    return [_Helper.validator.check(path, decode(path, data)) for path, data in files]
