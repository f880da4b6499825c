"""Repositories in git with their stores: what reconciles, plans and answers."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.pipeline.kindset import stored_kinds
from reconciler.wiring.policies import policy_engine
from reconciler.wiring.program import EMBEDDED, NO_HISTORY, shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from reconciler.adapters.git.repository import GitSource
    from reconciler.pipeline.planning import Planner
    from reconciler.pipeline.syncing import Reconciler
    from reconciler.ports import LedgerReader, StoreReader
    from reconciler.service import Service
    from reconciler.settings import Settings

STATE_FOLDER = "reconciler"


@dataclass(frozen=True, slots=True)
class Target:
    """A repository that was found, its branch, and this host's state folder for it."""

    source: GitSource
    branch: str
    state: Path
    folder: str

    @property
    def repository(self) -> str:
        """What store and ledger know the configuration by: `repository//folder`, as two folders are two of them."""
        return f"{self.source.repository}//{self.folder}" if self.folder else self.source.repository


@contextmanager
def target(settings: Settings) -> Iterator[Target]:
    """Open the repository that the settings name. Raises `UsageError` when there is none, or no branch to follow."""
    from reconciler.adapters.git.repository import open_repository

    with open_repository(settings.repository) as source:
        branch = settings.branch or source.head_branch()
        if branch is None:
            raise UsageError(
                "HEAD is detached, so it is not clear which branch to reconcile", hint="name one with --branch"
            )
        yield Target(source, branch, settings.state or source.git_dir / STATE_FOLDER, settings.path)


@contextmanager
def reconciler(settings: Settings) -> Iterator[Reconciler]:
    """Everything one reconcile needs, opened and closed together."""
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb.store import open_store
    from reconciler.pipeline.judging import Judge
    from reconciler.pipeline.stepping import Stepper
    from reconciler.pipeline.syncing import Reconciler

    clock, known = SystemClock(), shipped()
    with target(settings) as at, open_store(at.state, clock) as store:
        stepper = Stepper(at.source, settings.path, known)
        yield Reconciler(
            source=at.source,
            repository=at.repository,
            branch=at.branch,
            store=store,
            open_ledger=ledger(settings, at),
            stepper=stepper,
            judge=Judge(stepper.rules, policy_engine),
            shipped=known.kinds,
            clock=clock,
        )


@contextmanager
def planner(settings: Settings) -> Iterator[Planner]:
    """Plans between commits of the repository that the settings name. Opens no store."""
    from reconciler.adapters.git.repository import open_repository

    with open_repository(settings.repository) as source:
        yield _planner(source, settings.path)


@contextmanager
def live_planner(settings: Settings) -> Iterator[tuple[Planner, StoreReader]]:
    """Plans against the live rows, and their store. Nothing is created by it: before the first sync nothing is live.

    Raises `NeedsHuman` when the store belongs to another repository.
    """
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb.store import open_reader
    from reconciler.adapters.memory.store import MemoryStore

    with target(settings) as at, open_reader(at.state) or nullcontext() as store:
        if store is not None:
            store.check_owner(at.repository)
        yield _planner(at.source, settings.path), store or MemoryStore(SystemClock())


def _planner(source: GitSource, folder: str) -> Planner:
    from reconciler.pipeline.judging import Judge
    from reconciler.pipeline.planning import Planner
    from reconciler.pipeline.stepping import Stepper

    known = shipped()
    stepper = Stepper(source, folder, known)
    return Planner(source, stepper, Judge(stepper.rules, policy_engine), known.kinds)


@contextmanager
def service(settings: Settings) -> Iterator[Service]:
    """The reading side; nothing is created by it."""
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.duckdb.store import open_reader
    from reconciler.service import Service

    with target(settings) as at, open_reader(at.state) or nullcontext() as store:
        yield Service(
            source=at.source,
            repository=at.repository,
            branch=at.branch,
            store=store,
            kinds=stored_kinds(store.kinds()) if store else shipped().kinds,
            open_ledger=ledger_reader(settings, at),
            clock=SystemClock(),
        )


def ledger(settings: Settings, at: Target) -> Callable[[], AbstractContextManager[ClickHouseLedger]] | None:
    """What opens the ledger; None for a host that keeps no history."""
    if settings.history_url == NO_HISTORY:
        return None
    return partial(_open_ledger, settings.history_url, at.state, at.repository, at.branch)


def ledger_reader(settings: Settings, at: Target) -> Callable[[], AbstractContextManager[LedgerReader]] | None:
    """The ledger to read. The embedded one is not created for it: before the first sync it holds nothing."""
    from reconciler.adapters.clickhouse.ledger import is_started
    from reconciler.adapters.clock import SystemClock
    from reconciler.adapters.memory.ledger import MemoryLedger

    if settings.history_url == EMBEDDED and not is_started(at.state):
        return lambda: nullcontext(MemoryLedger(SystemClock()))
    return ledger(settings, at)


def _open_ledger(url: str, state: Path, repository: str, branch: str) -> AbstractContextManager[ClickHouseLedger]:
    from reconciler.adapters.clickhouse.ledger import open_ledger
    from reconciler.adapters.clock import SystemClock

    return open_ledger(url, state, repository, branch, SystemClock())
