"""What the shipping thread needs of this host: its ledger, and git to compare it with."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, RetryLater
from reconciler.wiring.origins import target
from reconciler.wiring.program import shipped
from reconciler.wiring.stores import ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.ports import Ledger
    from reconciler.reconcile.record import PendingVersion
    from reconciler.reconcile.upload import UploadTarget
    from reconciler.settings import Settings
    from reconciler.wiring.origins import Target


SILENCE = 20
"""Seconds that a ClickHouse server may say nothing to a daemon: it tries again, and its status tells of what hangs."""


def route(settings: Settings, at: Target) -> UploadTarget | None:
    """The way to the ledger of a repository and branch; None for a host that keeps no history."""
    from reconciler.reconcile.upload import UploadTarget

    open_ledger = ledger(settings, at, SILENCE)
    return (
        None
        if open_ledger is None
        else UploadTarget(open_ledger, partial(_catch_up, replace(settings, branch=at.branch)))
    )


def _catch_up(
    settings: Settings, opened: Callable[[], Ledger], waiting: Mapping[str, PendingVersion], pulse: Callable[[], None]
) -> int | None:
    """With a repository and a memory of its own: it runs beside the operations thread, and seldom."""
    from reconciler.reconcile.processor import CommitProcessor
    from reconciler.reconcile.record import backfill

    ledger = opened()
    try:
        with target(settings) as at:
            head = at.source.resolve(at.branch)
            if head is None:
                return None
            processor = CommitProcessor(at.source, settings.path, shipped())
            return backfill(at.source, processor, head, ledger, waiting=waiting, progress=lambda done, total: pulse())
    except NeedsHuman as error:  # of git's: the operations thread calls whoever is needed, or mends it
        raise RetryLater(str(error), hint=error.hint) from error
