"""Telling the service manager. Windows only; nothing is decided here. It was not run on Windows: docs/deploy.md."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pywintypes
import win32service
import winerror

from reconciler.errors import NeedsHuman

if sys.platform == "win32":
    import winreg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.windows.plan import ServicePlan

REGISTRY = r"SYSTEM\CurrentControlSet\Services"
STOP_SECONDS, PAUSE = 30.0, 0.2
PROGRAM_SECONDS = 300
ENDED = (winerror.ERROR_SERVICE_NOT_ACTIVE,)
ELEVATE = "run it in a shell that was started as administrator"


def install(plan: ServicePlan, *, start: bool) -> bool:
    """Make the service or change the one there is, let its account read and write, and start it; whether it is new.

    Raises `NeedsHuman`. Doing it again repairs what was changed.
    """
    with _told(plan.name), _manager() as manager:
        service = _open(manager, plan.name)
        is_new = service is None
        if service is None:
            service = _create(manager, plan)
        else:
            _stop(service)
            _change(service, plan)
        try:
            _configure(service, plan)
            for command in plan.programs:
                _run(command)
            if start:
                win32service.StartService(service, None)
        finally:
            win32service.CloseServiceHandle(service)
    return is_new


def remove(name: str) -> bool:
    """Stop a service and delete it; False where there is none. Settings and state stay. Raises `NeedsHuman`."""
    with _told(name), _manager() as manager:
        service = _open(manager, name)
        if service is None:
            return False
        try:
            _stop(service)
            win32service.DeleteService(service)
        finally:
            win32service.CloseServiceHandle(service)
    return True


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except pywintypes.error as error:
        hint = ELEVATE if error.winerror == winerror.ERROR_ACCESS_DENIED else "see the event log, or services.msc"
        raise NeedsHuman(f"the service {name}: {error.strerror} ({error.funcname})", hint=hint) from error


@contextmanager
def _manager() -> Iterator[Any]:
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_ALL_ACCESS)
    try:
        yield manager
    finally:
        win32service.CloseServiceHandle(manager)


def _open(manager: Any, name: str) -> Any:
    try:
        return win32service.OpenService(manager, name, win32service.SERVICE_ALL_ACCESS)
    except pywintypes.error as error:
        if error.winerror == winerror.ERROR_SERVICE_DOES_NOT_EXIST:
            return None
        raise


def _create(manager: Any, plan: ServicePlan) -> Any:
    return win32service.CreateService(
        manager,
        plan.name,
        plan.title,
        win32service.SERVICE_ALL_ACCESS,
        win32service.SERVICE_WIN32_OWN_PROCESS,
        win32service.SERVICE_AUTO_START,
        win32service.SERVICE_ERROR_NORMAL,
        plan.command_line,
        None,
        False,
        None,
        plan.account,
        None,
    )


def _change(service: Any, plan: ServicePlan) -> None:
    win32service.ChangeServiceConfig(
        service,
        win32service.SERVICE_WIN32_OWN_PROCESS,
        win32service.SERVICE_AUTO_START,
        win32service.SERVICE_ERROR_NORMAL,
        plan.command_line,
        None,
        False,
        None,
        plan.account,
        None,
        plan.title,
    )


def _configure(service: Any, plan: ServicePlan) -> None:
    """What there are calls of their own for: the text, a late start, restarts, the environment."""
    restarts = [(win32service.SC_ACTION_RESTART, delay) for delay in plan.restart_delays]
    failures = {"ResetPeriod": plan.forget_failures, "RebootMsg": "", "Command": "", "Actions": restarts}
    for what, value in (
        (win32service.SERVICE_CONFIG_DESCRIPTION, plan.description),
        (win32service.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, True),
        (win32service.SERVICE_CONFIG_FAILURE_ACTIONS, failures),
        (win32service.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, True),
    ):
        win32service.ChangeServiceConfig2(service, what, value)
    if sys.platform == "win32":
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{REGISTRY}\{plan.name}", 0, winreg.KEY_SET_VALUE) as key:
            winreg.SetValueEx(key, "Environment", 0, winreg.REG_MULTI_SZ, list(plan.environment))


def _stop(service: Any) -> None:
    try:
        win32service.ControlService(service, win32service.SERVICE_CONTROL_STOP)
    except pywintypes.error as error:
        if error.winerror not in ENDED:
            raise
    limit = time.monotonic() + STOP_SECONDS
    while win32service.QueryServiceStatus(service)[1] != win32service.SERVICE_STOPPED:
        if time.monotonic() > limit:
            raise NeedsHuman("the service does not stop", hint="end its process in the task manager, and try again")
        time.sleep(PAUSE)


def _run(command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PROGRAM_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NeedsHuman(f"{command[0]} cannot be run: {error}", hint=ELEVATE) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise NeedsHuman(f"{' '.join(command)} ended with {done.returncode}: {said}", hint=ELEVATE)
