"""How a daemon is at this moment, for whoever asks. Never waits for the operations thread."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from reconciler.daemon.conditions import Phase
from reconciler.daemon.liveview import LiveView
from reconciler.service.context import Heartbeat
from reconciler.status import BranchHead, Running, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.daemon.host import Host
    from reconciler.daemon.loop import Loop
    from reconciler.status import Status

MAX_SILENCE = 300.0
"""Seconds without a sign of life after which the operations thread is taken to be stuck."""
WORKING = frozenset({Phase.FETCHING, Phase.RECONCILING, Phase.SCANNING, Phase.BACKING_UP, Phase.ANSWERING})


class HostState:
    """For any thread. `address` is where the daemon listens; `blind` says why it does not notice commits at once."""

    def __init__(self, host: Host, loop: Loop, blind: Callable[[], str]) -> None:
        self._host, self._deps, self._loop, self._blind = host, host.deps, loop, blind
        self.address = ""

    def status(self) -> Status:
        """How the host is, as the operations thread saw it last."""
        observed = self._host.observed
        place = observed.place or BranchHead("", "", None, shallow=False)
        return describe(place, observed.stored, self._running(), self._deps.clock.now())

    def heartbeats(self) -> Sequence[Heartbeat]:
        """A sign of life of the thread that must not stand still."""
        snapshot = self._deps.conditions.snapshot()
        return [Heartbeat("operations", str(snapshot.phase), time.monotonic() - snapshot.heartbeat, MAX_SILENCE)]

    def is_ready(self) -> bool:
        """Whether the first reconcile has ended."""
        return self._deps.conditions.snapshot().ready

    def hint(self, source: str) -> None:
        """Something may have changed in git, says `source`: look soon."""
        self._deps.log.event("Hinted", source=source)
        self._loop.trigger()

    def _running(self) -> Running:
        snapshot = self._deps.conditions.snapshot()
        followers = [thread.follower for thread in self._host.followers]
        return Running(
            pid=os.getpid(),
            address=self.address,
            started=snapshot.started,
            phase=str(snapshot.phase),
            phase_since=snapshot.phase_since,
            beat=snapshot.heartbeat_at,
            working=snapshot.phase in WORKING,
            last_sync=snapshot.last_sync,
            conditions=tuple(snapshot.active.values()),
            history=self._deps.upload.state(),
            scan=self._host.observed.scan,
            blind=self._blind(),
            view=next((follower.content() for follower in followers if isinstance(follower, LiveView)), None),
            followers=tuple(thread.status() for thread in self._host.followers if not thread.follower.has_own_section),
        )
