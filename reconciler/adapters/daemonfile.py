"""`daemon.json` in the state folder: where a daemon listens, and the token that operates it. For its owner only."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.adapters.files import retry_while_read, write_atomically
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = "daemon.json"
TOKEN_BYTES = 32
MAX_FILE_BYTES = 65_536
"""Bytes read of a file in which one line is expected."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running daemon: process id, address as in a URL (`127.0.0.1:8642`) and token; whether SIGSTOP stopped it."""

    pid: int
    address: str
    token: str = field(repr=False)
    stopped: bool = False


def new_token() -> str:
    """A token that nobody guesses, safe in a header and in JSON."""
    return secrets.token_urlsafe(TOKEN_BYTES)


@contextmanager
def announce(state: Path, address: str, token: str) -> Iterator[None]:
    """Say in the state folder that this process listens there, while the block lasts. Raises `NeedsHuman`."""
    path = state / FILE_NAME
    record = {
        "pid": os.getpid(),
        "began": _look_at(os.getpid())[0] or "",
        "address": address,
        "token": token,
    }
    try:
        write_atomically(path, (json.dumps(record) + "\n").encode(), private=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "see that its folder is there, has room, and that you may write to it"
        raise NeedsHuman(f"cannot write {path}: {why}", hint=hint) from error
    try:
        yield
    finally:
        if _read(path).get("token") == token:  # else it is another one's by now
            retry_while_read(lambda: path.unlink(missing_ok=True))


def find_daemon(state: Path) -> Daemon | None:
    """The daemon of a state folder, as it announced itself; None without one.

    What a killed daemon left behind is nothing: its process is gone, or its id belongs to another program now. Raises
    `NeedsHuman` when the file may not be read.
    """
    record = _read(state / FILE_NAME)
    match record:
        case {"pid": int(pid), "began": str(began), "address": str(address), "token": str(token)} if pid > 0:
            now, stopped = _look_at(pid)
            alive = now is not None and (not now or not began or now == began)
            return Daemon(pid, address, token, stopped) if alive else None
    return None


def _look_at(pid: int) -> tuple[str | None, bool]:
    """When a process began, empty where that is not told, and whether it is stopped. Most commands need no psutil."""
    from reconciler.adapters.processes import is_stopped, read_start_time

    return read_start_time(pid), is_stopped(pid)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(MAX_FILE_BYTES))
    except FileNotFoundError:
        return {}
    except ValueError:  # no daemon writes half a file
        return {}
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "it is readable for whoever runs the daemon only: run this as the same person"
        raise NeedsHuman(f"cannot read {path}: {why}", hint=hint) from error
    return value if isinstance(value, dict) else {}
