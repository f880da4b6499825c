"""Both databases and the repository, opened to be compared."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.wiring.origins import target
from reconciler.wiring.program import shipped
from reconciler.wiring.stores import ledger_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.reconcile.verify import Verifier
    from reconciler.settings import Settings


@contextmanager
def verifier(settings: Settings) -> Iterator[Verifier]:
    """A verifier of the repository that the settings name; nothing is created by it.

    Raises `UsageError` when nothing was synced here, `NeedsHuman` when the store belongs to another repository, and
    `RetryLater` while another process has the store open.
    """
    from reconciler.adapters.duckdb.store import open_reader
    from reconciler.reconcile.processor import CommitProcessor
    from reconciler.reconcile.verify import Verifier

    with target(settings) as at:
        opened = open_reader(at.state)
        if opened is None:
            raise UsageError("nothing is live yet: there is nothing to verify", hint="run `reconciler sync` first")
        with opened as store:
            store.check_owner(at.repository)
            yield Verifier(
                source=at.source,
                processor=CommitProcessor(at.source, settings.path, shipped()),
                repository=at.repository,
                branch=at.branch,
                store=store,
                open_ledger=ledger_reader(settings, at),
            )
