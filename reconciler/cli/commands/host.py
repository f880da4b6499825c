"""The host itself: `run`, `backup`, `restore`, `doctor`, `token`, `completion`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.adapters.daemonfile import new_token
from reconciler.cli import completion as shells
from reconciler.cli import output
from reconciler.cli.commands.reconcile import user_name
from reconciler.cli.options import Globals, format_option, global_options
from reconciler.cli.output import Exit
from reconciler.model.grants import Role, format_entry, hash_token
from reconciler.model.host import Diagnosis, Grade
from reconciler.report.commits import short_sha
from reconciler.report.status import build_diagnosis, diagnosis_lines, summarize_diagnoses
from reconciler.service.host import HostControl

if TYPE_CHECKING:
    from types import FrameType

PROGRAM = "reconciler"
CHECK_INTERVAL = 1.0
"""Seconds between two checks of what no thread would notice."""
MAX_STOP = 4.5
"""Seconds that stopping may take; what has not ended by then is undone at the next start."""
SWITCH_INTERVAL = 0.0001
"""Seconds that a thread may compute while others wait: with Python's own 5 ms, each question over HTTP would hold up a
commit on its way by as much."""
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
"""What asks for the end, on the systems that have it: a service manager, ^C, a terminal that closes; Windows' ^C."""
COLOURS = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.PROBLEM: "red"}


@click.command(short_help="the daemon")
@click.option(
    "--example", metavar="DIR", type=click.Path(path_type=Path), help="Run on a copy of the example, kept in DIR."
)
@global_options
@click.pass_obj
def run(given: Globals, example: Path | None) -> int:
    """Follow the branch: apply every commit at once, or report why not, until SIGTERM or ^C."""
    from reconciler.cli import tour as examples
    from reconciler.daemon import gc
    from reconciler.wiring.local import run_daemon

    if example is not None:
        given.flags |= examples.prepare(example)
    stop = _Stop()
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop.handle)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_thresholds()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    with run_daemon(given.settings(), command, sys.stderr, os.environ) as daemon:
        if example is not None:
            for text in examples.advice(example, daemon.address, _program()):
                given.say(text)
        while not stop.asked.wait(CHECK_INTERVAL):
            daemon.check()
        giving_up = threading.Timer(MAX_STOP, os._exit, [stop.code])
        giving_up.daemon = True
        giving_up.start()
    giving_up.cancel()
    return stop.code


def _program() -> str:
    """What to type to start this program: its name, or where it is if a shell would not find it."""
    return PROGRAM if shutil.which(PROGRAM) else sys.argv[0]


class _Stop:
    """Whether somebody asked for the end, and the exit code that goes with it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.code = Exit.OK

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Note a signal."""
        if number == signal.SIGINT:
            self.code = Exit.INTERRUPTED
        self.asked.set()


@click.command(short_help="copy the store")
@global_options
@click.pass_obj
def backup(given: Globals) -> None:
    """Make a consistent copy of the store in the state folder, and print where it is."""
    output.data(output.short_path(Path(given.host().ask(HostControl.back_up, user_name()).file)))


@click.command(short_help="bring a copy of the store back")
@click.argument("file", type=click.Path(path_type=Path))
@global_options
@click.pass_obj
def restore(given: Globals, file: Path) -> None:
    """Replace the store of this host by FILE, a backup. The next sync brings it to the branch's head."""
    found = given.host().ask(HostControl.restore, user_name(), str(file.absolute()))
    output.data(f"live: {short_sha(found.applied.commit)}" if found.applied else "live: nothing yet")
    if found.aside is not None:
        given.say(f"the store before is kept as {output.short_path(Path(found.aside))}")
    given.say("run `reconciler sync` to bring it to the branch's head; a daemon does so at once")


@click.command(short_help="check this host")
@format_option("text", "json")
@global_options
@click.pass_obj
def doctor(given: Globals, form: str) -> int:
    """Check git, the stores, clock, disk and permissions, and say how to fix what is wrong.

    Nothing is created or changed.
    """
    from reconciler.wiring.local import diagnose

    found: list[Diagnosis] = []
    for diagnosis in diagnose(given.config, given.settings):
        found.append(diagnosis)
        if form == "text":
            _show(diagnosis)
    if form == "json":
        output.json_data([build_diagnosis(diagnosis) for diagnosis in found])
    else:
        output.data(summarize_diagnoses(found))
    return Exit.PROBLEMS if any(diagnosis.grade is Grade.PROBLEM for diagnosis in found) else Exit.OK


def _show(diagnosis: Diagnosis) -> None:
    first, *rest = diagnosis_lines(diagnosis)
    grade = str(diagnosis.grade)
    output.data(click.style(grade, fg=COLOURS[diagnosis.grade]) + first.removeprefix(grade))
    for text in rest:
        output.data(text)


@click.command(short_help="a new token for HTTP")
@click.option("--role", required=True, type=click.Choice([role.word for role in Role]), help="What it allows.")
@format_option("text", "json")
@global_options
@click.pass_obj
def token(given: Globals, role: str, form: str) -> None:
    """Make a token with which programs elsewhere read or operate a daemon, and show the setting that admits it.

    The token is stored nowhere: if you lose it, make another one.
    """
    made = new_token()
    setting = format_entry(Role[role.upper()], made)
    if form == "json":
        output.json_data({"role": role, "token": made, "sha256": hash_token(made).hex(), "setting": setting})
    else:
        output.data(made)
    given.say(f'into reconciler.toml of that host, then start its daemon again:\n\n[http]\ntokens = ["{setting}"]')


@click.command(short_help="completion for a shell")
@click.argument("shell", type=click.Choice(shells.SHELLS))
@global_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that SHELL runs once to complete commands, options, kinds and names of live rows."""
    output.raw(shells.script(context.find_root().command, shell))
