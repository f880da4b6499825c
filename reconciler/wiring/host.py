"""The host that settings name: the daemon of its state folder, or this process where none runs.

What this process needs for that is imported only then: a question to a daemon starts without git and without stores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.files import write_named
from reconciler.errors import UsageError
from reconciler.service.context import known_state_folder
from reconciler.service.remote import DaemonClient
from reconciler.service.rows import Rows
from reconciler.service.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reconciler.adapters.daemonfile import Daemon
    from reconciler.service.context import Progress
    from reconciler.service.endpoints import Services
    from reconciler.service.local import LocalHost
    from reconciler.settings import Settings

    Host: TypeAlias = Services | DaemonClient

HURRY = 1.5
"""Seconds that a daemon may take to answer somebody who is typing."""


def open_host(settings: Settings, progress: Progress | None = None) -> Host:
    """The host that settings name: the daemon of its state folder, if one runs, else this process."""
    daemon = _find_daemon(settings)
    if daemon:
        return DaemonClient(daemon.address, daemon.token)
    return _open_local(settings, progress).services()


def open_hurried_host(settings: Settings) -> Host:
    """The same for somebody who does not wait: a daemon that is busy is given up soon."""
    host = open_host(settings)
    return replace(host, patience=HURRY) if isinstance(host, DaemonClient) else host


def _find_daemon(settings: Settings) -> Daemon | None:
    """The daemon of the state folder. The repository is opened only if that has to say where it is."""
    state = known_state_folder(settings)
    if state is None:
        state = _open_local(settings).find_state_folder()
    return find_daemon(state)


def _open_local(settings: Settings, progress: Progress | None = None) -> LocalHost:
    from reconciler.wiring.local import local_host

    return local_host(settings, progress)


def open_sessions(settings: Settings) -> Sessions:
    """The sessions of this host. Whose they are is looked up in the live rows, of a daemon where one runs."""

    def find_rows(kind: str, word: str) -> tuple[str, Sequence[Mapping[str, object]]]:
        try:
            rows = open_host(settings).ask(Rows.row, kind, word)
        except UsageError:
            return "", ()
        return rows.key, [row.values for row in rows.rows]

    return Sessions(_open_local(settings).context(), find_rows)


def export_table(host: Host, word: str, form: str, folder: Path, *, history: bool) -> tuple[Path, int]:
    """Write a table of a host into a folder, complete or not at all: the file, and how many rows it has."""
    rows = 0

    def write(file: Path) -> str:
        nonlocal rows
        table, rows = host.write_table(word, form, file, history=history)
        return f"{table}.{form}"

    return write_named(folder, write), rows
