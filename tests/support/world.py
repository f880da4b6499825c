"""A repository, a store and a ledger together, as one reconcile sees them."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from reconciler.adapters.clock import SystemClock
from reconciler.adapters.git.repository import open_repository
from reconciler.adapters.memory.ledger import MemoryLedger
from reconciler.adapters.memory.store import MemoryStore
from reconciler.pipeline import syncing
from reconciler.pipeline.kindset import stored_kinds
from reconciler.pipeline.layout import Layout
from reconciler.pipeline.stepping import Stepper
from reconciler.pipeline.syncing import Reconciler, SyncResult
from reconciler.wiring import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.change import Row
    from reconciler.model.resource import RowId
    from reconciler.ports import Ledger, Store

SHIPPED = shipped()
CLOCK = SystemClock()


@dataclass
class World:
    """One host with its store and ledger in memory, unless others are given.

    With `look_up_per_row` 0 the state before is looked up piece by piece, as in a repository of many files.
    """

    repository: Path
    branch: str = "main"
    store: Store = field(default_factory=lambda: MemoryStore(CLOCK))
    ledger: Ledger = field(default_factory=lambda: MemoryLedger(CLOCK))
    look_up_per_row: int | None = None

    @contextmanager
    def reconciler(self) -> Iterator[Reconciler]:
        """A reconciler as a new process would make it."""
        with open_repository(self.repository) as source:
            stepper = Stepper(source, Layout(), SHIPPED)
            yield Reconciler(
                source,
                source.repository,
                self.branch,
                self.store,
                lambda: nullcontext(self.ledger),
                stepper,
                SHIPPED.kinds,
                CLOCK,
            )

    def sync(self) -> SyncResult:
        """One reconcile, as a new process."""
        chosen = syncing.LOOK_UP_PER_ROW if self.look_up_per_row is None else self.look_up_per_row
        with patch.object(syncing, "LOOK_UP_PER_ROW", chosen), self.reconciler() as reconciler:
            return reconciler.sync()

    def rows(self) -> dict[RowId, Row]:
        """Everything the store holds."""
        return {row.row_id: row for row in self.store.base(stored_kinds(self.store.kinds())).rows()}

    def live(self) -> dict[str, list[Any]]:
        """The live rows by kind."""
        kinds = stored_kinds(self.store.kinds())
        return {kind.name: sorted((row.name, dict(row.values)) for row in self.store.live(kind)) for kind in kinds}
