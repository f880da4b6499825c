"""A host of which everything is known, for tests of what it tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconciler.daemon.metrics import Process, Scrape
from reconciler.metrics import About, Metrics
from reconciler.model.change import Stamp
from reconciler.model.commit import Applied, Attempt
from reconciler.model.halt import DRILLED
from reconciler.model.host import ConditionSeverity, HostCondition, HostEvent, UploadState
from reconciler.model.live import CacheState
from reconciler.status import BranchHead, Running, Scan, StoreState, describe

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEAD, BEFORE = "b" * 40, "a" * 40


class Ticks:
    """Monotonic seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def running(**more: Any) -> Running:
    """A daemon that is idle, and of which everything is known."""
    known: dict[str, Any] = {
        "pid": 7,
        "address": "127.0.0.1:8642",
        "started": NOON,
        "phase": "Idle",
        "phase_since": NOON,
        "beat": NOON,
        "working": False,
        "last_sync": NOON,
        "conditions": (
            HostCondition("Redis", ConditionSeverity.RETRYING, "RetryLater", "it does not answer", "", NOON),
        ),
        "history": UploadState(),
        "scan": Scan(NOON, 0, 0),
        "view": CacheState(None, 5, 2, 1024),
    }
    return Running(**known | more)


def scrape(*, refused: bool = False, **more: Any) -> Scrape:
    """How it stands: at its head, unless that is refused; `more` is about the daemon."""
    applied = Applied(Stamp(BEFORE if refused else HEAD, NOON), 3, "d" * 64, NOON)
    attempt = Attempt(Stamp(HEAD, NOON), NOON, refused=refused, problems=())
    place = BranchHead("https://git.example/desk.git", "main", HEAD, shallow=False)
    drill = HostEvent(1, NOON, DRILLED, None, None, 0, {"seconds": 0.5, "error": ""})
    stored = StoreState(applied, attempt, None, {"Widget": 6, "Gadget": 0}, drill=drill)
    status = describe(place, stored, running(**more), NOON)
    return Scrape(status, "0.1.0", {"operations": 0.5}, 3600.0, Process(1.5, 2048, 12, 1024))


def metrics(now: Ticks | None = None, *, live_view: bool = True) -> Metrics:
    """The counters of this host."""
    about = About("desk-1", 60.0, live_view)
    return Metrics(about, now) if now else Metrics(about)
