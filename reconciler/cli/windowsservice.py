"""What a Windows service runs: `python -m reconciler.cli.windowsservice NAME SETTINGS`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import settings
from reconciler.adapters.log import Style
from reconciler.wiring.daemon import CHECK_INTERVAL, working_daemon

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import TextIO

LOG, OLD_LOG = "service.log", "service.log.1"
"""In the state folder, else beside the settings: what the daemon says on stderr elsewhere."""
MAX_LOG = 10_000_000
"""Bytes after which the log is begun again at the next start; the one before is kept."""


def main() -> None:
    """Be the service that the arguments name."""
    name, file = sys.argv[1], Path(sys.argv[2])
    if sys.platform == "win32":
        from reconciler.adapters.windows.host import host_service

        with open_log(settings.load(file, {}).state or file.parent) as stream:
            sys.stdout = sys.stderr = stream  # a service has neither
            host_service(name, partial(serve, name, file, stream))
    else:
        raise SystemExit(f"{name} is a service of Windows")


def open_log(folder: Path) -> TextIO:
    """The log, in a folder that is made if need be; a long one is put aside."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    if log.exists() and log.stat().st_size > MAX_LOG:
        log.replace(folder / OLD_LOG)
    return log.open("a", encoding="utf-8", buffering=1)


def serve(name: str, file: Path, stream: TextIO, asked: threading.Event, give_up: Callable[[], None]) -> None:
    """Run the daemon until it is asked to end."""
    with working_daemon(settings.load(file, {}), f"service {name}", stream, Style.PLAIN, give_up) as daemon:
        while not asked.wait(CHECK_INTERVAL):
            daemon.check()


if __name__ == "__main__":
    main()
