"""What is asked of the HTTP side: requests by route, and webhooks by what they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
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
            buckets=BUCKETS,
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
