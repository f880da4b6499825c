"""`reconciler run`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import wiring
from reconciler.cli.exits import Exit
from reconciler.cli.options import Globals, global_options
from reconciler.daemon import gc

if TYPE_CHECKING:
    from types import FrameType

NAME = "reconciler"
BREATH = 1.0
"""Seconds between two looks at what nobody else would notice."""
LONGEST = 4.5
"""Seconds that stopping may take; what has not ended by then is undone at the next start."""
SWITCH = 0.0001
"""Seconds that a thread may compute while others wait: with Python's own 5 ms, each question over HTTP would hold up a
commit on its way by as much."""
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
"""What asks for the end, on the systems that have it: a service manager, ^C, a terminal that closes; Windows' ^C."""


@click.command(short_help="the daemon")
@click.option(
    "--example", metavar="DIR", type=click.Path(path_type=Path), help="Run on a copy of the example, kept in DIR."
)
@global_options
@click.pass_obj
def run(given: Globals, example: Path | None) -> int:
    """Follow the branch: every commit goes live at once, or it is said why not, until SIGTERM or ^C."""
    if example is not None:
        given.flags |= wiring.example_settings(example)
    end = _End()
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end.heed)
    sys.setswitchinterval(SWITCH)
    gc.pace()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    with wiring.daemon(given.settings(), command, sys.stderr, os.environ) as daemon:
        if example is not None:
            for line in wiring.example_advice(example, daemon.address, _program()):
                given.say(line)
        while not end.asked.wait(BREATH):
            daemon.check()
        giving_up = threading.Timer(LONGEST, os._exit, [end.code])
        giving_up.daemon = True
        giving_up.start()
    giving_up.cancel()
    return end.code


def _program() -> str:
    """What to type to start this program: its name, or where it is if a shell would not find it."""
    return NAME if shutil.which(NAME) else sys.argv[0]


class _End:
    """Whether somebody asked for the end, and the exit code that goes with it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.code = Exit.OK

    def heed(self, number: int, frame: FrameType | None) -> None:
        """A signal came."""
        if number == signal.SIGINT:
            self.code = Exit.INTERRUPTED
        self.asked.set()
