"""The host that settings name: the daemon of its state folder, or this process where none runs.

What this process needs for that is imported only then: a question to a daemon starts without git and without stores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar, overload

from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.files import write_named
from reconciler.errors import InUse, ReconcilerError, RetryLater, UsageError
from reconciler.service.context import known_state_folder
from reconciler.service.endpoint import Runs
from reconciler.service.endpoints import find_endpoint
from reconciler.service.remote import DaemonClient
from reconciler.service.rows import Rows
from reconciler.service.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from reconciler.adapters.daemonfile import Daemon
    from reconciler.service.context import Progress
    from reconciler.service.endpoints import Services
    from reconciler.service.local import LocalHost
    from reconciler.settings import Settings

    Host: TypeAlias = "Services | DaemonClient | SilentHost"

P = ParamSpec("P")
T = TypeVar("T")
AT_ONCE = 0.7
"""Seconds that a daemon may take for what must be done within one."""
SILENCE = 3.0
"""Seconds after which a daemon that says nothing at all is taken to hang."""
HURRY = 1.5
"""Seconds that a daemon may take to answer somebody who is typing."""


def open_host(
    settings: Settings, progress: Progress | None = None, tell: Callable[[str], None] = lambda note: None
) -> Host:
    """The host that settings name: the daemon of its state folder, if one runs, else this process.

    Beside a daemon that does not answer, this process answers what it can; `tell` hears so.
    """
    daemon = find_daemon(find_state_folder(settings))
    if daemon is None:
        return _open_services(settings, progress)
    client = DaemonClient(daemon.address, daemon.token)
    if daemon.stopped or client.is_silent(SILENCE):
        return SilentHost(daemon, client, _open_services(settings, progress), tell)
    return client


def find_running(settings: Settings) -> DaemonClient | None:
    """The daemon of the host that settings name, if one runs."""
    daemon = find_daemon(find_state_folder(settings))
    return DaemonClient(daemon.address, daemon.token) if daemon else None


def open_hurried_host(settings: Settings) -> Host:
    """The same for somebody who does not wait: a daemon that is busy is given up soon."""
    daemon = find_running(settings)
    return replace(daemon, patience=HURRY) if daemon else _open_services(settings)


@overload
def ask_at_once(
    settings: Settings, tell: Callable[[str], None], call: Callable[..., Future[T]], *args: object
) -> T: ...


@overload
def ask_at_once(settings: Settings, tell: Callable[[str], None], call: Callable[..., T], *args: object) -> T: ...


def ask_at_once(settings: Settings, tell: Callable[[str], None], call: Callable[..., Any], *args: object) -> Any:
    """The answer of an operation that must not wait: a daemon that hangs is given up soon, a stopped one is not asked.

    Then this process does it, as far as it can beside the daemon; `tell` hears so. What the daemon says makes no sense
    is raised.
    """
    daemon = None
    try:
        daemon = find_daemon(find_state_folder(settings))
        if daemon is not None and not daemon.stopped:
            return DaemonClient(daemon.address, daemon.token, patience=AT_ONCE).ask(call, *args)
    except UsageError:
        raise
    except ReconcilerError:
        pass
    answer = _open_services(settings).ask(call, *args)
    if daemon is not None:
        tell(f"{_silence(daemon)}: this command did it without the daemon")
    return answer


@dataclass(frozen=True)
class SilentHost:
    """A host whose daemon does not answer: its files answer questions, as far as they can be read.

    What changes the host waits for a daemon that hangs, and is refused beside one that was stopped.
    """

    daemon: Daemon
    client: DaemonClient
    services: Services
    tell: Callable[[str], None]

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], Future[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The answer of a call: of this process where the files can be read, else of the daemon."""
        if find_endpoint(call).runs is Runs.OPERATIONS:
            return self._ask_daemon(call, *args, **kwargs)
        try:
            answer = self.services.ask(call, *args, **kwargs)
        except InUse:
            return self._ask_daemon(call, *args, **kwargs)
        self._tell()
        return answer

    def write_table(self, table: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
        """Write a table into a file; what the table is called, and how many rows it has."""
        written = self.services.write_table(table, form, file, history=history)
        self._tell()
        return written

    def _ask_daemon(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self.daemon.stopped:
            return self.client.ask(call, *args, **kwargs)
        pid = self.daemon.pid
        hint = f"`kill -CONT {pid}` lets it go on, `kill -KILL {pid}` ends it; `reconciler halt` works meanwhile"
        raise RetryLater(f"{_silence(self.daemon)}, and what it has in use cannot be had", hint=hint)

    def _tell(self) -> None:
        self.tell(f"{_silence(self.daemon)}: this is what its files say")


def _silence(daemon: Daemon) -> str:
    """Why a daemon did not answer."""
    return f"the daemon (process {daemon.pid}) {'is stopped' if daemon.stopped else 'does not answer'}"


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
