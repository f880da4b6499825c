"""Redis as this host has it: where the server is, and what is asked of it."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import uuid4

from reconciler.adapters.bundled import record_schema
from reconciler.errors import NeedsHuman
from reconciler.sessions import read_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.adapters.redis.connection import Link
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.sessions import Owners, SessionDesk, SessionLayout
    from reconciler.settings import Settings

EMBEDDED, NONE = "embedded", "none"
SCHEMA = "session_state"


@lru_cache(maxsize=1)
def layout() -> SessionLayout:
    """The columns of sessions, and whose they are."""
    return read_layout(record_schema(SCHEMA))


def sessions(link: Link, settings: Settings) -> RedisSessions:
    """The sessions on a server."""
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.model.live import Lifetimes

    lifetimes = Lifetimes(idle=timedelta(seconds=settings.idle_timeout))
    return RedisSessions(link, layout().owner_prefix, layout().owner_column, lifetimes)


def desk(link: Link, settings: Settings, may_have_sessions: Owners) -> SessionDesk:
    """What checks requests about sessions and carries them out."""
    from reconciler.sessions import Checker, SessionDesk

    return SessionDesk(sessions(link, settings), may_have_sessions, Checker(layout(), uuid4), layout())


def server_url(settings: Settings, state: Callable[[], Path]) -> str:
    """Where the server is that the settings name, for a process that does not own it.

    Raises `NeedsHuman` for a host without one, and when the embedded one does not run.
    """
    if settings.redis_url == NONE:
        raise NeedsHuman(
            "this host keeps no sessions: redis.url is none", hint="set redis.url to embedded or redis://host:6379"
        )
    if settings.redis_url != EMBEDDED:
        return settings.redis_url
    from reconciler.adapters.redis.server import found

    url = found(state())
    if url is None:
        hint = "start it with `reconciler run`, or set redis.url to a server (redis://host:6379)"
        raise NeedsHuman("the embedded Redis server does not run: the daemon starts it", hint=hint)
    return url
