"""The daemon of a host, or its files where the daemon does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from reconciler.errors import InUse, RetryLater
from reconciler.service.endpoint import Runs, find_endpoint
from reconciler.service.remote import DaemonClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from reconciler.adapters.daemonfile import Daemon
    from reconciler.service.services import Services

P = ParamSpec("P")
T = TypeVar("T")


SILENCE = 3.0
"""Seconds after which a daemon that says nothing at all is taken to hang."""


def reach(
    daemon: Daemon, open_services: Callable[[], Services], tell: Callable[[str], None]
) -> DaemonClient | SilentHost:
    """A daemon. Beside one that does not answer, this process answers what it can; `tell` hears so."""
    client = DaemonClient(daemon.address, daemon.token)
    if daemon.stopped or client.is_silent(SILENCE):
        return SilentHost(daemon, client, open_services(), tell)
    return client


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
            return self.ask_files(call, *args, **kwargs)
        except InUse:
            return self._ask_daemon(call, *args, **kwargs)

    def ask_files(self, call: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer of this process alone."""
        answer = self.services.ask(call, *args, **kwargs)
        self._tell()
        return answer

    def _ask_daemon(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self.daemon.stopped:
            return self.client.ask(call, *args, **kwargs)
        pid = self.daemon.pid
        hint = f"`kill -CONT {pid}` lets it go on, `kill -KILL {pid}` ends it; `reconciler halt` works meanwhile"
        raise RetryLater(f"{describe_silence(self.daemon)}, and what it has in use cannot be had", hint=hint)

    def _tell(self) -> None:
        self.tell(f"{describe_silence(self.daemon)}: this is what its files say")


def describe_silence(daemon: Daemon) -> str:
    """Why a daemon did not answer."""
    return f"the daemon (process {daemon.pid}) {'is stopped' if daemon.stopped else 'does not answer'}"
