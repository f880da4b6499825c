"""All that one daemon counts, in a registry of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, disable_created_metrics

from reconciler.metrics.traffic import Traffic
from reconciler.metrics.upkeep import BackingUp, Drifting, Shipping
from reconciler.metrics.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

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
