"""Suspending and resuming the reconciling of a repository on this host."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.model.suspension import Suspension, parse_until
from reconciler.wiring.stores import target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.ports import Store
    from reconciler.settings import Settings


def suspend(settings: Settings, reason: str, actor: str, until: str | None) -> Suspension:
    """Suspend reconciling, in place of a suspension that is there; `until` as in `parse_until`, None for no end.

    Raises `UsageError` for an empty reason, and whatever opening repository and store does.
    """
    from reconciler.adapters.clock import SystemClock

    if not reason.strip():
        raise UsageError("a suspension needs a reason", hint='tell others why: --reason "broker maintenance"')
    now = SystemClock().now()
    suspension = Suspension(reason.strip(), actor, now, parse_until(until, now) if until else None)
    with _store(settings) as store:
        store.suspend(suspension)
    return suspension


def resume(settings: Settings, actor: str) -> Suspension | None:
    """End a suspension; gives the one that held, None when none did."""
    with _store(settings) as store:
        store.expire()
        return store.resume(actor)


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb.store import open_store

    with target(settings) as at, open_store(at.state, SystemClock()) as store:
        store.claim(at.repository, at.branch)
        yield store
