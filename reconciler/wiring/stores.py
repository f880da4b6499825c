"""Repositories in git with their stores: what reconciles, plans and answers."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, RetryLater
from reconciler.wiring.origins import Target, fetched_target, source
from reconciler.wiring.policies import policy_engine
from reconciler.wiring.program import EMBEDDED, NO_HISTORY, shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from reconciler.adapters.daemonfile import Daemon
    from reconciler.adapters.git.repository import GitSource
    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.ports import LedgerReader
    from reconciler.reconcile.plan import Planner
    from reconciler.reconcile.sync import Reconciler
    from reconciler.settings import Settings
    from reconciler.wiring.pasthere import Owned

    Progress = Callable[[int, int], None]

SILENCE = 60
"""Seconds that a ClickHouse server may say nothing to a command, which is in no hurry."""


@contextmanager
def reconciler(settings: Settings) -> Iterator[Reconciler]:
    """Everything one reconcile needs, opened and closed together."""
    from reconciler.adapters.duckdb.store import open_store
    from reconciler.adapters.machine import SystemClock
    from reconciler.reconcile.admission import AdmissionController
    from reconciler.reconcile.processor import CommitProcessor
    from reconciler.reconcile.sync import Reconciler

    clock, known = SystemClock(), shipped()
    with fetched_target(settings) as at, open_store(at.state, clock) as store:
        processor = CommitProcessor(at.source, settings.path, known)
        yield Reconciler(
            source=at.source,
            repository=at.repository,
            branch=at.branch,
            store=store,
            open_ledger=ledger(settings, at),
            processor=processor,
            admission=AdmissionController(processor.rules, policy_engine),
            bundled=known.kinds,
            clock=clock,
        )


@contextmanager
def planner(settings: Settings) -> Iterator[Planner]:
    """Plans between commits of the repository that the settings name. Opens no store."""
    with source(settings) as found:
        yield planner_of(found, settings.path)


def plan_ahead(settings: Settings, head: str, progress: Progress = lambda done, total: None) -> tuple[Plan, Kinds]:
    """From the live rows to a commit; and the kinds that it is told in.

    While a daemon has the store, from the commit that it says is live: so nobody waits for a turn, and the daemon with
    the next commit least of all. Nothing is created by it: before the first sync nothing is live. Raises `NeedsHuman`
    when the state folder belongs to another repository, `RetryLater` while the daemon starts.
    """
    from reconciler.adapters.daemonfile import find
    from reconciler.adapters.duckdb.store import open_reader
    from reconciler.adapters.empty import EmptyStore

    with fetched_target(settings) as at:
        planner, daemon = planner_of(at.source, settings.path), find(at.state)
        if daemon is not None:
            live = _live(daemon, at.repository)
            return planner.plan_commits(live, head) if live else planner.plan_sync(EmptyStore(), head, progress)
        with open_reader(at.state) or nullcontext() as store:
            if store is not None:
                store.check_owner(at.repository)
            return planner.plan_sync(store or EmptyStore(), head, progress)


def _live(daemon: Daemon, repository: str) -> str | None:
    """The commit that a daemon says is live; None when none is."""
    from reconciler.adapters.client import DaemonClient

    said = DaemonClient(daemon.address, daemon.token).status()
    if said["daemon"]["last_sync_at"] is None:
        raise RetryLater("the daemon has only just started", hint="try again in a moment; `reconciler status` tells")
    if said["repository"] != repository:
        raise NeedsHuman(
            f"the daemon of this state folder follows {said['repository']}, not {repository}",
            hint="choose another folder with --state, or name that repository with --repo",
        )
    return said["applied"] and str(said["applied"]["commit"])


def planner_of(source: GitSource, folder: str) -> Planner:
    """Plans in a repository that is open, from a folder on."""
    from reconciler.reconcile.admission import AdmissionController
    from reconciler.reconcile.plan import Planner
    from reconciler.reconcile.processor import CommitProcessor

    known = shipped()
    processor = CommitProcessor(source, folder, known)
    return Planner(source, processor, AdmissionController(processor.rules, policy_engine), known.kinds)


def ledger(
    settings: Settings, at: Target | Owned, silence: int = SILENCE
) -> Callable[[], AbstractContextManager[ClickHouseLedger]] | None:
    """What opens the ledger; None for a host that keeps no history.

    `silence` is for how many whole seconds a server may say nothing before it is given up.
    """
    if settings.history_url == NO_HISTORY:
        return None
    # Asked for now: the repository may have been closed, and opened anew, by the time the ledger is opened
    return partial(_open_ledger, settings.history_url, at.state, at.repository, at.branch, silence)


def ledger_reader(
    settings: Settings, at: Target | Owned, silence: int = SILENCE
) -> Callable[[], AbstractContextManager[LedgerReader]] | None:
    """What opens the ledger to read; None for a host that keeps no history.

    The embedded one is not created for it: before the first sync it holds nothing.
    """
    opened = ledger(settings, at, silence)
    return None if opened is None else partial(_to_read, settings.history_url, at.state, opened)


def _to_read(
    url: str, state: Path, opened: Callable[[], AbstractContextManager[LedgerReader]]
) -> AbstractContextManager[LedgerReader]:
    from reconciler.adapters.clickhouse.ledger import is_started
    from reconciler.adapters.empty import EmptyLedger

    return nullcontext(EmptyLedger()) if url == EMBEDDED and not is_started(state) else opened()


def _open_ledger(
    url: str, state: Path, repository: str, branch: str, silence: int
) -> AbstractContextManager[ClickHouseLedger]:
    from reconciler.adapters.clickhouse.connection import PATIENT
    from reconciler.adapters.clickhouse.ledger import open_ledger
    from reconciler.adapters.machine import SystemClock

    timeouts = PATIENT._replace(read=silence)
    return open_ledger(url, state, repository, branch, SystemClock(), timeouts=timeouts)
