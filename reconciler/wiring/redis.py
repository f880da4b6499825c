"""The Redis server of a host, for whoever does not own it: where it is, its sessions, and its live view."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from reconciler.adapters.redis.audit import compare_view
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import find_server_url
from reconciler.adapters.redis.sessions import make_sessions
from reconciler.errors import NeedsHuman
from reconciler.settings import EMBEDDED_REDIS, NO_REDIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.model.live import CompareView
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Settings


def server_url(settings: Settings, state: Callable[[], Path]) -> str:
    """Where the Redis server is that the settings name.

    Raises `NeedsHuman` for a host without one, and when the embedded one does not run.
    """
    if settings.redis_url == NO_REDIS:
        raise NeedsHuman(
            "this host keeps no sessions: redis.url is none", hint="set redis.url to embedded or redis://host:6379"
        )
    if settings.redis_url != EMBEDDED_REDIS:
        return settings.redis_url
    url = find_server_url(state())
    if url is None:
        hint = "start it with `reconciler run`, or set redis.url to a server (redis://host:6379)"
        raise NeedsHuman("the embedded Redis server does not run: the daemon starts it", hint=hint)
    return url


@contextmanager
def connect_sessions(settings: Settings, layout: SessionLayout, state: Callable[[], Path]) -> Iterator[RedisSessions]:
    """The sessions on that server."""
    with connect(server_url(settings, state)) as link:
        yield make_sessions(link, layout, settings.idle_timeout)


def view_comparison(settings: Settings, patience: float, state: Path) -> CompareView:
    """What compares the live view there, which is waited for up to so many seconds."""
    return partial(compare_view, partial(server_url, settings, lambda: state), patience)
