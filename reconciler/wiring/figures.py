"""The figures of a daemon: what it begins with, and what its HTTP side is told at `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.daemon.metrics import Process, Standing, exposition, families
from reconciler.metrics import About, Meter
from reconciler.wiring.redis import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reconciler.ports import Clock
    from reconciler.settings import Settings
    from reconciler.status import Status
    from reconciler.web.operations import Heartbeat
    from reconciler.wiring.host import Parts


def new_meter(settings: Settings, host: str, state: Path, clock: Clock) -> Meter:
    """A daemon's meter. What an earlier one backed up is known from the beginning."""
    from reconciler.adapters.duckdb.backup import backups

    about = About(host, settings.origin.poll_interval, settings.redis_url != NONE)
    meter, made = Meter(about), backups(state)
    if made:
        meter.backing_up.made((clock.now() - made[-1].at).total_seconds())
    return meter


class DaemonMeasures:
    """What the HTTP side counts with, and what it answers at `/metrics`. Implements `web.measures.Measures`.

    `status` and `heartbeats` say at once how things stand.
    """

    def __init__(
        self,
        parts: Parts,
        status: Callable[[], Status],
        heartbeats: Callable[[], Sequence[Heartbeat]],
    ) -> None:
        self._parts, self._status, self._heartbeats = parts, status, heartbeats
        traffic = parts.meter.traffic
        self.begun, self.answered, self.ended = traffic.begun, traffic.answered, traffic.ended
        self.delivered = traffic.delivered

    def exposition(self, accept: str) -> tuple[str, bytes]:
        """All metrics as of now."""
        from reconciler.adapters.process import usage

        standing = Standing(
            status=self._status(),
            version=__version__,
            silences={beat.thread: beat.age for beat in self._heartbeats()},
            backup_interval=self._parts.obedience.orders.backup_interval,
            process=Process(*usage()),
        )
        return exposition(self._parts.meter, families(standing, self._parts.meter), accept)
