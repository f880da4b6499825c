"""Verifying both projections: every version and every live row is held against a fresh walk through git."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.pipeline.differences import Difference, Differences
from reconciler.pipeline.reaching import Origin
from reconciler.pipeline.replay import replay
from reconciler.pipeline.verifyinghistory import HistoryCheck
from reconciler.pipeline.verifyingrows import RowCheck

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from reconciler.pipeline.replay import Step
    from reconciler.pipeline.stepping import Stepper
    from reconciler.ports import Applied, LedgerReader, Source, StoreReader

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it. `rows` were compared with those of the applied commit; `has_history` is False without a ledger.

    `differences` are empty when all is as git says.
    """

    repository: str
    branch: str
    head: str
    applied: str
    commits: int
    rows: int
    has_history: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Verifier:
    """One branch of one repository with its store and its ledger (None on a host that keeps no history).

    It reads only. What it holds in memory grows with the rows and with the number of commits, not with what they say.
    """

    source: Source
    stepper: Stepper
    repository: str
    branch: str
    store: StoreReader
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]] | None

    def verify(self, progress: Progress = lambda done, total: None) -> Verification:
        """Walk through the whole history and compare.

        Raises `UsageError` when there is nothing to compare, and other `ReconcilerError` when git or a store fail.
        """
        head, applied = self.source.resolve(self.branch), self.store.applied()
        if head is None:
            raise UsageError(f"the branch {self.branch} has no commits: there is nothing to verify")
        if applied is None:
            raise UsageError("nothing is live yet: there is nothing to verify", hint="run `reconciler sync` first")
        differences = Differences()
        commits, step = self._walk(head, applied, differences, progress)
        rows = self._rows(applied, step, differences)
        return Verification(
            repository=self.repository,
            branch=self.branch,
            head=head,
            applied=applied.stamp.commit,
            commits=commits,
            rows=rows,
            has_history=self.open_ledger is not None,
            differences=differences.all(),
        )

    def _walk(
        self, head: str, applied: Applied, differences: Differences, progress: Progress
    ) -> tuple[int, Step | None]:
        """How many commits there are, and the step to the applied one; None if the mainline does not go through it."""
        parents = self.source.parents(head)
        beginning = Origin(None, self.stepper.nothing())
        found: Step | None = None
        with self.open_ledger() if self.open_ledger else nullcontext() as ledger:
            check = HistoryCheck(ledger, differences) if ledger is not None else None
            for done, step in enumerate(replay(self.source, self.stepper, beginning, head, parents), 1):
                if check is not None:
                    check.expect(step.version, step.position.snapshot.kinds)
                if step.version.mainline and step.version.commit.sha == applied.stamp.commit:
                    found = step
                progress(done, len(parents))
            if check is not None:
                check.finish(parents.keys())
        return len(parents), found

    def _rows(self, applied: Applied, step: Step | None, differences: Differences) -> int:
        if step is None:
            differences.add(
                "applied-commit", applied.stamp.commit, f"its rows are live, but {self.branch} does not go through it"
            )
            return 0
        version = step.version
        if (version.height, version.digest) != (applied.height, applied.digest):
            differences.add("applied-commit", applied.stamp.commit, "the store has another height or digest for it")
        return RowCheck(self.store, differences).compare(step.position)
