"""The host in this process, with what changes it and what judges."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.duckdb import backup
from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.machine import SystemClock
from reconciler.daemon.publishing import publish_once
from reconciler.evidence.chain import NAMESPACE
from reconciler.reconcile.roots import make_root
from reconciler.service.context import Openers
from reconciler.service.local import LocalHost
from reconciler.service.localcontrol import LocalControl
from reconciler.service.localreading import no_progress
from reconciler.settings import NO_REDIS
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from reconciler.wiring.halted import ignore, tell_halted
from reconciler.wiring.histories import connect_history
from reconciler.wiring.hostredis import host_redis
from reconciler.wiring.policies import policy_engine
from reconciler.wiring.reading import make_readers, session_layout
from reconciler.wiring.repository import fetch_source, open_nearby

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.evidence.chain import Signature, SignedRoot
    from reconciler.ledger.copy import CopiedTable
    from reconciler.model.live import CompareView
    from reconciler.ports import Clock, Store
    from reconciler.service.context import Progress
    from reconciler.settings import Settings


def local_host(settings: Settings, progress: Progress | None = None) -> LocalHost:
    """The host in this process, unopened."""
    progress = progress or no_progress
    return LocalHost(settings, make_openers(settings), bundled_kinds, SystemClock(), session_layout, progress)


def local_control(settings: Settings, progress: Progress | None = None) -> LocalControl:
    """What changes the host in this process."""
    return LocalControl(local_host(settings, progress))


def copy_history(settings: Settings, url: str, progress: Progress | None = None) -> tuple[CopiedTable, ...]:
    """Copy the history of the host that settings name to the one that a value of `history.url` names."""
    return local_host(settings, progress).copy_history(url, lambda state: find_daemon(state) is not None)


def make_openers(settings: Settings) -> Openers:
    """Everything that opens a part of the host which settings name."""
    clock = SystemClock()
    return Openers(
        **structs.asdict(make_readers(settings)),
        nearby=partial(open_nearby, settings),
        fetch=partial(fetch_source, settings),
        store=partial(_open_store, settings, clock),
        obey=partial(_obey, settings, clock),
        make_root=partial(_make_root, settings, clock),
        connect_history=connect_history,
        policy_engine=policy_engine,
        compare_view=None if settings.redis_url == NO_REDIS else partial(_compare_view, settings),
        back_up=lambda state: backup.back_up(state, clock.now()),
        restore=lambda file, state, claimant: backup.restore(file, state, claimant.owns, clock.now()),
        publish=partial(publish_once, settings),
        faults=fault_finder(),
    )


def _open_store(settings: Settings, clock: Clock, state: Path) -> DuckDBStore:
    store = open_store(state, clock)
    try:
        if store.obeyed is not None:
            ignore(tell_halted(settings, state, store, store.obeyed))
    except BaseException:
        store.close()
        raise
    return store


def _obey(settings: Settings, clock: Clock, state: Path) -> tuple[str, ...]:
    with open_store(state, clock) as store:
        return tuple(tell_halted(settings, state, store, store.obeyed))


def _make_root(settings: Settings, clock: Clock, host: str, store: Store) -> SignedRoot | None:
    def sign(message: bytes) -> Signature | None:
        from reconciler.adapters.sshkeys import sign_as

        return sign_as(settings.evidence_key, NAMESPACE, message) if settings.evidence_key else None

    return make_root(store, host, clock.now(), sign)


def _compare_view(settings: Settings, state: Path) -> CompareView:
    return host_redis(settings, lambda: state).view_comparison(0.0)
