"""The daemon of the host that settings name."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.daemon import assembly
from reconciler.settings import NO_REDIS
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.local import local_host, make_openers
from reconciler.wiring.reading import session_layout
from reconciler.wiring.redis import HostRedis
from reconciler.wiring.repository import open_mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from reconciler.adapters.log import Style
    from reconciler.daemon.assembly import Daemon
    from reconciler.daemon.followers import MakeFollower
    from reconciler.settings import Settings

CHECK_INTERVAL = 1.0
"""Seconds between two checks of what no thread would notice."""
MAX_STOP = 4.5
"""Seconds that stopping may take; what has not ended by then is undone at the next start."""
SWITCH_INTERVAL = 0.0001
"""Seconds that a thread may compute while others wait: with Python's own 5 ms, each question over HTTP would hold up a
commit on its way by as much."""
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


@contextmanager
def working_daemon(
    settings: Settings, command: str, stream: TextIO, style: Style, give_up: Callable[[], None]
) -> Iterator[Daemon]:
    """The daemon in a process of its own. What it does when stopping takes too long ends the process: `give_up`."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    assembly.set_gc_thresholds()
    giving_up = threading.Timer(MAX_STOP, give_up)
    giving_up.daemon = True
    with assembly.ignoring_what_is_there(), run_daemon(settings, command, stream, style) as daemon:
        yield daemon
        giving_up.start()
    giving_up.cancel()


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
