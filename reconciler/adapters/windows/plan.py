"""What makes the daemon a Windows service: values alone, the same on every system."""

from __future__ import annotations

from pathlib import PureWindowsPath
from subprocess import list2cmdline

from msgspec import Struct

HOST_MODULE = "reconciler.cli.windowsservice"
"""What the service's process runs: it answers the service manager, which a console program does not."""
LAUNCHER = "__PYVENV_LAUNCHER__"
"""How the python of a venv tells the one that it starts for whom it runs; `multiprocessing` does the same.

The service manager knows the process that it started: the python of a venv would start another one, and be given up.
"""
READ, MODIFY = "RX", "M"
RESTART_DELAYS = (10_000, 60_000, 300_000)
"""Milliseconds after which a daemon that failed is started again; the last counts for all further failures."""
FORGET_FAILURES = 3_600
"""Seconds without a failure after which it counts from the first delay again."""
DESCRIPTION = "Commits to the configuration repository become live rows. Settings: {}"


class Installation(Struct, frozen=True):
    """Where things are on this machine: the python that runs this, the one it is made from, and their folders.

    `repository` is empty for one that is elsewhere.
    """

    python: str
    base_python: str
    program_folders: tuple[str, ...]
    settings: str
    state: str
    repository: str = ""


class Grant(Struct, frozen=True):
    """What the service's account may do in a folder and all below it."""

    folder: str
    rights: str


class ServicePlan(Struct, frozen=True):
    """A service as the manager is told of it, and what its account may do.

    `environment` has lines NAME=VALUE. `safe_repository` is one that git has to be told to open for everybody: it
    belongs to somebody else than the service's account.
    """

    name: str
    title: str
    description: str
    command: tuple[str, ...]
    environment: tuple[str, ...]
    account: str
    grants: tuple[Grant, ...]
    safe_repository: str = ""
    restart_delays: tuple[int, ...] = RESTART_DELAYS
    forget_failures: int = FORGET_FAILURES

    @property
    def command_line(self) -> str:
        """The program and its arguments, quoted as Windows splits them."""
        return list2cmdline(self.command)

    @property
    def programs(self) -> tuple[tuple[str, ...], ...]:
        """What else is run, in this order, once the service is there: its account comes with it."""
        granted = tuple(
            ("icacls.exe", one.folder, "/grant", f"{self.account}:(OI)(CI){one.rights}", "/Q") for one in self.grants
        )
        path = self.safe_repository.replace("\\", "/")
        safe = ("git.exe", "config", "--system", "--replace-all", "safe.directory", path, f"^{_literal(path)}$")
        return (*granted, safe) if path else granted


def plan_service(name: str, found: Installation) -> ServicePlan:
    """The service of a daemon with some settings. Its account is its own: without a password or rights elsewhere."""
    is_venv = found.python.lower() != found.base_python.lower()
    readable = (*found.program_folders, str(PureWindowsPath(found.settings).parent), found.repository)
    return ServicePlan(
        name=name,
        title=name if name == "reconciler" else f"reconciler ({name})",
        description=DESCRIPTION.format(found.settings),
        command=(found.base_python, "-P", "-m", HOST_MODULE, name, found.settings),
        environment=(f"{LAUNCHER}={found.python}",) if is_venv else (),
        account=f"NT SERVICE\\{name}",
        grants=(
            *(Grant(folder, READ) for folder in dict.fromkeys(readable) if folder),
            Grant(found.state, MODIFY),
        ),
        safe_repository=found.repository,
    )


def _literal(text: str) -> str:
    """A text as git's extended regular expressions take it."""
    return "".join(character if character.isalnum() or character in "/ _-:" else f"\\{character}" for character in text)
