"""The daemon of a host, if one runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.daemonfile import find_daemon
from reconciler.service.remote import DaemonClient
from reconciler.values import replace
from reconciler.wiring.host import find_state_folder, open_services

if TYPE_CHECKING:
    from reconciler.settings import Settings
    from reconciler.wiring.host import Host

HURRY = 1.5
"""Seconds that a daemon may take to answer somebody who is typing."""


def find_running(settings: Settings) -> DaemonClient | None:
    """The daemon of the host that settings name, if one runs."""
    daemon = find_daemon(find_state_folder(settings))
    return DaemonClient(daemon.address, daemon.token) if daemon else None


def open_hurried_host(settings: Settings) -> Host:
    """The host for somebody who does not wait: a daemon that is busy is given up soon."""
    daemon = find_running(settings)
    return replace(daemon, patience=HURRY) if daemon else open_services(settings)
