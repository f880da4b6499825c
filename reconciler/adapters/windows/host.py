"""A process that is a service: it answers the service manager. Windows only. It was not run on Windows."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import servicemanager
import win32service
import win32serviceutil

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[[threading.Event, Callable[[], None]], None]
    """Works until the event is set; calls what it is given when stopping takes too long. Raises when it fails."""

STOP_HINT = 15_000
"""Milliseconds that the manager is told a stop may take."""


def host_service(name: str, serve: Serve) -> None:
    """Be the service until the manager asks for its end.

    A failure ends the process at once, without a word to the manager: that is what it starts services again for.
    """

    class Service(win32serviceutil.ServiceFramework):
        _svc_name_ = name

        def __init__(self, arguments: Any) -> None:
            super().__init__(arguments)
            self.asked = threading.Event()

        def SvcStop(self) -> None:  # noqa: N802  the framework's name
            self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING, STOP_HINT)
            self.asked.set()

        SvcShutdown = SvcStop

        def SvcDoRun(self) -> None:  # noqa: N802
            try:
                serve(self.asked, self.give_up)
            except BaseException:
                logging.getLogger(__name__).exception("the service %s failed", name)
                logging.shutdown()
                os._exit(1)

        def give_up(self) -> None:
            self.ReportServiceStatus(win32service.SERVICE_STOPPED)
            os._exit(0)

    servicemanager.Initialize(name, None)
    servicemanager.PrepareToHostSingle(Service)
    servicemanager.StartServiceCtrlDispatcher()
