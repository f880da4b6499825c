"""The Redis server of a host, for whoever does not own it: where it is, its sessions, its live view, how it fares."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.redis.audit import compare_view
from reconciler.adapters.redis.cache import Lease, RedisCache, keeper_name
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.probe import probe
from reconciler.adapters.redis.server import find_server_url
from reconciler.adapters.redis.sessions import make_sessions
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.settings import EMBEDDED_REDIS, NO_REDIS
from reconciler.tables.view import view_mark, view_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.redis.probe import RedisAnswer
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.model.live import CompareView
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.sessionlayout import SessionLayout
    from reconciler.settings import Settings


HALT_TIMEOUT = 0.4
"""Seconds that an answer may take to who halts."""
NO_BUDGET = 1 << 50
"""Bytes that no view takes: a halt takes no row away for want of room."""


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

    def tell_halted(self, step: AppliedStep) -> None:
        """Take the live view along with what halts changed, as the daemon would; that gives it its room afterwards.

        A server without a view is left alone. Raises `RetryLater` or `NeedsHuman` where there is one and it stays
        behind; `NeedsHuman` is what a server that cannot be used raises, too.
        """
        if self.settings.redis_url == EMBEDDED_REDIS and find_server_url(self.state()) is None:
            return
        with connect(self.url(), answer_timeout=HALT_TIMEOUT) as link:
            cache = RedisCache(link, NO_BUDGET)
            content = cache.state()
            if content.mark == view_mark(step.applied) or (content.mark is None and not content.rows):
                return
            if step.migrated:
                raise RetryLater("so many rows are written by the daemon only")
            if step.base is None or content.mark != view_mark(step.base):
                raise RetryLater("it is not at the commit that was live: the daemon writes it anew")
            keeper = Lease(link, keeper_name(self.settings.host, self.state()))(step.applied.height)
            if keeper:
                raise RetryLater(f"another host keeps it: {keeper}")
            if not cache.advance(view_step(step.kinds, step.base, step.applied, step.rows)):
                raise RetryLater("another process writes it now")

    def view_comparison(self, patience: float) -> CompareView:
        """What compares the live view there, which is waited for up to so many seconds."""
        return partial(compare_view, self.url, patience)

    def ask(self, layout: SessionLayout) -> RedisAnswer:
        """What it says of itself, and may be done there."""
        return probe(self.url(), layout.owner_prefix)
