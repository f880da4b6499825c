"""What the server that comes with the program is told: about its files, how much memory it has, and where to listen."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

SOCKET, LOG = "valkey.sock", "valkey.log"
LONGEST_SOCKET = 100
"""Bytes of a socket's path that every system takes: 104 on macOS, 108 on Linux, the NUL included."""
SETTINGS = """\
daemonize no
dir ./
logfile {log}
appendonly yes
appendfsync everysec
save ""
maxmemory {memory}
maxmemory-policy noeviction
requirepass {password}
{listening}
protected-mode yes
databases 1
timeout 0
"""


def orders(folder: Path, password: str, memory: int) -> tuple[str, str]:
    """The text of its settings, and the URL at which it will be; `memory` is in bytes."""
    listening, url = _listening(folder, password)
    return SETTINGS.format(log=LOG, memory=memory, password=password, listening=listening), url


def _listening(folder: Path, password: str) -> tuple[str, str]:
    """The lines of the settings that say where to listen, and the URL for it."""
    path = os.fspath((folder / SOCKET).absolute())
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return f"port 0\nunixsocket ./{SOCKET}\nunixsocketperm 600", f"unix://{quote(path)}?password={password}"
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    return f"bind 127.0.0.1\nport {port}", f"redis://:{password}@127.0.0.1:{port}/0"
