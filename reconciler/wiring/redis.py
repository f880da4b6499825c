"""The Redis server of a host, for whoever does not own it: where it is, its sessions, its live view, how it fares."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.redis.audit import compare_view
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.probe import probe
from reconciler.adapters.redis.server import find_server_url
from reconciler.adapters.redis.sessions import make_sessions
from reconciler.errors import NeedsHuman
from reconciler.settings import EMBEDDED_REDIS, NO_REDIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.redis.probe import RedisAnswer
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.model.live import CompareView
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Settings


class HostRedis(Struct, frozen=True):
    """The server that settings name; `state` gives the state folder, where an embedded one is found."""

    settings: Settings
    state: Callable[[], Path]

    def url(self) -> str:
        """Where it is. Raises `NeedsHuman` for a host without one, and when the embedded one does not run."""
        if self.settings.redis_url == NO_REDIS:
            raise NeedsHuman(
                "this host keeps no sessions: redis.url is none", hint="set redis.url to embedded or redis://host:6379"
            )
        if self.settings.redis_url != EMBEDDED_REDIS:
            return self.settings.redis_url
        found = find_server_url(self.state())
        if found is None:
            hint = "start it with `reconciler run`, or set redis.url to a server (redis://host:6379)"
            raise NeedsHuman("the embedded Redis server does not run: the daemon starts it", hint=hint)
        return found

    @contextmanager
    def sessions(self, layout: SessionLayout) -> Iterator[RedisSessions]:
        """The sessions there."""
        with connect(self.url()) as link:
            yield make_sessions(link, layout, self.settings.idle_timeout)

    def view_comparison(self, patience: float) -> CompareView:
        """What compares the live view there, which is waited for up to so many seconds."""
        return partial(compare_view, self.url, patience)

    def ask(self, layout: SessionLayout) -> RedisAnswer:
        """What it says of itself, and may be done there."""
        return probe(self.url(), layout.owner_prefix)
