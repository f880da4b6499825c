"""What comes of reconciling: how often, how long, what went live and what was refused."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: from one file of a warm repository to a first look at 100,000 of them."""
OPERATIONS = ("create", "update", "delete")


class Outcome(StrEnum):
    """What came of a reconcile, or of anything else that may fail: then only `done` and `failed`."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    DONE = "done"
    FAILED = "failed"


OF_A_RECONCILE = (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.REFUSED, Outcome.SUSPENDED, Outcome.FAILED)
OF_THE_REST = (Outcome.DONE, Outcome.FAILED)


class Work:
    """Told by the operations thread; durations are seconds. `now` gives monotonic ones."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._in_sync = now()
        self._refused = ""
        self._reconciles = durations(
            registry, "reconcile", "A reconcile, from what git says to the rows", OF_A_RECONCILE
        )
        self._fetches = durations(registry, "fetch", "Asking a repository elsewhere for what is new", OF_THE_REST)
        self._applies = Histogram(
            "reconciler_apply_duration_seconds",
            "The transaction in which rows go live",
            registry=registry,
            buckets=BUCKETS,
        )
        self._policies = Histogram(
            "reconciler_policies_duration_seconds",
            "Running the policies of one side of a step",
            registry=registry,
            buckets=BUCKETS,
        )
        commits = Counter("reconciler_commits", "Heads that went live, or were refused", ["outcome"], registry=registry)
        self._commits = {outcome: commits.labels(outcome) for outcome in (Outcome.APPLIED, Outcome.REFUSED)}
        changes = Counter("reconciler_changes", "Changes of resources that went live", ["op"], registry=registry)
        self._changes = {op: changes.labels(op) for op in OPERATIONS}

    def reconciled(self, seconds: float, outcome: Outcome) -> None:
        """A reconcile has ended."""
        self._reconciles[outcome].observe(seconds)

    def fetched(self, seconds: float, outcome: Outcome) -> None:
        """A fetch has ended."""
        self._fetches[outcome].observe(seconds)

    def judged(self, seconds: float) -> None:
        """Policies have run."""
        self._policies.observe(seconds)

    def applied(self, seconds: float, changes: Mapping[str, int]) -> None:
        """A step went live: so many changes of each operation."""
        self._applies.observe(seconds)
        for op, count in changes.items():
            self._changes[op].inc(count)
        self._commits[Outcome.APPLIED].inc()

    def refused(self, commit: str) -> None:
        """A head is refused. Looked at again, it counts no second time."""
        if commit != self._refused:
            self._refused = commit
            self._commits[Outcome.REFUSED].inc()

    def in_sync(self) -> None:
        """The live rows are those of the head, as git said just now."""
        self._in_sync = self._now()

    def since_in_sync(self) -> float:
        """Seconds since then; since the start, where that has not been yet."""
        return self._now() - self._in_sync


def durations(
    registry: CollectorRegistry, what: str, told: str, outcomes: tuple[Outcome, ...]
) -> Mapping[Outcome, Histogram]:
    """Histograms of something that comes to one of some outcomes, all of which are there from the beginning."""
    name = f"reconciler_{what}_duration_seconds"
    found = Histogram(name, told, ["outcome"], registry=registry, buckets=BUCKETS)
    return {outcome: found.labels(outcome) for outcome in outcomes}
