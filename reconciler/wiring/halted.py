"""Who follows the live rows is told what halts changed in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.daemon.publishing import publish_once
from reconciler.errors import ReconcilerError
from reconciler.reconcile.sync import AppliedStep
from reconciler.settings import NO_REDIS
from reconciler.wiring.hostredis import host_redis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.model.halt import HaltStep
    from reconciler.settings import Settings


def tell_halted(settings: Settings, state: Path, store: DuckDBStore, obeyed: HaltStep | None) -> Iterator[str]:
    """Tell those who follow the live rows what halts changed; what was not told, and why."""
    step = AppliedStep.of_halts(store.made_under(), obeyed) if obeyed else None
    try:
        publish_once(settings, state, store, step)
    except ReconcilerError as error:
        yield f"the published copy was not told: {error}"
    if step is not None and settings.redis_url != NO_REDIS:
        try:
            host_redis(settings, lambda: state).tell_halted(step)
        except ReconcilerError as error:
            yield f"the live view in Redis was not told: {error}"


def ignore(notes: Iterable[str]) -> None:
    """What could not be told is for whoever halts."""
    for _ in notes:
        pass
