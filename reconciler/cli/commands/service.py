"""The daemon as a Windows service: `service`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from reconciler.adapters.windows.plan import Installation, plan_service
from reconciler.cli import output
from reconciler.cli.options import Globals, global_options
from reconciler.errors import UsageError
from reconciler.settings import FILE_NAME, find_file
from reconciler.wiring.local import local_host

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.settings import Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
ELSEWHERE = "on Linux systemd runs it, with the unit deploy/systemd/reconciler.service: docs/deploy.md#systemd"


@click.group(short_help="the daemon as a Windows service", no_args_is_help=False)
@global_options
def service() -> None:
    """Let Windows start the daemon, and start it again when it fails."""


@service.command(short_help="make it a service, and start it")
@click.option("--name", default="reconciler", show_default=True, metavar="NAME", help="What the service is called.")
@click.option("--no-start", is_flag=True, help="Do not start it yet.")
@global_options
@click.pass_obj
def install(given: Globals, name: str, no_start: bool) -> None:
    """Make the daemon with these settings a service of an account of its own, and start it.

    The account may read the program, the settings and the repository, and write to the state folder. Doing it again
    repairs what was changed. It needs a shell that was started as administrator.
    """
    _check_system(name)
    file = given.config or find_file()
    if file is None:
        hint = "name the file with --config, or go to its folder; `reconciler init --local` writes one"
        raise UsageError(f"there is no {FILE_NAME} here, and a service needs its settings in a file", hint=hint)
    plan = plan_service(name, find_installation(file.resolve(), given.settings()))
    from reconciler.adapters.windows import manager

    is_new = manager.install(plan, start=not no_start)
    output.data(f"{plan.name}: {'installed' if is_new else 'changed'}{'' if no_start else ', started'}")
    given.say(f"it runs as {plan.account}: {plan.command_line}")
    for grant in plan.grants:
        given.say(f"{grant.rights:2} {grant.folder}")


@service.command(short_help="stop and delete the service")
@click.option("--name", default="reconciler", show_default=True, metavar="NAME", help="What the service is called.")
@global_options
@click.pass_obj
def remove(given: Globals, name: str) -> None:
    """Stop the service and delete it. Settings and state stay: nothing that is live is lost."""
    _check_system(name)
    from reconciler.adapters.windows import manager

    removed = manager.remove(name)
    output.data(f"{name}: removed" if removed else f"{name}: there is no such service")


def find_installation(file: Path, settings: Settings) -> Installation:
    """Where things are on this machine, for a daemon with the settings in a file."""
    host = local_host(settings)
    return Installation(
        python=sys.executable,
        base_python=str(getattr(sys, "_base_executable", sys.executable)),
        program_folders=tuple(dict.fromkeys((sys.prefix, sys.base_prefix))),
        settings=str(file),
        state=str(host.find_state_folder()),
        repository="" if settings.origin.url is not None else str(settings.repository.resolve()),
    )


def _check_system(name: str) -> None:
    if not NAME.fullmatch(name):
        hint = "letters, digits, _ . and -, at most 80"
        raise UsageError(f"{name!r} cannot be the name of a service", hint=hint)
    if sys.platform != "win32":
        raise UsageError("there are Windows services on Windows only", hint=ELSEWHERE)
