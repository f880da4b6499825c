"""The daemon of the host that settings name."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.daemon import assembly
from reconciler.settings import NO_REDIS
from reconciler.wiring.checkout import bundled_kinds
from reconciler.wiring.local import local_host, make_openers, session_layout
from reconciler.wiring.redis import HostRedis
from reconciler.wiring.repository import open_mirror

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from reconciler.adapters.log import Style
    from reconciler.daemon.assembly import Daemon
    from reconciler.daemon.followers import MakeFollower
    from reconciler.settings import Settings

VIEW_WAIT = 5.0
"""Seconds that a verification waits for the live view to be at the commit that is live."""


def run_daemon(
    settings: Settings,
    command: str,
    stream: TextIO,
    style: Style,
    followers: Sequence[MakeFollower] = (),
) -> AbstractContextManager[Daemon]:
    """Run the daemon while the block lasts. `command` tells others who holds the state folder."""
    return assembly.run_daemon(daemon_parts(settings), command, stream, style, followers)


def daemon_parts(settings: Settings) -> assembly.DaemonParts:
    """What a daemon is made of."""
    state = local_host(settings).find_state_folder()
    openers = make_openers(settings)
    settings = replace(settings, history_url=openers.engine(state))
    redis = HostRedis(settings, lambda: state)
    return assembly.DaemonParts(
        settings=settings,
        name=settings.host or socket.gethostname(),
        state=state,
        openers=openers,
        mirror=open_mirror(settings) if settings.origin.url is not None else None,
        bundled=bundled_kinds(),
        session_layout=session_layout(),
        find_redis=redis.url,
        compare_view=None if settings.redis_url == NO_REDIS else redis.view_comparison(VIEW_WAIT),
    )
