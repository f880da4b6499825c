"""A repository, a store and a ledger together, as one reconcile sees them."""

from __future__ import annotations

import atexit
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from reconciler.adapters.git.repository import open_repository
from reconciler.adapters.machine import SystemClock
from reconciler.guards import GROWTH, PRUNE_LIMIT
from reconciler.kinds.build import stored_kinds
from reconciler.model.limits import Limits
from reconciler.reconcile import sync
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.ownership import Claimant
from reconciler.reconcile.plan import Planner
from reconciler.reconcile.sync import CommitApproval, Reconciler, SyncResult
from reconciler.reconcile.walk import CommitProcessor
from reconciler.service.rehearsal import rehearse_step
from reconciler.values import replace
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from reconciler.wiring.policies import policy_engine
from tests.support.memory.ledger import MemoryLedger
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.git.repository import GitSource
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row, RowId
    from reconciler.model.halt import Halts
    from reconciler.model.rollback import Rollback
    from reconciler.plan import Plan
    from reconciler.ports import Ledger, PolicyEngine, Store

SHIPPED = bundled_kinds()
FAULTS = fault_finder()
CLOCK = SystemClock()


@cache
def _engine() -> PolicyEngine:
    """One for all tests of a process: starting it takes longer than most of them."""
    opened = ExitStack()
    atexit.register(opened.close)
    return opened.enter_context(policy_engine())


def engine() -> AbstractContextManager[PolicyEngine]:
    """The policy engine, which stays open."""
    return nullcontext(_engine())


@contextmanager
def one_engine() -> Iterator[None]:
    """All commands judge with it."""
    with ExitStack() as patched:
        for module in ("comparing", "local", "planning", "policies"):
            patched.enter_context(patch(f"reconciler.wiring.{module}.policy_engine", engine))
        patched.enter_context(patch("reconciler.wiring.policies.early_policy_engine", lambda _: nullcontext(engine)))
        yield


def _planner(source: GitSource) -> Planner:
    return Planner.of_folder(source, "", SHIPPED, engine, fault_finder())


@dataclass
class World:
    """One host with its store and ledger in memory, unless others are given. What it does is done as by a new process.

    With `rows_per_lookup` 0 the state before is looked up piece by piece, as in a repository of many files.
    """

    repository: Path
    branch: str = "main"
    store: Store = field(default_factory=lambda: MemoryStore(CLOCK))
    ledger: Ledger = field(default_factory=lambda: MemoryLedger(CLOCK))
    rows_per_lookup: int | None = None
    limits: Limits = field(default_factory=Limits)
    _source: GitSource | None = None
    processor: CommitProcessor | None = None

    @contextmanager
    def awake(self) -> Iterator[World]:
        """All inside is done by one process, as by a daemon."""
        with open_repository(self.repository) as self._source:
            self.processor = CommitProcessor(self._source, "", SHIPPED, fault_finder())
            yield self
        self._source = self.processor = None

    def _opened(self) -> AbstractContextManager[GitSource]:
        return (
            open_repository(self.repository, limits=self.limits) if self._source is None else nullcontext(self._source)
        )

    @contextmanager
    def reconciler(self) -> Iterator[Reconciler]:
        """A reconciler as a new process would make it, unless the world is awake."""
        with self._opened() as source:
            processor = self.processor or CommitProcessor(source, "", SHIPPED, fault_finder())
            yield Reconciler(
                Claimant(source, source.repository, ""),
                self.branch,
                self.store,
                lambda: nullcontext(self.ledger),
                processor,
                AdmissionController(processor.rules, engine),
                SHIPPED.kinds,
                CLOCK,
                rehearse_step,
            )

    def sync(self) -> SyncResult:
        """One reconcile, by somebody who approves of whatever leaves git or comes in bulk."""
        result = self.attempt()
        if any(problem.code in {PRUNE_LIMIT, GROWTH} for problem in result.plan.problems):
            newest = next(one for one in self.ledger.versions(limit=1_000) if one.mainline and one.status == "VALID")
            return replace(self.attempt(CommitApproval(newest.commit.sha, "a test")), history=result.history)
        return result

    def attempt(self, approval: CommitApproval | None = None, *, rejudge: bool = False) -> SyncResult:
        """One reconcile, with the guards as they are."""
        chosen = sync.ROWS_PER_LOOKUP if self.rows_per_lookup is None else self.rows_per_lookup
        with patch.object(sync, "ROWS_PER_LOOKUP", chosen), self.reconciler() as reconciler:
            return reconciler.sync(approval=approval, rejudge=rejudge)

    def between(self, base: str, head: str, halts: Halts | None = None) -> Plan:
        """The plan from one commit to another, under the halts of a host."""
        with self._opened() as source:
            return _planner(source).plan_commits(base, head, halts)[0]

    def held_by_git(self, base: str, head: str, rollback: Rollback) -> Plan:
        """The same while a daemon that has the base live is rolled back."""
        with self._opened() as source:
            planner = _planner(source)
            return planner.hold(*planner.plan_commits(base, head), rollback)

    def ahead(self, head: str) -> Plan:
        """The plan from the live rows to a commit."""
        return self.ahead_with_kinds(head)[0]

    def ahead_with_kinds(self, head: str) -> tuple[Plan, Kinds]:
        """The same, with the kinds of its changes."""
        with self._opened() as source:
            return _planner(source).plan_sync(self.store, head)

    def rows(self) -> dict[RowId, Row]:
        """Everything the store holds."""
        return {row.row_id: row for row in self.store.base(stored_kinds(self.store.kinds())).rows()}

    def live(self) -> dict[str, list[Any]]:
        """The live rows by kind."""
        kinds = stored_kinds(self.store.kinds())
        return {kind.name: sorted((row.name, dict(row.values)) for row in self.store.live(kind)) for kind in kinds}
