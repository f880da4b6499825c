"""Reads of a store that is open for writing: what nobody else changes meanwhile is asked for once."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from reconciler.adapters.duckdb.folders import FolderKinds, read_folders
from reconciler.adapters.duckdb.halts import read_failed, read_halts
from reconciler.adapters.duckdb.memory import (
    APPLIED,
    ATTEMPTED,
    COUNTS,
    CURSORS,
    DRILL,
    FAULTS,
    FOLDERS,
    HALTED,
    HALTS,
    IDENTITY,
    OWNER,
    ROLLBACK,
    SUSPENSION,
    Remembered,
)
from reconciler.adapters.duckdb.reader import DuckDBReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.adapters.duckdb.connection import StoreConnection
    from reconciler.adapters.duckdb.memory import StoreMemory
    from reconciler.model.commit import Applied, Attempt
    from reconciler.model.halt import Halts
    from reconciler.model.host import HostEvent, Owner, Suspension
    from reconciler.model.rollback import Rollback

T = TypeVar("T")


class RememberingReader(DuckDBReader):
    """Reads as `DuckDBReader` does, each thing once until `_known` is told that it was written."""

    def __init__(self, connection: StoreConnection, memory: StoreMemory | None) -> None:
        super().__init__(connection, memory.catalog if memory else None)
        self._lock = threading.RLock()
        self._known = Remembered(memory.known if memory else {}, self._lock)

    def applied(self) -> Applied | None:
        """The applied commit."""
        return self._known.get((APPLIED,), super().applied)

    def last_attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self._known.get((ATTEMPTED,), super().last_attempt)

    def known_faults(self, program: str) -> Mapping[str, str]:
        """What a version of the program could not judge, and why, by subject."""
        return self._known.get((FAULTS, program), lambda: super(RememberingReader, self).known_faults(program))

    def suspension(self) -> Suspension | None:
        """The suspension that was asked for last, expired or not."""
        return self._known.get((SUSPENSION,), super().suspension)

    def rollback(self) -> Rollback | None:
        """The rollback that this host is under."""
        return self._known.get((ROLLBACK,), super().rollback)

    def halts(self) -> Halts:
        """The halts that the live rows obey."""
        return self._known.get((HALTS,), lambda: self._ask(read_halts))

    def failed_halts(self) -> Mapping[str, str]:
        """The kinds whose tables do not take these halts, and why."""
        return self._known.get((HALTS, "failed"), lambda: self._ask(read_failed))

    def _ask(self, read: Callable[[StoreConnection], T]) -> T:
        """For any thread: the one that writes reads through the store's own connection meanwhile."""
        with closing(self._connection.cursor()) as cursor:
            return read(cursor)

    def halted_rows(self) -> Mapping[str, int]:
        """How many live rows halts keep from what git says, by kind."""
        return self._known.get((HALTED,), super().halted_rows)

    def last_drill(self) -> HostEvent | None:
        """The newest host event of a drill."""
        return self._known.get((DRILL,), super().last_drill)

    def counts(self) -> Mapping[str, int]:
        """Live rows by kind."""
        return self._known.get((COUNTS,), super().counts)

    def folders(self) -> FolderKinds:
        """The same, found out once."""
        return self._known.get((FOLDERS,), lambda: read_folders(self._connection, self._catalog))

    def owner(self) -> Owner | None:
        """The repository and branch that the store belongs to."""
        return self._known.get((OWNER,), super().owner)

    def identity(self) -> str:
        """The store's id, which stays while it is open."""
        return self._known.get((IDENTITY,), super().identity)

    def lacks_past(self) -> bool:
        """Whether the ledger has yet to tell what stood on this host before."""
        return self._known.get((CURSORS, "past"), super().lacks_past)

    def last_uploaded_event(self) -> int:
        """The newest host event that the ledger has; 0 when it has none."""
        return self._known.get((CURSORS, "event"), super().last_uploaded_event)

    def last_uploaded_interval(self) -> int:
        """The newest change of an interval that the ledger has; 0 when it has none."""
        return self._known.get((CURSORS, "interval"), super().last_uploaded_interval)
