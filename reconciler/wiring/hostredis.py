"""The Redis of a host. Its driver takes a while to load, and few commands want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.settings import Settings
    from reconciler.wiring.redis import HostRedis


def host_redis(settings: Settings, state: Callable[[], Path]) -> HostRedis:
    """What reaches the Redis that settings name; `state` is asked for the state folder when it is needed."""
    from reconciler.wiring.redis import HostRedis

    return HostRedis(settings, state)
