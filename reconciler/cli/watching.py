"""`validate --watch`: the check, and again whenever a file that counts changes, until ^C."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import click

from reconciler import wiring
from reconciler.cli import output
from reconciler.errors import ReconcilerError
from reconciler.report.escape import escape_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from reconciler.cli.options import Globals
    from reconciler.reconcile.check import CheckResult

NAMED = 3
"""Files that are named when they change together."""


def watch(
    given: Globals, start: Path, folder: str, paths: Sequence[Path], tell: Callable[[CheckResult], None]
) -> NoReturn:
    """Tell what is wrong now and after each change. What cannot be read for a moment does not end it."""
    with wiring.watch_folder(start, folder, paths) as watched:
        tell(watched.first)
        if watched.trouble:
            given.say(f"warning: no word of changes ({watched.trouble}): all files are looked at every few seconds")
        given.say("watching for changes, ^C ends it")
        last = ""
        while True:
            try:
                changed, checked = watched.following()
            except ReconcilerError as error:
                if str(error) != last:
                    output.failure(error)
                last = str(error)
                continue
            last = ""
            moment = time.strftime("%H:%M:%S")  # of the clock on this wall: nothing is recorded
            given.say(click.style(f"\n{moment} {_names(changed)}", dim=True))
            tell(checked)


def _names(paths: Collection[str]) -> str:
    return escape_line(", ".join(sorted(paths))) if len(paths) <= NAMED else f"{len(paths):,} files"
