"""What one daemon counts, for `/metrics`.

A `Meter` belongs to one daemon: nothing here is shared by a process. Moments are monotonic seconds, so that no change
of the clock makes an age jump. docs/metrics.md lists every metric.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


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


class Drifting:
    """Told of every look for drift."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._left = 0
        self._fighting: frozenset[str] = frozenset()
        self._found = Counter(
            "reconciler_drift_found", "Live rows that were found not to be as git says", registry=registry
        )
        self._healed = Counter("reconciler_drift_healed", "Live rows that were put right", registry=registry)
        self._fights = Counter(
            "reconciler_drift_fights", "Times that a row was left alone to another writer", registry=registry
        )

    def scanned(self, found: int, healed: int, fighting: Collection[str] = ()) -> None:
        """So many rows were not as git says, so many of them were put right, and these are left in a fight.

        What was left as it was counts as found when it was found first, not at every look.
        """
        self._found.inc(max(0, found - self._left))
        self._healed.inc(healed)
        self._fights.inc(len(frozenset(fighting) - self._fighting))
        self._left, self._fighting = max(0, found - healed), frozenset(fighting)


class Shipping:
    """Told by the shipping thread of every attempt. `now` gives monotonic seconds."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._complete = now()
        self._attempts = durations(
            registry,
            "ship",
            "Sending versions to the history, where there were any",
            OF_THE_REST,
        )
        self._versions = Counter("reconciler_versions_shipped", "Versions that the history took", registry=registry)

    def attempted(self, seconds: float, versions: int, outcome: Outcome, *, complete: bool) -> None:
        """An attempt has ended, and the history took so many versions; `complete` when it lacks nothing now."""
        if versions or outcome is Outcome.FAILED:
            self._attempts[outcome].observe(seconds)
        self._versions.inc(versions)
        if complete:
            self._complete = self._now()

    def since_complete(self) -> float:
        """Seconds since the history lacked nothing; since the start, where that has not been yet."""
        return self._now() - self._complete


class BackingUp:
    """Told of every backup. `now` gives monotonic seconds."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._made: float | None = None
        self._attempts = durations(registry, "backup", "Copying the store", OF_THE_REST)

    def attempted(self, seconds: float, outcome: Outcome) -> None:
        """An attempt has ended."""
        self._attempts[outcome].observe(seconds)
        if outcome is Outcome.DONE:
            self.made(0.0)

    def made(self, ago: float) -> None:
        """The newest backup was made so many seconds ago; what is from the future, as of now."""
        self._made = self._now() - max(0.0, ago)

    def age(self) -> float | None:
        """Seconds since the newest was made; None when there is none."""
        return None if self._made is None else self._now() - self._made


REQUEST_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
"""Seconds: from what is known to what has to wait its turn."""
ANSWERS = ("accepted", "duplicate", "ignored", "pong", "refused", "not-found")


class Traffic:
    """Told by the thread that serves everybody. Labels are templates and words of the program, never a client's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "reconciler_http_requests",
            "Requests by what they were for and how they were answered",
            ["route", "method", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "reconciler_http_request_duration_seconds",
            "From a request's headers to the beginning of its answer",
            ["route"],
            registry=registry,
            buckets=REQUEST_BUCKETS,
        )
        self._open = Gauge(
            "reconciler_http_requests_in_progress",
            "Requests under way, streams that stay open included",
            registry=registry,
        )
        self._webhooks = Counter(
            "reconciler_webhooks", "Deliveries of webhooks by what they were answered", ["answer"], registry=registry
        )
        for word in ANSWERS:
            self._webhooks.labels(word)

    def begun(self) -> None:
        """A request is there."""
        self._open.inc()

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Its answer has begun, so many seconds later."""
        self._requests.labels(route, method, status).inc()
        self._durations.labels(route).observe(seconds)

    def ended(self) -> None:
        """It is over."""
        self._open.dec()

    def delivered(self, answer: str) -> None:
        """A webhook was answered so."""
        self._webhooks.labels(answer).inc()


# A series for when each counter began doubles what is scraped and says no more than process_start_time_seconds
disable_created_metrics()


@dataclass(frozen=True, slots=True)
class About:
    """Whose figures they are: what the host is called, the seconds between two polls, whether it has a live view."""

    host: str
    poll_interval: float
    live_view: bool


class Meter:
    """Its parts are safe for several threads, and telling one of something costs microseconds.

    `now` gives monotonic seconds.
    """

    def __init__(self, about: About, now: Callable[[], float] = time.monotonic) -> None:
        self.about = about
        self.registry = CollectorRegistry(auto_describe=False)
        self.work = Work(self.registry, now)
        self.drifting = Drifting(self.registry)
        self.shipping = Shipping(self.registry, now)
        self.backing_up = BackingUp(self.registry, now)
        self.traffic = Traffic(self.registry)
