"""Reading many files on all cores: decoding and validating are pure, and nine tenths of a first sync."""

from __future__ import annotations

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

CHUNK = 250
AHEAD = 3
"""Chunks under way for each process: enough to keep it busy, few enough to keep memory flat."""


def read_in_parallel(kinds: Kinds, files: Iterable[File]) -> Iterator[FileEntry]:
    """What each file declares, in order."""
    processes = os.cpu_count() or 1
    stream = iter(files)
    chunks = iter(lambda: list(islice(stream, CHUNK)), [])
    under_way: deque[Future[list[FileEntry]]] = deque()
    # Spawned, not forked: a fork would take over the engines and threads of this process.
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (kinds,)) as pool:
        for chunk in chunks:
            under_way.append(pool.submit(_read, chunk))
            if len(under_way) > processes * AHEAD:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()


class _Worker:
    """What a process keeps between chunks."""

    validator: Validator


def _begin(kinds: Kinds) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that started this one
    _Worker.validator = Validator(kinds)


def _read(files: list[File]) -> list[FileEntry]:
    return [_Worker.validator.check(path, decode(path, data)) for path, data in files]
