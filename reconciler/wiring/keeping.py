"""The store of this host looked after: drift found and put right, copies made and brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.drift import MOST_TOLD, Drifts
from reconciler.pipeline.kindset import stored_kinds
from reconciler.wiring.stores import target

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.duckdb.restoring import Restored
    from reconciler.settings import Settings


def find_drift(settings: Settings) -> Drifts:
    """Where the live rows are not what git says. Nothing is created by it: before the first sync nothing is live.

    Raises `NeedsHuman` when the store belongs to another repository.
    """
    from reconciler.adapters.duckdb.store import open_reader

    with target(settings) as at:
        store = open_reader(at.state)
        if store is None:
            return Drifts()
        with store:
            store.check_owner(at.repository)
            return store.drift(stored_kinds(store.kinds()))


def heal_drift(settings: Settings) -> Drifts:
    """Put right all that drifted, so many rows in each transaction; gives what was found. Raises like `find_drift`."""
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb.store import open_store

    found = find_drift(settings)
    if not found.total:
        return found
    with target(settings) as at, open_store(at.state, SystemClock()) as store:
        store.check_owner(at.repository)
        kinds = stored_kinds(store.kinds())
        for _ in range(0, found.total, MOST_TOLD):
            store.heal(kinds)
    return found


def back_up(settings: Settings) -> Path:
    """Copy the store into the state folder's `backups`; where the copy is."""
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb import backup

    with target(settings) as at:
        return backup.back_up(at.state, SystemClock().now())


def restore(settings: Settings, file: Path) -> Restored:
    """Make a copy the store."""
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb import restoring

    with target(settings) as at:
        return restoring.restore(file, at.state, at.repository, SystemClock().now())
