"""The daemon: `run`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.adapters.log import style_of
from reconciler.cli import output, tour
from reconciler.cli.options import Globals, global_options
from reconciler.cli.output import Exit
from reconciler.values import replace
from reconciler.web.server import MAX_PORT, parse_listen
from reconciler.wiring.daemon import CHECK_INTERVAL, working_daemon

if TYPE_CHECKING:
    from types import FrameType

PROGRAM = "reconciler"
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
"""What asks for the end, on the systems that have it: a service manager, ^C, a terminal that closes; Windows' ^C."""


@click.command(short_help="the daemon")
@click.option(
    "--example", metavar="DIR", type=click.Path(path_type=Path), help="Run on a copy of the example, kept in DIR."
)
@click.option("--port", type=click.IntRange(0, MAX_PORT), help="Listen on this port; 0 is any free one.")
@global_options
@click.pass_obj
def run(given: Globals, example: Path | None, port: int | None) -> int:
    """Follow the branch: apply every commit at once, or report why not, until SIGTERM or ^C."""
    if example is not None:
        given.flags |= tour.prepare(example)
    if port is not None:
        given.flags["http.listen"] = str(replace(parse_listen(given.settings().listen), port=port))
    stop = _StopSignal()
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop.handle)
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    style = style_of(sys.stderr, os.environ, coloured=output.has_colour(sys.stderr))
    with working_daemon(given.settings(), command, sys.stderr, style, stop.give_up) as daemon:
        if port is not None:
            given.say(f"listening on http://{daemon.address}")
        if example is not None:
            for text in tour.advice(example, daemon.address, _program()):
                given.say(text)
        while not stop.asked.wait(CHECK_INTERVAL):
            daemon.check()
    return stop.code


def _program() -> str:
    """What to type to start this program: its name, or where it is if a shell would not find it."""
    return PROGRAM if shutil.which(PROGRAM) else sys.argv[0]


class _StopSignal:
    """Whether somebody asked for the end, and the exit code that goes with it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.code = Exit.OK

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Note a signal."""
        if number == signal.SIGINT:
            self.code = Exit.INTERRUPTED
        self.asked.set()

    def give_up(self) -> None:
        """End the process: stopping takes too long."""
        os._exit(self.code)
