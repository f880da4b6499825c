"""What one daemon counts for `/metrics`, in a registry of its own: two daemons in one process do not mix.

Whatever does something counts it there. Ages are of a monotonic clock, which no change of the time makes jump.
docs/metrics.md lists every metric.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

# A series for when each counter began doubles what is scraped and says no more than process_start_time_seconds
disable_created_metrics()

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: from one file of a warm repository to a first look at 100,000 of them."""
REQUEST_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
"""Seconds: from what is known to what has to wait its turn."""
CHANGE_OPERATIONS = ("create", "update", "delete")
WEBHOOK_ANSWERS = ("accepted", "ignored", "pong", "refused", "not-found")


class Outcome(StrEnum):
    """What came of a reconcile, or of anything else that may fail: then only `done` and `failed`."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    DONE = "done"
    FAILED = "failed"


OF_A_RECONCILE = (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.REFUSED, Outcome.SUSPENDED, Outcome.FAILED)
DONE_OR_FAILED = (Outcome.DONE, Outcome.FAILED)


class About(Struct, frozen=True):
    """Whose figures they are: what the host is called, the seconds between two polls, whether it has a live view."""

    host: str
    poll_interval: float
    live_view: bool


class Metrics:
    """All counters and histograms of a daemon. Safe for several threads; each call costs microseconds.

    `now` gives monotonic seconds.
    """

    def __init__(self, about: About, now: Callable[[], float] = time.monotonic) -> None:
        self.about = about
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self.reconciles = _durations(
            registry, "reconcile", "A reconcile, from what git says to the rows", OF_A_RECONCILE
        )
        self.fetches = _durations(registry, "fetch", "Asking a repository elsewhere for what is new")
        self.applies = _histogram(registry, "apply_duration_seconds", "The transaction in which rows go live")
        self.policies = _histogram(registry, "policies_duration_seconds", "Running the policies of one side of a step")
        commits = Counter("reconciler_commits", "Heads that went live, or were refused", ["outcome"], registry=registry)
        self.commits_applied = commits.labels(Outcome.APPLIED)
        self._commits_refused = commits.labels(Outcome.REFUSED)
        self._refused = ""
        changes = Counter("reconciler_changes", "Changes of resources that went live", ["op"], registry=registry)
        self.changes: Mapping[str, Counter] = {op: changes.labels(op) for op in CHANGE_OPERATIONS}
        self.in_sync = Age(now)
        """When the live rows were last those of the head."""
        self.drift = DriftMetrics(registry)
        self.uploads = _durations(registry, "ship", "Sending versions to the history, where there were any")
        self.versions_uploaded = Counter(
            "reconciler_versions_shipped", "Versions that the history took", registry=registry
        )
        self.history_complete = Age(now)
        """When the history last lacked nothing."""
        self.backups = _durations(registry, "backup", "Copying the store")
        self.backup: Age | None = None
        """When the newest backup was made; None when there is none."""
        self.http = HttpMetrics(registry)
        self.notifications = NotificationMetrics(registry)
        self._now = now

    def count_refused(self, commit: str) -> None:
        """A head is refused; the same one again counts no second time."""
        if commit != self._refused:
            self._refused = commit
            self._commits_refused.inc()

    def set_backup_age(self, seconds: float = 0.0) -> None:
        """The newest backup is so old; one from the future counts as made now."""
        self.backup = Age(self._now, max(0.0, seconds))


class Age:
    """How long ago something was last so; before it ever was, since the start."""

    def __init__(self, now: Callable[[], float], seconds: float = 0.0) -> None:
        self._now, self._at = now, now() - seconds

    def reset(self) -> None:
        """It is so now."""
        self._at = self._now()

    def seconds(self) -> float:
        """Seconds since."""
        return self._now() - self._at


class DriftMetrics:
    """Drift that was found, healed, and left to another writer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._left = 0
        self._conflicts: frozenset[str] = frozenset()
        self._found = Counter(
            "reconciler_drift_found", "Live rows that were found not to be as git says", registry=registry
        )
        self._healed = Counter("reconciler_drift_healed", "Live rows that were put right", registry=registry)
        self._fights = Counter(
            "reconciler_drift_fights", "Times that a row was left alone to another writer", registry=registry
        )

    def count(self, found: int, healed: int, conflicts: Collection[str] = ()) -> None:
        """Count one scan. `conflicts` names the rows that are left to another writer.

        A row that was left as it was counts as found at the first scan only.
        """
        self._found.inc(max(0, found - self._left))
        self._healed.inc(healed)
        self._fights.inc(len(frozenset(conflicts) - self._conflicts))
        self._left, self._conflicts = max(0, found - healed), frozenset(conflicts)


class NotificationMetrics:
    """Messages to those whom the setting `notify` names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        messages = Counter(
            "reconciler_notifications",
            "Attempts to tell receivers, and messages given up",
            ["outcome"],
            registry=registry,
        )
        self.sent, self.failed, self.dropped = map(messages.labels, ("sent", "failed", "dropped"))
        self.waiting = Gauge(
            "reconciler_notifications_waiting", "Changes that receivers have not been told of yet", registry=registry
        )


class HttpMetrics:
    """Requests and webhooks. Labels are templates and words of the program, never a client's."""

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
        self.in_progress = Gauge(
            "reconciler_http_requests_in_progress",
            "Requests under way, streams that stay open included",
            registry=registry,
        )
        self._webhooks = Counter(
            "reconciler_webhooks", "Deliveries of webhooks by what they were answered", ["answer"], registry=registry
        )
        for word in WEBHOOK_ANSWERS:
            self._webhooks.labels(word)

    def begun(self) -> None:
        """A request is there."""
        self.in_progress.inc()

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Its answer has begun, so many seconds later."""
        self._requests.labels(route, method, status).inc()
        self._durations.labels(route).observe(seconds)

    def ended(self) -> None:
        """It is over."""
        self.in_progress.dec()

    def delivered(self, answer: str) -> None:
        """A webhook was answered so."""
        self._webhooks.labels(answer).inc()


Durations: TypeAlias = "Mapping[Outcome, Histogram]"
"""A histogram for each outcome; all of them are there from the beginning."""


@contextmanager
def timed(durations: Durations) -> Iterator[None]:
    """Observe how long the block takes, by whether it can be done."""
    began = time.perf_counter()
    try:
        yield
    except Exception:
        durations[Outcome.FAILED].observe(time.perf_counter() - began)
        raise
    durations[Outcome.DONE].observe(time.perf_counter() - began)


def _durations(
    registry: CollectorRegistry, what: str, help_text: str, outcomes: tuple[Outcome, ...] = DONE_OR_FAILED
) -> Durations:
    name = f"reconciler_{what}_duration_seconds"
    histogram = Histogram(name, help_text, ["outcome"], registry=registry, buckets=BUCKETS)
    return {outcome: histogram.labels(outcome) for outcome in outcomes}


def _histogram(registry: CollectorRegistry, name: str, help_text: str) -> Histogram:
    return Histogram(f"reconciler_{name}", help_text, registry=registry, buckets=BUCKETS)
