"""The host that settings name: the daemon of its state folder, or this process where none runs.

What this process needs for that is imported only then: a question to a daemon starts without git and without stores.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from reconciler.adapters.daemonfile import find_daemon
from reconciler.service.context import known_state_folder
from reconciler.service.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.service.context import Progress
    from reconciler.service.control import HostControl
    from reconciler.service.localreading import LocalReader
    from reconciler.service.remote import DaemonClient
    from reconciler.settings import Settings
    from reconciler.wiring.silent import SilentHost

    Host: TypeAlias = "Services | DaemonClient | SilentHost"


def open_host(
    settings: Settings, progress: Progress | None = None, tell: Callable[[str], None] = lambda note: None
) -> Host:
    """The host that settings name: the daemon of its state folder, if one runs, else this process.

    Beside a daemon that does not answer, this process answers what it can; `tell` hears so.
    """
    daemon = find_daemon(find_state_folder(settings))
    if daemon is None:
        return open_services(settings, progress)
    from reconciler.wiring.silent import reach

    return reach(daemon, partial(open_services, settings, progress), tell)


def find_state_folder(settings: Settings) -> Path:
    """The state folder. The repository is opened only if that has to say where it is."""
    return known_state_folder(settings) or _local_reader(settings).find_state_folder()


def open_services(settings: Settings, progress: Progress | None = None) -> Services:
    """The host in this process. What changes it is imported for whoever changes it."""

    def open_control() -> HostControl:
        from reconciler.wiring.local import local_control

        return local_control(settings, progress)

    return Services(_local_reader(settings, progress).context(), open_control)


def _local_reader(settings: Settings, progress: Progress | None = None) -> LocalReader:
    from reconciler.wiring.reading import local_reader

    return local_reader(settings, progress)
