"""`daemon.json`: where a daemon listens, for its owner only, and nothing once that daemon is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from reconciler.adapters.daemonfile import Daemon, announce, find_daemon, new_token
from reconciler.adapters.files import retry_while_read
from reconciler.adapters.processes import UNKNOWN_START, read_start_time
from reconciler.errors import NeedsHuman
from tests.support.patience import DEADLINE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = "127.0.0.1:8642"
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP) as started:
        yield started
        started.kill()


def test_it_is_there_while_the_daemon_is(tmp_path: Path) -> None:
    assert find_daemon(tmp_path) is None
    with announce(tmp_path, ADDRESS, "secret"):
        assert find_daemon(tmp_path) == Daemon(os.getpid(), ADDRESS, "secret")
        said = json.loads((tmp_path / "daemon.json").read_text(encoding="utf-8"))
        assert (said["pid"], said["address"], said["token"]) == (os.getpid(), ADDRESS, "secret")
    assert list(tmp_path.iterdir()) == []
    assert find_daemon(tmp_path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_one_that_was_stopped_is_told(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    said = {"pid": process.pid, "began": "", "address": ADDRESS, "token": "secret"}
    (tmp_path / "daemon.json").write_text(json.dumps(said), encoding="utf-8")
    process.send_signal(signal.SIGSTOP)
    until(lambda: find_daemon(tmp_path) == Daemon(process.pid, ADDRESS, "secret", stopped=True))
    process.send_signal(signal.SIGCONT)
    until(lambda: find_daemon(tmp_path) == Daemon(process.pid, ADDRESS, "secret"))


def test_it_is_gone_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), announce(tmp_path, ADDRESS, "secret"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes: the folder's access list counts")
def test_only_its_owner_reads_it_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode & 0o777)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    before = os.umask(0)
    try:
        with announce(tmp_path, ADDRESS, "secret"):
            modes.append((tmp_path / "daemon.json").stat().st_mode & 0o777)
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]


def test_the_token_shows_in_no_repr() -> None:
    assert "secret" not in repr(Daemon(1, ADDRESS, "secret"))


def test_tokens_are_long_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43


def test_what_a_killed_daemon_left_is_nothing(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    mark = read_start_time(process.pid)
    _say(tmp_path, process.pid, mark)
    assert find_daemon(tmp_path) == Daemon(process.pid, ADDRESS, "secret")
    process.kill()
    process.wait(DEADLINE)
    assert find_daemon(tmp_path) is None


def test_a_process_with_the_same_id_is_another_one(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    mark = read_start_time(process.pid)
    assert mark
    _say(tmp_path, process.pid, f"{mark}0")
    assert find_daemon(tmp_path) is None


def test_a_system_that_tells_no_beginnings_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "no-proc"))
    assert read_start_time(os.getpid()) == UNKNOWN_START
    with announce(tmp_path, ADDRESS, "secret"):
        monkeypatch.undo()
        assert find_daemon(tmp_path) is not None


def test_a_beginning_is_one_of_one_process(process: subprocess.Popen[bytes]) -> None:
    assert read_start_time(os.getpid()) == read_start_time(os.getpid())
    assert read_start_time(os.getpid()) != read_start_time(process.pid)
    assert read_start_time(2**22 + 1) is None
    assert read_start_time(2**70) is None


def test_a_beginning_stays_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    before, boot_time = read_start_time(os.getpid()), psutil.boot_time
    moved = boot_time() + 3600
    monkeypatch.setattr(psutil, "boot_time", lambda: moved)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: moved)
    assert read_start_time(os.getpid()) == before


def test_a_newer_daemon_keeps_its_file(tmp_path: Path) -> None:
    with announce(tmp_path, ADDRESS, "old"):
        _say(tmp_path, os.getpid(), read_start_time(os.getpid()), token="new")
    assert find_daemon(tmp_path) == Daemon(os.getpid(), ADDRESS, "new")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "{}", '{"pid": 1}', "\xff"),
        *(f'{{"pid": {pid}, "began": "", "address": "a", "token": "t"}}' for pid in ('"1"', "-1", "0", "null")),
    ],
)
def test_what_is_no_announcement_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "daemon.json").write_text(text, encoding="latin-1")
    assert find_daemon(tmp_path) is None


def test_a_folder_that_cannot_be_written_needs_a_human(tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match="cannot write"), announce(tmp_path / "missing", ADDRESS, "secret"):
        pass
    assert not (tmp_path / "missing").exists()


def test_a_file_that_may_not_be_read_needs_a_human(tmp_path: Path) -> None:
    (tmp_path / "daemon.json").mkdir()
    with pytest.raises(NeedsHuman, match="cannot read"):
        find_daemon(tmp_path)
    with pytest.raises(NeedsHuman, match="cannot write"), announce(tmp_path, ADDRESS, "secret"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["daemon.json"], "nothing is left beside it"


def test_windows_readers_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def held() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError

    with pytest.raises(PermissionError):
        retry_while_read(held)
    monkeypatch.setattr(sys, "platform", "win32")
    tries.clear()
    retry_while_read(held)
    assert len(tries) == 3


def _say(state: Path, pid: int, began: str | None, token: str = "secret") -> None:
    said = {"pid": pid, "began": began, "address": ADDRESS, "token": token}
    (state / "daemon.json").write_text(json.dumps(said), encoding="utf-8")
