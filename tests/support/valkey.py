"""Real servers for tests: one for a whole run, flushed for each test, and ones that a test may hurt."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from reconciler.adapters.redis.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.redis.connection import Connection

MB = 1024 * 1024


class ForwardClock:
    """A clock that a test moves on; it starts now, as the server drops keys by its own time."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC).replace(microsecond=0)

    def now(self) -> datetime:
        """The moment that it stands at."""
        return self.moment

    def go_on(self, span: timedelta) -> None:
        """Let time pass."""
        self.moment += span


@contextmanager
def server(view_bytes: int = 64 * MB) -> Iterator[EmbeddedServer]:
    """A server of its own. Its folder has a short path: a socket's cannot be long."""
    folder = tempfile.TemporaryDirectory(prefix="rv", ignore_cleanup_errors=True)
    with folder as state, EmbeddedServer(Path(state), view_bytes) as running:
        yield running


def pid(link: Connection) -> int:
    """The process id of a server."""
    lines = link.ask("INFO", "server").decode().splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("process_id:"))


def keys(link: Connection) -> set[str]:
    """All keys of a server."""
    return {key.decode() for key in link.ask("KEYS", "*")}


def uuid(number: int) -> str:
    """A UUID for each number."""
    return str(UUID(int=number))


def is_running(process: int) -> bool:
    """Whether there is such a process, one that has ended and is not waited for left out."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
