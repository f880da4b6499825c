"""How a daemon is at this moment, for whoever asks. Never waits for the operations thread."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from reconciler.daemon.conditions import Phase
from reconciler.daemon.liveview import LiveView
from reconciler.service.context import Heartbeat
from reconciler.status import Place, Running, describe

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
        self._host, self._parts, self._loop, self._blind = host, host.parts, loop, blind
        self.address = ""

    def status(self) -> Status:
        """How the host is, as the operations thread saw it last."""
        facts = self._host.facts
        place = facts.place or Place("", "", None, shallow=False)
        return describe(place, facts.stored, self._running(), self._parts.clock.now())

    def heartbeats(self) -> Sequence[Heartbeat]:
        """A sign of life of the thread that must not stand still."""
        sight = self._parts.board.look()
        return [Heartbeat("operations", str(sight.phase), time.monotonic() - sight.pulse, MAX_SILENCE)]

    def is_ready(self) -> bool:
        """Whether the first reconcile has ended."""
        return self._parts.board.look().ready

    def hint(self, source: str) -> None:
        """Something may have changed in git, says `source`: look soon."""
        self._parts.log.event("Hinted", source=source)
        self._loop.look()

    def _running(self) -> Running:
        sight = self._parts.board.look()
        followers = [thread.follower for thread in self._host.followers]
        return Running(
            pid=os.getpid(),
            address=self.address,
            started=sight.started,
            phase=str(sight.phase),
            phase_since=sight.phase_since,
            beat=sight.beat,
            working=sight.phase in WORKING,
            last_sync=sight.last_sync,
            troubles=tuple(sight.troubles.values()),
            history=self._parts.shipment.state(),
            scan=self._host.facts.scan,
            blind=self._blind(),
            view=next((one.content() for one in followers if isinstance(one, LiveView)), None),
            followers=tuple(one.status() for one in self._host.followers if not one.follower.has_own_section),
        )
