"""Operations that must not wait for a daemon that hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from reconciler.adapters.daemonfile import find_daemon
from reconciler.errors import ReconcilerError, UsageError
from reconciler.service.remote import DaemonClient
from reconciler.wiring.host import find_state_folder, open_services
from reconciler.wiring.silent import describe_silence

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from reconciler.settings import Settings

T = TypeVar("T")
AT_ONCE = 0.7
"""Seconds that a daemon may take for what must be done within one."""


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
    answer = open_services(settings).ask(call, *args)
    if daemon is not None:
        tell(f"{describe_silence(daemon)}: this command did it without the daemon")
    return answer
