"""Reading many files on all cores: decoding and validating are pure, and nine tenths of a first sync."""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from reconciler.decode.document import decode
from reconciler.validate.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.kinds.registry import Kinds
    from reconciler.model.resource import FileEntry

    File = tuple[str, bytes]

CHUNK = 100
AHEAD = 3
"""Chunks under way for each helper: enough to keep it busy, few enough that nobody waits long for the last ones."""


def read_in_parallel(kinds: Kinds, files: Iterable[File]) -> Iterator[FileEntry]:
    """What each file declares, in order. This process reads too: all that its helpers have no time for."""
    helpers = max(1, (os.cpu_count() or 1) - 1)
    stream, validator = iter(files), Validator(kinds)
    under_way: deque[Future[list[FileEntry]]] = deque()
    # Spawned, not forked: a fork would take over the engines and threads of this process.
    with ProcessPoolExecutor(helpers, get_context("spawn"), _begin, (kinds, gc.get_threshold())) as pool:
        while chunk := list(islice(stream, CHUNK)):
            busy = sum(not one.done() for one in under_way) >= helpers * AHEAD
            under_way.append(_done(_read(validator, chunk)) if busy else pool.submit(_help, chunk))
            while under_way and under_way[0].done():
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()


class _Helper:
    """What a process keeps between chunks."""

    validator: Validator


def _begin(kinds: Kinds, threshold: tuple[int, int, int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    gc.set_threshold(*threshold)
    _Helper.validator = Validator(kinds)


def _help(files: list[File]) -> list[FileEntry]:
    return _read(_Helper.validator, files)


def _read(validator: Validator, files: list[File]) -> list[FileEntry]:
    return [validator.check(path, decode(path, data)) for path, data in files]


def _done(entries: list[FileEntry]) -> Future[list[FileEntry]]:
    future: Future[list[FileEntry]] = Future()
    future.set_result(entries)
    return future
