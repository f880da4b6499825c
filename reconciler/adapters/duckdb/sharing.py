"""The store in a process that lives for months: open while somebody needs it, so that others get their turn at it."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

from reconciler.adapters.duckdb.connection import FILE_NAME, WAL
from reconciler.adapters.duckdb.store import obey_file, open_store
from reconciler.adapters.haltfile import HaltFile
from reconciler.errors import InUse, RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.memory import StoreMemory
    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.adapters.haltfile import FileMark as HaltMark
    from reconciler.kinds.kind import Kinds
    from reconciler.model.halt import HaltStep
    from reconciler.ports import Clock

FileMark: TypeAlias = "tuple[int, int, int, int]"

OPEN_SECONDS, OPEN_PAUSE = 2.0, 0.05
"""Seconds that another process's turn is waited out, and between two tries."""
UNKNOWN = (0, 0, 0)
"""The mark of no file."""
OBEY_RETRY = 10.0
"""Seconds until a halt that the tables of a kind do not take is tried again."""
READERS_SECONDS = 10.0
"""Seconds that a turn is waited for within this process."""


class SharedStore:
    """One thread writes through `store`, any may read. Whoever opens it first opens it for all."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._turn = threading.Condition()
        self._store: DuckDBStore | None = None
        self._readers = 0
        self._kept_closed = False
        self._left: FileMark | None = None
        self._memory: StoreMemory | None = None
        self._changed = False
        self._halts = HaltFile(folder)
        self._obeyed: HaltMark = UNKNOWN
        self._obey_again = math.inf
        self.on_obeyed: Callable[[Kinds, HaltStep], None] = lambda kinds, step: None

    def store(self) -> DuckDBStore:
        """The store, for the thread that writes; good until it calls `close_idle`. Raises like `open_store`."""
        with self._turn:
            store = self._open()
        self.obey_halts()
        return store

    def obey_halts(self) -> HaltStep | None:
        """Make the rows obey the halts of the state folder; None where they do. For any thread. Raises as `store`.

        Waits for a transaction, and for nothing else that the thread which writes may be at.
        """
        mark = self._halts.mark()
        if mark == self._obeyed and time.monotonic() < self._obey_again:
            return None
        with self._turn:
            self._await_copy()
            store = self._open()
            self._readers += 1
        try:
            step = obey_file(store, self._folder) or store.obeyed
            self._obeyed, store.obeyed = mark, None
            self._obey_again = time.monotonic() + OBEY_RETRY if store.failed_halts() else math.inf
        finally:
            with self._turn:
                self._readers -= 1
                self._turn.notify_all()
        if step is not None:
            self.on_obeyed(store.made_under(), step)
        return step

    def make_ready(self) -> bool:
        """Open it for the thread that writes, which will soon want it; False while another process has it."""
        with self._turn, suppress(InUse):
            self._open(0.0)
            return True
        return False

    @contextmanager
    def reading(self) -> Iterator[DuckDBReader]:
        """A reader that sees one moment. Raises like `open_store`, and `RetryLater` while the file is elsewhere."""
        with self._turn:
            self._await_copy()
            reader = self._open().another()
            self._readers += 1
        try:
            with reader:
                yield reader
        finally:
            with self._turn:
                self._readers -= 1
                self._turn.notify_all()

    def _await_copy(self) -> None:
        if not self._turn.wait_for(lambda: not self._kept_closed, READERS_SECONDS):
            raise RetryLater("the store is being copied", hint="try again in a moment")

    def close_idle(self) -> None:
        """Close it, unless somebody reads. Others get their turn, and what went wrong with it is left behind."""
        with self._turn:
            if not self._readers:
                self._close()

    def discard(self) -> None:
        """The same after an error: what was known of it is not trusted any more."""
        with self._turn:
            self.close_idle()
            self._memory = None

    @contextmanager
    def keep_closed(self) -> Iterator[None]:
        """Keep this process from the file. Raises `RetryLater` when somebody goes on reading."""
        with self._turn:
            if not self._turn.wait_for(lambda: not self._readers, READERS_SECONDS):
                raise RetryLater("the store is being read, and does not come free", hint="it is tried again")
            self._close()
            self._kept_closed, self._memory = True, None
        try:
            yield
        finally:
            with self._turn:
                self._kept_closed = False
                self._turn.notify_all()

    def changed_externally(self) -> bool:
        """Whether something else wrote to the file while it was closed here, since this was asked last."""
        with self._turn:
            self._notice()
            changed, self._changed = self._changed, False
            return changed

    def _notice(self) -> None:
        """Each change is noticed once."""
        mark = self._mark()
        if self._store is None and self._left is not None and mark != self._left:
            self._changed, self._left, self._memory = True, mark, None

    def _recall(self) -> StoreMemory | None:
        """What was known of the file when it was closed, if nobody has written to it."""
        return self._memory if self._mark() == self._left else None

    def _mark(self) -> FileMark | None:
        """What differs when somebody wrote to the file: its date, size and number, and the size of its log of writes.

        None when it is not there.
        """
        try:
            status = (self._folder / FILE_NAME).stat()
        except OSError:
            return None
        try:
            logged = (self._folder / f"{FILE_NAME}{WAL}").stat().st_size
        except OSError:
            logged = 0
        return status.st_mtime_ns, status.st_size, status.st_ino, logged

    def _open(self, patience: float = OPEN_SECONDS) -> DuckDBStore:
        limit = time.monotonic() + patience
        self._notice()
        while self._store is None:
            try:
                self._store = open_store(self._folder, self._clock, self._recall)
            except InUse:
                if time.monotonic() >= limit:
                    raise
                time.sleep(OPEN_PAUSE)
        return self._store

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            self._memory = store.settle()
            self._left = self._mark()  # before the file is free: somebody may be waiting for it
            store.close()
