"""`server.json`: which server was started in a folder, and ending one that outlived who started it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.adapters.files import write_atomically
from reconciler.adapters.processes import UNKNOWN, birth, is_zombie
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "server.json"
MOST = 65_536
TERMINATE, KILL = 15, 9
"""Signals, as POSIX numbers them: there is no such server elsewhere."""
GRACE, PAUSE = 3.0, 0.01
"""Seconds that a server gets to write down what it has, and between two looks."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server process: its id, a mark that no other process has, and its URL with the password."""

    pid: int
    began: str
    url: str = field(repr=False)


def note(folder: Path, server: Running) -> None:
    """Write down which server runs. Nobody but its owner may read it, at no moment. Raises OSError."""
    said = json.dumps({"pid": server.pid, "began": server.began, "url": server.url})
    write_atomically(folder / FILE_NAME, (said + "\n").encode(), private=True)


def forget(folder: Path) -> None:
    """No server runs any more."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def running(folder: Path) -> Running | None:
    """The server of a folder, by what was noted; None when it is gone. Raises `NeedsHuman` when it may not be read."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            said = json.loads(file.read(MOST))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "it is readable for whoever runs the daemon only: run this as the same person"
        raise NeedsHuman(f"cannot read {folder / FILE_NAME}: {why}", hint=hint) from error
    match said:
        case {"pid": int(pid), "began": str(began), "url": str(url)} if pid > 0:
            return Running(pid, began, url) if _lives(pid, began) else None
    return None


def end(server: Running) -> None:
    """End a server that nobody owns, and wait for it: kindly first, as it has to write down what it holds.

    Raises `NeedsHuman` when it is somebody else's.
    """
    try:
        for sent in (TERMINATE, KILL):
            os.kill(server.pid, sent)
            if _ended(server):
                return
    except ProcessLookupError:
        return
    except PermissionError as error:
        hint = "run the daemon as the same person as before, or end that process yourself"
        raise NeedsHuman(f"the Redis server of before still runs as process {server.pid}", hint=hint) from error
    raise NeedsHuman(f"the Redis server of before does not end: process {server.pid}", hint="end it yourself")


def _lives(pid: int, began: str) -> bool:
    now = birth(pid)
    return now is not None and (UNKNOWN in {now, began} or now == began) and not is_zombie(pid)


def _ended(server: Running) -> bool:
    deadline = time.monotonic() + GRACE
    while _lives(server.pid, server.began):
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True
