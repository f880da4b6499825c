"""One git that does one thing and ends: within a deadline, with all that it started, or on request at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.adapters.git.process import EXECUTABLE, find_popen
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

GRACE = 2.0
"""Seconds that git has to take its lock files away once it is told to end."""

LONGEST_PAUSE = 0.05
"""Seconds between two looks at a git that runs; the first are shorter, a tenth of what it has taken so far."""

TERMINATE, KILL = 15, 9
"""The numbers that POSIX gives to these two."""


class Outcome(Struct, frozen=True):
    """How it ended: `overdue` after its deadline, `stopped` because somebody asked for it."""

    code: int
    output: str
    errors: str
    overdue: bool = False
    stopped: bool = False


class Supervision(Struct, frozen=True):
    """What a running git is watched with: an event that ends it, and a sign of life for whoever waits for us.

    `handles` are open files that it and all it starts shall hold, so that locks on them outlive this process.
    """

    stop: threading.Event
    beat: Callable[[], None] = lambda: None
    handles: tuple[int, ...] = ()


def run_git(  # noqa: PLR0913  each is another side of a process
    arguments: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    config: Mapping[str, str],
    seconds: float,
    supervision: Supervision,
    given: bytes = b"",
) -> Outcome:
    """Run git to its end. Raises `NeedsHuman` when git is not installed; how git ended is in the outcome.

    `given` is what it reads. It runs in a group of its own. When time is up the whole group ends: what it started
    (ssh, index-pack) too.
    """
    command = [os.environ.get(EXECUTABLE) or "git", "--no-pager"]
    command += [part for name, value in config.items() for part in ("-c", f"{name}={value}")]
    # Files, not pipes: nobody has to empty them, and nobody who keeps one open can make us wait
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        source.write(given)
        source.seek(0)
        try:
            process: subprocess.Popen[bytes] = find_popen()(
                [*command, *arguments],
                stdin=source if given else subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=cwd,
                env=dict(variables),
                **_own_group(supervision.handles),
            )
        except FileNotFoundError as error:
            raise NeedsHuman(
                f"git cannot be started in {cwd}", hint="install git, put it on PATH, and see that the folder exists"
            ) from error
        try:
            ended = _wait(process, seconds, supervision)
        finally:
            _end(process)
        for file in (output, errors):
            file.seek(0)
        said, complained = (file.read().decode(errors="surrogateescape") for file in (output, errors))
        stopped = not ended and supervision.stop.is_set()
        return Outcome(process.returncode, said, complained, overdue=not ended and not stopped, stopped=stopped)


def _own_group(handles: tuple[int, ...]) -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"process_group": 0, "pass_fds": handles}


def _wait(process: subprocess.Popen[bytes], seconds: float, supervision: Supervision) -> bool:
    """Whether it ended by itself. Most are done in milliseconds, so the first looks are close together."""
    start = time.monotonic()
    while process.poll() is None:
        passed = time.monotonic() - start
        if passed > seconds or supervision.stop.wait(min(max(passed / 10, 0.001), LONGEST_PAUSE)):
            return False
        supervision.beat()
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and all that it started, if it has not ended by itself: politely first, so that it can clean up."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
        process.wait()
        return
    os.killpg(process.pid, TERMINATE)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of the group is gone, or waits to be reaped
        os.killpg(process.pid, KILL)
    process.wait()
