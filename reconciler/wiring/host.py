"""The host that settings name: the daemon of its state folder, or this process where none runs.

What this process needs for that is imported only then: a question to a daemon starts without git and without stores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.files import write_named
from reconciler.errors import ReconcilerError, UsageError
from reconciler.service.context import known_state_folder
from reconciler.service.remote import DaemonClient
from reconciler.service.rows import Rows
from reconciler.service.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from reconciler.service.context import Progress
    from reconciler.service.endpoints import Services
    from reconciler.service.local import LocalHost
    from reconciler.settings import Settings

    Host: TypeAlias = Services | DaemonClient

T = TypeVar("T")
AT_ONCE = 0.7
"""Seconds that a daemon may take for what must be done within one."""
HURRY = 1.5
"""Seconds that a daemon may take to answer somebody who is typing."""


def open_host(settings: Settings, progress: Progress | None = None) -> Host:
    """The host that settings name: the daemon of its state folder, if one runs, else this process."""
    return find_running(settings) or _open_services(settings, progress)


def find_running(settings: Settings) -> DaemonClient | None:
    """The daemon of the host that settings name, if one runs."""
    daemon = find_daemon(find_state_folder(settings))
    return DaemonClient(daemon.address, daemon.token) if daemon else None


def open_hurried_host(settings: Settings) -> Host:
    """The same for somebody who does not wait: a daemon that is busy is given up soon."""
    host = open_host(settings)
    return replace(host, patience=HURRY) if isinstance(host, DaemonClient) else host


@overload
def ask_at_once(settings: Settings, call: Callable[..., Future[T]], *args: object) -> T: ...


@overload
def ask_at_once(settings: Settings, call: Callable[..., T], *args: object) -> T: ...


def ask_at_once(settings: Settings, call: Callable[..., Any], *args: object) -> Any:
    """The answer of an operation that must not wait: a daemon that hangs is given up soon, a stopped one is not asked.

    Then this process does it, as far as it can beside the daemon. What the daemon says makes no sense is raised.
    """
    try:
        daemon = find_daemon(find_state_folder(settings))
        if daemon is not None and not daemon.stopped:
            return DaemonClient(daemon.address, daemon.token, patience=AT_ONCE).ask(call, *args)
    except UsageError:
        raise
    except ReconcilerError:
        pass
    return _open_services(settings).ask(call, *args)


def find_state_folder(settings: Settings) -> Path:
    """The state folder. The repository is opened only if that has to say where it is."""
    return known_state_folder(settings) or _open_local(settings).find_state_folder()


def _open_services(settings: Settings, progress: Progress | None = None) -> Services:
    from reconciler.service.localcontrol import local_services

    return local_services(_open_local(settings, progress))


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
